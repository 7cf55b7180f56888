#include "tests/support/plan_runner.h"

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/sql/identifier.h"

namespace curlew::testing {
namespace {

absl::Status RunAll(pg::Connection* connection,
                    const google::protobuf::RepeatedPtrField<std::string>& statements) {
  ASSIGN_OR_RETURN(auto transaction, pg::Transaction::Begin(connection));
  for (const std::string& statement : statements) {
    if (auto r = transaction->Execute(statement); !r.ok()) return base::Annotate(r.status(), statement);
  }
  return transaction->Commit();
}

// Names, qualified and quoted, of the leaf partitions (the table itself where it has none), sorted.
absl::StatusOr<std::vector<std::string>> Leaves(pg::Connection* connection, const std::string& table) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      connection->Execute("WITH RECURSIVE tree AS (SELECT $1::regclass::oid AS oid"
                          " UNION SELECT inhrelid FROM tree JOIN pg_inherits ON inhparent = oid)"
                          " SELECT format('%I.%I', nspname, relname) FROM tree"
                          " JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = relnamespace"
                          " WHERE relkind <> 'p' ORDER BY nspname, relname",
                          {table}));
  std::vector<std::string> leaves;
  for (int64_t i = 0; i < rows.size(); ++i) leaves.push_back(rows.Text(i, 0));
  return leaves;
}

absl::Status RunSql(pg::Connection* connection, const v1::ExecuteSql& action) {
  const v1::EachPartition& each = action.each_partition();
  if (action.has_each_partition()) {
    ASSIGN_OR_RETURN(const std::vector<std::string> leaves, Leaves(connection, each.table()));
    for (const std::string& leaf : leaves) {
      google::protobuf::RepeatedPtrField<std::string> statements;
      for (const v1::PartitionStatement& statement : each.statements())
        *statements.Add() = absl::StrCat(statement.before(), leaf, statement.after());
      RETURN_IF_ERROR(RunAll(connection, statements));
    }
  }
  return RunAll(connection, action.statements());
}

// Without CONCURRENTLY: PostgreSQL makes the parts itself.
absl::Status CreatePartitioned(pg::Connection* connection, const v1::ExecuteSqlConcurrently& action) {
  ASSIGN_OR_RETURN(const sql::TableName name, sql::ParseTableName(action.index()));
  const v1::PartitionedIndex& how = action.partitioned();
  return connection
      ->Execute(how.constraint().empty()
                    ? absl::StrCat("CREATE ", how.unique() ? "UNIQUE " : "", "INDEX ", sql::Ident(name.name),
                                   " ON ", action.table(), " ", how.definition())
                    : absl::StrCat("ALTER TABLE ", action.table(), " ADD CONSTRAINT ", sql::Ident(name.name),
                                   " ", how.constraint()))
      .status();
}

absl::Status DropPartitioned(pg::Connection* connection, const v1::ExecuteSqlConcurrently& action) {
  ASSIGN_OR_RETURN(
      const pg::Result owner,
      connection->Execute("SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass,"
                          " conname) FROM pg_constraint WHERE conindid = to_regclass($1)"
                          " AND contype IN ('p', 'u')",
                          {action.index()}));
  return connection
      ->Execute(owner.empty() ? absl::StrCat("DROP INDEX IF EXISTS ", action.index()) : owner.Text(0, 0))
      .status();
}

absl::Status RunConcurrently(pg::Connection* connection, const v1::ExecuteSqlConcurrently& action) {
  switch (action.effect()) {
    case v1::ExecuteSqlConcurrently::EFFECT_CREATES:
      if (action.has_partitioned()) return CreatePartitioned(connection, action);
      break;
    case v1::ExecuteSqlConcurrently::EFFECT_DROPS:
      if (action.has_partitioned() || action.statement().empty()) return DropPartitioned(connection, action);
      break;
    case v1::ExecuteSqlConcurrently::EFFECT_REINDEXES:
      return connection
          ->Execute(action.index().empty() ? absl::StrCat("REINDEX TABLE CONCURRENTLY ", action.table())
                                           : absl::StrCat("REINDEX INDEX CONCURRENTLY ", action.index()))
          .status();
    default:
      return absl::InvalidArgumentError("the step does not say what its statement does");
  }
  return connection->Execute(action.statement()).status();
}

absl::Status Validate(pg::Connection* connection, const v1::ValidateConstraint& action) {
  std::vector<std::string> tables = {action.table()};
  if (action.each_partition()) {
    ASSIGN_OR_RETURN(tables, Leaves(connection, action.table()));
  }
  for (const std::string& table : tables) {
    if (action.each_partition()) {
      ASSIGN_OR_RETURN(const pg::Result there,
                       connection->Execute("SELECT FROM pg_constraint WHERE conrelid = $1::regclass"
                                           " AND conname = $2 AND NOT convalidated",
                                           {table, action.constraint()}));
      if (there.empty()) continue;
    }
    RETURN_IF_ERROR(connection
                        ->Execute(absl::StrCat("ALTER TABLE ", table, " VALIDATE CONSTRAINT ",
                                               sql::Ident(action.constraint())))
                        .status());
  }
  return absl::OkStatus();
}

absl::Status Fill(pg::Connection* connection, const v1::Backfill& backfill) {
  std::vector<std::string> sets;
  for (const v1::Assignment& a : backfill.assignments())
    sets.push_back(absl::StrCat(a.column(), " = ", a.expression()));
  ASSIGN_OR_RETURN(auto transaction, pg::Transaction::Begin(connection));
  if (!backfill.search_path().empty()) {
    RETURN_IF_ERROR(
        transaction->Execute(absl::StrCat("SET LOCAL search_path = ", backfill.search_path())).status());
  }
  RETURN_IF_ERROR(transaction
                      ->Execute(absl::StrCat("SELECT set_config('curlew.backfill', ",
                                             sql::Literal(backfill.table()), "::regclass::oid::text, true)"))
                      .status());
  const std::string verb =
      backfill.deletes() ? absl::StrCat("DELETE FROM ", backfill.table(), " AS t")
                         : absl::StrCat("UPDATE ", backfill.table(), " AS t SET ", absl::StrJoin(sets, ", "));
  const std::string pending = backfill.pending().empty() ? "true" : backfill.pending();
  RETURN_IF_ERROR(transaction->Execute(absl::StrCat(verb, " WHERE ", pending)).status());
  return transaction->Commit();
}

absl::Status Write(pg::Connection* connection, const v1::TransformRows& rows) {
  ASSIGN_OR_RETURN(auto transaction, pg::Transaction::Begin(connection));
  RETURN_IF_ERROR(
      transaction->Execute(absl::StrCat("SET LOCAL search_path = ", rows.search_path())).status());
  const std::string condition = rows.condition().empty() ? "true" : rows.condition();
  RETURN_IF_ERROR(transaction
                      ->Execute(absl::StrCat("WITH batch AS (SELECT t.* FROM ", rows.table(), " AS t WHERE ",
                                             condition, ")\n", rows.statement()))
                      .status());
  return transaction->Commit();
}

// What a query of one row and one column gives; absent for NULL.
absl::StatusOr<std::optional<std::string>> OneValue(pg::Transaction* transaction, const std::string& query) {
  const auto rows = transaction->Execute(query);
  if (!rows.ok()) return base::Annotate(rows.status(), query);
  if (rows->size() != 1 || rows->columns().size() != 1) {
    return absl::FailedPreconditionError(absl::StrCat("not one row of one column: ", query));
  }
  return rows->IsNull(0, 0) ? std::nullopt : std::make_optional(rows->Text(0, 0));
}

// Where values are noted for the session: an agent has its journal.
constexpr char kMeasured[] = "CREATE TEMP TABLE IF NOT EXISTS measured (name text PRIMARY KEY, value text)";

absl::Status Note(pg::Connection* connection, const v1::Measure& measure) {
  RETURN_IF_ERROR(connection->Execute(kMeasured).status());
  std::vector<std::optional<std::string>> values;
  ASSIGN_OR_RETURN(auto transaction,
                   pg::Transaction::Begin(connection, pg::Transaction::Mode::kReadOnlySnapshot));
  RETURN_IF_ERROR(transaction->Execute("SET LOCAL search_path = pg_catalog, public, pg_temp").status());
  for (const v1::Measurement& measurement : measure.measurements()) {
    ASSIGN_OR_RETURN(values.emplace_back(), OneValue(transaction.get(), measurement.query()));
  }
  RETURN_IF_ERROR(transaction->Commit());
  for (int i = 0; i < measure.measurements_size(); ++i) {
    if (!values[i].has_value()) return absl::FailedPreconditionError("a measurement is NULL");
    RETURN_IF_ERROR(connection
                        ->Execute("INSERT INTO measured VALUES ($1, $2)"
                                  " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                                  {measure.measurements(i).name(), *values[i]})
                        .status());
  }
  return absl::OkStatus();
}

absl::Status CheckTriggers(pg::Transaction* transaction, const v1::TriggerCheck& check) {
  for (const std::string& trigger : check.triggers()) {
    const auto rows = transaction->Execute(
        absl::StrCat("SELECT count(*) FILTER (WHERE tgrelid = r.oid AND tgenabled = 'A'),"
                     " count(*) FILTER (WHERE tgenabled <> 'A') FROM (SELECT ",
                     sql::Literal(check.table()),
                     "::regclass AS oid) AS r JOIN pg_trigger ON tgrelid = r.oid OR"
                     " tgrelid IN (SELECT relid FROM pg_partition_tree(r.oid))"
                     " WHERE tgname = ",
                     sql::Literal(trigger)));
    RETURN_IF_ERROR(rows.status());
    if (rows->Int(0, 0) == 1 && rows->Int(0, 1) == 0) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("trigger ", trigger, " of ", check.table(), " is gone, or does not fire always"));
  }
  return absl::OkStatus();
}

absl::Status CheckAnswers(pg::Transaction* transaction, const v1::Verify& verify) {
  for (const v1::Measurement& measurement : verify.unchanged()) {
    ASSIGN_OR_RETURN(const auto now, OneValue(transaction, measurement.query()));
    ASSIGN_OR_RETURN(const auto before,
                     OneValue(transaction, absl::StrCat("SELECT value FROM pg_temp.measured WHERE name = ",
                                                        sql::Literal(measurement.name()))));
    if (now == before) continue;
    return absl::FailedPreconditionError(absl::StrCat(measurement.name(), ": ", measurement.description(),
                                                      ": ", now.value_or("NULL"), ", was ",
                                                      before.value_or("NULL")));
  }
  for (const v1::Expectation& expectation : verify.expectations()) {
    ASSIGN_OR_RETURN(const auto answer, OneValue(transaction, expectation.query()));
    const auto expected = expectation.has_expect() ? std::make_optional(expectation.expect()) : std::nullopt;
    if (answer == expected) continue;
    return absl::FailedPreconditionError(absl::StrCat(expectation.name(), ": ", answer.value_or("NULL"),
                                                      ", expected ", expected.value_or("NULL")));
  }
  return absl::OkStatus();
}

absl::Status Check(pg::Connection* connection, const v1::Verify& verify) {
  ASSIGN_OR_RETURN(auto transaction,
                   pg::Transaction::Begin(connection, pg::Transaction::Mode::kReadOnlySnapshot));
  RETURN_IF_ERROR(
      transaction->Execute(absl::StrCat("SET LOCAL search_path = ", verify.search_path())).status());
  for (const v1::TriggerCheck& check : verify.triggers()) {
    RETURN_IF_ERROR(CheckTriggers(transaction.get(), check));
  }
  RETURN_IF_ERROR(CheckAnswers(transaction.get(), verify));
  for (const v1::Check& check : verify.checks()) {
    auto count = transaction->Execute(check.count_query());
    if (!count.ok()) return base::Annotate(count.status(), check.count_query());
    if (count->Int(0, 0) == 0) continue;
    std::string keys;
    if (!check.key_query().empty()) {
      ASSIGN_OR_RETURN(pg::Result rows, transaction->Execute(check.key_query() + " LIMIT 10"));
      for (int i = 0; i < rows.size(); ++i) absl::StrAppend(&keys, " ", rows.Text(i, 0));
    }
    return absl::FailedPreconditionError(absl::StrCat(check.description(), ": ", count->Int(0, 0), keys));
  }
  for (const v1::RowScan& scan : verify.scans()) {
    for (const v1::RowCheck& check : scan.checks()) {
      auto keys = transaction->Execute(absl::StrCat("SELECT ", scan.key(), " FROM ", scan.table(),
                                                    " AS t WHERE ", check.violation(), " LIMIT 10"));
      if (!keys.ok()) return base::Annotate(keys.status(), check.violation());
      if (keys->empty()) continue;
      std::string rows;
      for (int i = 0; i < keys->size(); ++i) absl::StrAppend(&rows, " ", keys->Text(i, 0));
      return absl::FailedPreconditionError(absl::StrCat(check.description(), ":", rows));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RunAction(pg::Connection* connection, const v1::Action& action) {
  switch (action.kind_case()) {
    case v1::Action::kExecuteSql:
      return RunSql(connection, action.execute_sql());
    case v1::Action::kInstallTrigger:
      RETURN_IF_ERROR(connection->Execute("CREATE SCHEMA IF NOT EXISTS curlew").status());
      return RunAll(connection, action.install_trigger().statements());
    case v1::Action::kExecuteSqlConcurrently:
      return RunConcurrently(connection, action.execute_sql_concurrently());
    case v1::Action::kBackfill:
      return Fill(connection, action.backfill());
    case v1::Action::kValidateConstraint:
      return Validate(connection, action.validate_constraint());
    case v1::Action::kTransformRows:
      return Write(connection, action.transform_rows());
    case v1::Action::kVerify:
      return Check(connection, action.verify());
    case v1::Action::kAnalyze:
      return connection
          ->Execute(absl::StrCat(action.analyze().vacuum() ? "VACUUM (ANALYZE) " : "ANALYZE ",
                                 action.analyze().table()))
          .status();
    case v1::Action::kMeasure:
      return Note(connection, action.measure());
    case v1::Action::kBackup:
    case v1::Action::kWait:
    case v1::Action::KIND_NOT_SET:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

namespace {

int StepsUpTo(const v1::CompiledPlan& plan, v1::Phase last) {
  int count = 0;
  while (count < plan.steps_size() && plan.steps(count).phase() <= last) ++count;
  return count;
}

}  // namespace

absl::Status RunPhases(pg::Connection* connection, const v1::CompiledPlan& plan, v1::Phase last) {
  const int count = StepsUpTo(plan, last);
  for (int i = 0; i < count; ++i) {
    const v1::Step& step = plan.steps(i);
    if (absl::Status s = RunAction(connection, step.action()); !s.ok())
      return base::Annotate(s, step.title());
  }
  return absl::OkStatus();
}

absl::Status UndoPhases(pg::Connection* connection, const v1::CompiledPlan& plan, v1::Phase last) {
  for (int i = StepsUpTo(plan, last) - 1; i >= 0; --i) {
    const v1::Step& step = plan.steps(i);
    if (absl::Status s = RunAction(connection, step.undo()); !s.ok())
      return base::Annotate(s, "undo " + step.title());
  }
  return absl::OkStatus();
}

}  // namespace curlew::testing
