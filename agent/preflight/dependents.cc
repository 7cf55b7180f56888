#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/preflight/looks.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

constexpr char kDependents[] = R"sql(
SELECT w.name,
  (SELECT string_agg(DISTINCT v.oid::regclass::text, ', ') FROM pg_depend d
   JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
   JOIN pg_class v ON v.oid = r.ev_class
   WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid AND v.oid <> c.oid AND v.relkind IN ('v', 'm')),
  (SELECT string_agg(DISTINCT format('%I of %s', k.conname, k.conrelid::regclass), ', ') FROM pg_constraint k
   WHERE k.contype = 'f' AND k.confrelid = c.oid AND k.conparentid = 0),
  (SELECT string_agg(DISTINCT quote_ident(p.pubname), ', ') FROM pg_publication_tables p
   WHERE p.schemaname = n.nspname AND p.tablename = c.relname),
  (SELECT count(*) FROM pg_inherits i WHERE i.inhparent = c.oid),
  (SELECT string_agg(i.inhparent::regclass::text, ', ') FROM pg_inherits i WHERE i.inhrelid = c.oid)
FROM unnest($1::text[]) AS w (name) JOIN pg_class c ON c.oid = to_regclass(w.name)
JOIN pg_namespace n ON n.oid = c.relnamespace
ORDER BY 1
)sql";

}  // namespace

absl::Status LookAtDependents(const Look& look, Findings* findings) {
  std::vector<std::string> changed;
  for (const auto& [name, table] : look.needs.tables) {
    if (table.changes || table.walks > 0) changed.push_back(name);
  }
  ASSIGN_OR_RETURN(const pg::Result rows, look.connection->Execute(kDependents, {pg::ArrayParam(changed)}));
  for (int64_t i = 0; i < rows.size(); ++i) {
    std::vector<std::string> parts;
    const auto add = [&](int column, const char* what) {
      if (!rows.IsNull(i, column)) parts.push_back(absl::StrCat(what, rows.Text(i, column)));
    };
    add(1, "views ");
    add(2, "foreign keys ");
    add(3, "publications ");
    if (rows.Int(i, 4) > 0)
      parts.push_back(absl::StrCat(rows.Int(i, 4), rows.Int(i, 4) == 1
                                                       ? " table that inherits from it or is its "
                                                         "partition"
                                                       : " tables that inherit from it or are its "
                                                         "partitions"));
    add(5, "it is part of ");
    if (parts.empty()) continue;
    findings->Info(absl::StrCat("on ", rows.Text(i, 0), " hang: ", absl::StrJoin(parts, "; ")),
                   rows.IsNull(i, 3)
                       ? "see that the plan means them, too"
                       : "see that the plan means them, too; a subscriber's table has to be changed "
                         "by itself, before columns that are published come",
                   rows.Text(i, 0));
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
