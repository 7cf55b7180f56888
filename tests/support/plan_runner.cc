#include "tests/support/plan_runner.h"

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

absl::Status Fill(pg::Connection* connection, const v1::Backfill& backfill) {
  std::vector<std::string> sets;
  for (const v1::Assignment& a : backfill.assignments())
    sets.push_back(absl::StrCat(a.column(), " = ", a.expression()));
  ASSIGN_OR_RETURN(auto transaction, pg::Transaction::Begin(connection));
  RETURN_IF_ERROR(
      transaction->Execute(absl::StrCat("SET LOCAL search_path = ", backfill.search_path())).status());
  RETURN_IF_ERROR(transaction
                      ->Execute(absl::StrCat("SELECT set_config('curlew.backfill', ",
                                             sql::Literal(backfill.table()), "::regclass::oid::text, true)"))
                      .status());
  RETURN_IF_ERROR(transaction
                      ->Execute(absl::StrCat("UPDATE ", backfill.table(), " AS t SET ",
                                             absl::StrJoin(sets, ", "), " WHERE ", backfill.pending()))
                      .status());
  return transaction->Commit();
}

absl::Status Check(pg::Connection* connection, const v1::Verify& verify) {
  ASSIGN_OR_RETURN(auto transaction,
                   pg::Transaction::Begin(connection, pg::Transaction::Mode::kReadOnlySnapshot));
  RETURN_IF_ERROR(
      transaction->Execute(absl::StrCat("SET LOCAL search_path = ", verify.search_path())).status());
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
  return absl::OkStatus();
}

}  // namespace

absl::Status RunAction(pg::Connection* connection, const v1::Action& action) {
  switch (action.kind_case()) {
    case v1::Action::kExecuteSql:
      return RunAll(connection, action.execute_sql().statements());
    case v1::Action::kInstallTrigger:
      RETURN_IF_ERROR(connection->Execute("CREATE SCHEMA IF NOT EXISTS curlew").status());
      return RunAll(connection, action.install_trigger().statements());
    case v1::Action::kExecuteSqlConcurrently:
      return connection->Execute(action.execute_sql_concurrently().statement()).status();
    case v1::Action::kBackfill:
      return Fill(connection, action.backfill());
    case v1::Action::kValidateConstraint:
      return connection
          ->Execute(absl::StrCat("ALTER TABLE ", action.validate_constraint().table(),
                                 " VALIDATE CONSTRAINT ",
                                 sql::Ident(action.validate_constraint().constraint())))
          .status();
    case v1::Action::kVerify:
      return Check(connection, action.verify());
    case v1::Action::kAnalyze:
      return connection->Execute(absl::StrCat("ANALYZE ", action.analyze().table())).status();
    case v1::Action::kWait:
    case v1::Action::KIND_NOT_SET:
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::Status RunPhases(pg::Connection* connection, const v1::CompiledPlan& plan, v1::Phase last) {
  for (const v1::Step& step : plan.steps()) {
    if (step.phase() > last) break;
    if (absl::Status s = RunAction(connection, step.action()); !s.ok())
      return base::Annotate(s, step.title());
  }
  return absl::OkStatus();
}

absl::Status UndoPhases(pg::Connection* connection, const v1::CompiledPlan& plan, v1::Phase last) {
  for (int i = plan.steps_size() - 1; i >= 0; --i) {
    const v1::Step& step = plan.steps(i);
    if (step.phase() > last) continue;
    if (absl::Status s = RunAction(connection, step.undo()); !s.ok())
      return base::Annotate(s, "undo " + step.title());
  }
  return absl::OkStatus();
}

}  // namespace curlew::testing
