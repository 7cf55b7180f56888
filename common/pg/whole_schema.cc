#include "common/pg/whole_schema.h"

#include <string>

#include "common/base/status_macros.h"
#include "common/pg/introspect.h"
#include "common/sql/object_definition.h"

namespace curlew::pg {
namespace {

// Kind and name of each object. Members of extensions come and go with these.
constexpr char kAll[] = R"(
WITH schemas AS (
  SELECT oid, nspname FROM pg_namespace
  WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'curlew')
), own (class, id, kind, name) AS (
  SELECT 'pg_class'::regclass, c.oid,
         CASE WHEN c.relkind IN ('r', 'p') THEN 'table' WHEN c.relkind = 'S' THEN 'sequence' ELSE 'view' END,
         format('%I.%I', nspname, relname)
  FROM pg_class c JOIN schemas s ON s.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
  UNION ALL
  SELECT 'pg_proc'::regclass, p.oid, 'function',
         format('%I.%I(%s)', nspname, proname, array_to_string(ARRAY(
           SELECT format_type(t, NULL) FROM unnest(proargtypes) WITH ORDINALITY AS u (t, n) ORDER BY n), ', '))
  FROM pg_proc p JOIN schemas s ON s.oid = pronamespace WHERE prokind IN ('f', 'p')
  UNION ALL
  SELECT 'pg_type'::regclass, t.oid, 'type', format('%I.%I', nspname, typname)
  FROM pg_type t JOIN schemas s ON s.oid = typnamespace WHERE typtype IN ('e', 'd')
  UNION ALL
  SELECT 'pg_extension'::regclass, oid, 'extension', extname FROM pg_extension WHERE extname <> 'plpgsql'
)
SELECT kind, name COLLATE "C" FROM own
WHERE NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = own.class AND d.objid = own.id AND d.deptype = 'e')
ORDER BY 1, 2
)";

}  // namespace

absl::StatusOr<v1::Scope> ScopeOfAll(Connection* connection) {
  ASSIGN_OR_RETURN(const auto transaction,
                   Transaction::Begin(connection, Transaction::Mode::kReadOnlySnapshot));
  RETURN_IF_ERROR(transaction->Execute("SET LOCAL search_path = pg_catalog").status());
  ASSIGN_OR_RETURN(const Result rows, transaction->Execute(kAll));
  v1::Scope scope;
  for (int64_t i = 0; i < rows.size(); ++i) {
    const std::string kind = rows.Text(i, 0), name = rows.Text(i, 1);
    if (kind == "table") scope.add_tables(name);
    if (kind == "view") scope.add_views(name);
    if (kind == "sequence") scope.add_sequences(name);
    if (kind == "type") scope.add_types(name);
    if (kind == "extension") scope.add_extensions(name);
    if (kind == "function") {
      const auto signature = sql::ParseFunctionName(name);
      if (signature.ok()) scope.add_functions(*signature);
    }
  }
  return scope;
}

absl::StatusOr<v1::Schema> ReadWholeSchema(Connection* connection) {
  ASSIGN_OR_RETURN(const v1::Scope scope, ScopeOfAll(connection));
  return ReadSchema(connection, scope);
}

}  // namespace curlew::pg
