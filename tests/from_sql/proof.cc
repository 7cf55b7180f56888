#include "tests/from_sql/proof.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"
#include "common/pg/whole_schema.h"
#include "common/plan/plan_reader.h"
#include "common/sql/identifier.h"
#include "tests/support/process.h"

namespace curlew::from_sql {

using ::curlew::testing::Cluster;
using ::curlew::testing::Process;

void ProofTest::Psql(const std::string& conninfo, const std::string& script) {
  auto output =
      Process::Run({.argv = {Cluster::Get().Program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", conninfo},
                    .input = script});
  ASSERT_TRUE(output.ok()) << output.status();
}

std::string ProofTest::Before(const Case& c) {
  // Roles belong to the cluster, and tests run side by side.
  for (const char* role : {"app_owner", "app_writer", "app_reader"}) {
    Query(Cluster::Get().Conninfo("postgres"),
          absl::StrCat("DO $$ BEGIN CREATE ROLE ", role,
                       "; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"));
  }
  const std::string conninfo = NewDatabase();
  Psql(conninfo, c.before);
  return conninfo;
}

absl::StatusOr<Conversion> ProofTest::ConvertFor(const Case& c, const std::string& conninfo) {
  const auto connection = Connect(conninfo);
  ASSIGN_OR_RETURN(const v1::Schema schema, pg::ReadWholeSchema(connection.get()));
  return Convert({{c.name + ".sql", c.migration}}, {.schema = &schema});
}

absl::StatusOr<Conversion> ProofTest::ConvertText(const Case& c) {
  return Convert({{c.name + ".sql", c.migration}}, {});
}

absl::StatusOr<v1::CompiledPlan> ProofTest::Compile(const Conversion& conversion,
                                                    const std::string& conninfo) {
  ASSIGN_OR_RETURN(const v1::Plan plan, plan::ReadPlan(ToYaml(conversion), "plan.yaml"));
  if (plan::Digest(plan) != plan::Digest(conversion.plan)) {
    return absl::InternalError(absl::StrCat("the YAML reads back as another plan:\n", ToYaml(conversion)));
  }
  const auto connection = Connect(conninfo);
  ASSIGN_OR_RETURN(const v1::Schema schema, pg::ReadSchema(connection.get(), compiler::ScopeOf(plan)));
  return compiler::Compile(plan, schema);
}

std::string ProofTest::Dump(const Case& c, const std::string& conninfo) {
  return absl::StrCat(NormalDump(PgDump(conninfo)), "\n", Rows(c, conninfo));
}

std::string ProofTest::Rows(const Case& c, const std::string& conninfo) {
  std::vector<std::string> names;
  for (const std::string& column : c.volatile_columns) names.push_back(sql::Literal(column));
  const std::string without =
      names.empty() ? "" : absl::StrCat(" - ARRAY[", absl::StrJoin(names, ", "), "]::text[]");
  const auto connection = Connect(conninfo);
  auto tables = connection->Execute(
      "SELECT format('%I.%I', nspname, relname) COLLATE \"C\" FROM pg_class c JOIN pg_namespace n ON n.oid = "
      "relnamespace WHERE relkind IN ('r', 'p', 'm') AND nspname !~ '^pg_' AND nspname NOT IN "
      "('information_schema', 'curlew') ORDER BY 1");
  if (!tables.ok()) {
    ADD_FAILURE() << tables.status();
    return "";
  }
  std::string rows;
  for (int64_t i = 0; i < tables->size(); ++i) {
    const std::string name = tables->Text(i, 0);
    absl::StrAppend(
        &rows, "rows of ", name, ":\n",
        Query(conninfo, absl::StrCat("SELECT coalesce(string_agg(r, E'\\n' ORDER BY r COLLATE \"C\"), '') "
                                     "FROM (SELECT (to_jsonb(t)",
                                     without, ")::text AS r FROM ", name, " AS t) AS s")),
        "\n");
  }
  return rows;
}

}  // namespace curlew::from_sql
