#include "agent/preflight/needs.h"

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

bool IsWeak(const std::string& mode) {
  return mode == "AccessShareLock" || mode == "RowShareLock" || mode == "RowExclusiveLock";
}

// The schema in which one of the compiler's own statements makes something; "" where it makes nothing, or
// something in a table.
std::string CreatesIn(absl::string_view statement) {
  if (!absl::ConsumePrefix(&statement, "CREATE ")) return "";
  absl::ConsumePrefix(&statement, "OR REPLACE ");
  absl::ConsumePrefix(&statement, "UNLOGGED ");
  bool is_object = false;
  for (const char* kind : {"TABLE ", "VIEW ", "MATERIALIZED VIEW ", "SEQUENCE ", "TYPE ", "DOMAIN ",
                           "FUNCTION ", "PROCEDURE "}) {
    if (absl::ConsumePrefix(&statement, kind)) {
      is_object = true;
      break;
    }
  }
  if (!is_object) return "";
  absl::ConsumePrefix(&statement, "IF NOT EXISTS ");
  bool quoted = false;
  size_t end = 0;
  for (; end < statement.size(); ++end) {
    if (statement[end] == '"') quoted = !quoted;
    if (!quoted && (statement[end] == ' ' || statement[end] == '(')) break;
  }
  const absl::StatusOr<sql::TableName> name = sql::ParseTableName(statement.substr(0, end));
  return name.ok() ? name->schema : "";
}

void AddDdl(const v1::Step& step, PlanNeeds* needs) {
  for (const v1::TableLock& lock : step.locks()) {
    if (IsWeak(lock.mode())) continue;
    needs->ddl = true;
    TableNeeds& table = needs->tables[lock.table()];
    table.changes = true;
    if (step.rewrites() && lock.mode() == "AccessExclusiveLock") table.rewrites = true;
  }
}

void AddVerify(const v1::Verify& verify, PlanNeeds* needs) {
  for (const v1::RowScan& scan : verify.scans()) needs->tables[scan.table()].reads = true;
  for (const v1::Check& check : verify.checks()) {
    if (!check.table().empty()) needs->tables[check.table()].reads = true;
  }
}

}  // namespace

PlanNeeds NeedsOf(const v1::CompiledPlan& plan) {
  PlanNeeds needs;
  for (const v1::Step& step : plan.steps()) {
    const v1::Action& action = step.action();
    switch (action.kind_case()) {
      case v1::Action::kExecuteSql:
        AddDdl(step, &needs);
        for (const std::string& statement : action.execute_sql().statements()) {
          if (const std::string schema = CreatesIn(statement); !schema.empty())
            needs.creates_in.insert(schema);
        }
        if (action.execute_sql().has_each_partition())
          needs.tables[action.execute_sql().each_partition().table()].changes = true;
        break;
      case v1::Action::kExecuteSqlConcurrently: {
        AddDdl(step, &needs);
        const v1::ExecuteSqlConcurrently& index = action.execute_sql_concurrently();
        if (index.table().empty()) break;
        TableNeeds& table = needs.tables[index.table()];
        table.changes = true;
        if (index.effect() != v1::ExecuteSqlConcurrently::EFFECT_DROPS) ++table.index_builds;
        break;
      }
      case v1::Action::kInstallTrigger:
        AddDdl(step, &needs);
        needs.tables[action.install_trigger().table()].changes = true;
        break;
      case v1::Action::kBackfill: {
        TableNeeds& table = needs.tables[action.backfill().table()];
        table.reads = true;
        (action.backfill().deletes() ? table.deletes : table.updates) = true;
        if (!action.backfill().deletes()) ++table.walks;
        needs.replica_role = needs.replica_role || plan.settings().backfill().skip_user_triggers();
        break;
      }
      case v1::Action::kValidateConstraint:
        AddDdl(step, &needs);
        needs.tables[action.validate_constraint().table()].changes = true;
        break;
      case v1::Action::kTransformRows:
        needs.tables[action.transform_rows().table()].reads = true;
        break;
      case v1::Action::kVerify:
        AddVerify(action.verify(), &needs);
        break;
      case v1::Action::kBackup:
        for (const std::string& table : action.backup().dump().tables()) needs.tables[table].reads = true;
        break;
      case v1::Action::kAnalyze:
        needs.tables[action.analyze().table()];
        break;
      case v1::Action::kWait:
      case v1::Action::kMeasure:
      case v1::Action::KIND_NOT_SET:
        break;
    }
  }
  return needs;
}

std::vector<std::string> NamesOf(const PlanNeeds& needs) {
  std::vector<std::string> names;
  for (const auto& [name, table] : needs.tables) names.push_back(name);
  return names;
}

absl::StatusOr<std::map<std::string, TableFacts>> ReadTableFacts(pg::Connection* connection,
                                                                 const std::vector<std::string>& tables) {
  ASSIGN_OR_RETURN(const pg::Result rows, connection->Execute(R"sql(
WITH RECURSIVE family AS (
  SELECT w.name, to_regclass(w.name)::oid AS oid FROM unnest($1::text[]) AS w (name)
  UNION SELECT f.name, i.inhrelid FROM pg_inherits i JOIN family f ON i.inhparent = f.oid
)
SELECT f.name, COALESCE(sum(pg_relation_size(c.oid)), 0)::bigint, COALESCE(sum(pg_table_size(c.oid)), 0)::bigint,
  COALESCE(sum(pg_indexes_size(c.oid)), 0)::bigint,
  COALESCE(sum(greatest(c.reltuples, s.n_live_tup, 0)) FILTER (WHERE c.relkind <> 'p'), 0)::bigint
FROM family f JOIN pg_class c ON c.oid = f.oid LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
GROUP BY f.name
)sql",
                                                              {pg::ArrayParam(tables)}));
  std::map<std::string, TableFacts> facts;
  for (int64_t i = 0; i < rows.size(); ++i) {
    facts[rows.Text(i, 0)] = {.heap_bytes = rows.Int(i, 1),
                              .table_bytes = rows.Int(i, 2),
                              .index_bytes = rows.Int(i, 3),
                              .rows = rows.Int(i, 4)};
  }
  return facts;
}

}  // namespace curlew::agent
