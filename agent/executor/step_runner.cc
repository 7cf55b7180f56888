#include "agent/executor/step_runner.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "agent/journal/backup_journal.h"
#include "agent/journal/names.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// How long a transaction whose COMMIT was not answered may take to end.
constexpr absl::Duration kLostTransactionEnds = absl::Seconds(10);

absl::StatusOr<StepResult> Run(const RunContext& context, const v1::Action& action) {
  absl::Status status;
  switch (action.kind_case()) {
    case v1::Action::kExecuteSql:
      status = RunExecuteSql(context, action.execute_sql());
      break;
    case v1::Action::kExecuteSqlConcurrently:
      status = RunExecuteSqlConcurrently(context, action.execute_sql_concurrently());
      break;
    case v1::Action::kInstallTrigger:
      status = RunInstallTrigger(context, action.install_trigger());
      break;
    case v1::Action::kBackfill:
      return RunBackfill(context, action.backfill());
    case v1::Action::kValidateConstraint:
      status = RunValidateConstraint(context, action.validate_constraint());
      break;
    case v1::Action::kTransformRows:
      return RunTransformRows(context, action.transform_rows());
    case v1::Action::kVerify:
      return RunVerify(context, action.verify());
    case v1::Action::kAnalyze:
      return RunAnalyze(context, action.analyze());
    case v1::Action::kWait:
      status = RunWait(context, action.wait());
      break;
    case v1::Action::kBackup:
      return RunBackup(context, action.backup());
    case v1::Action::kMeasure:
      return RunMeasure(context, action.measure());
    case v1::Action::KIND_NOT_SET:
      if (context.attempt.direction != v1::DIRECTION_UNDO) {
        return absl::InvalidArgumentError(
            "the step is of a kind that this agent does not know: run a newer agent");
      }
      status = JournalSuccess(context, 0);
      break;
  }
  RETURN_IF_ERROR(status);
  return StepResult();
}

// After a COMMIT that was not answered: what the step has to tell where the journal says that it took effect.
// Fails where that cannot be known now.
absl::StatusOr<std::optional<StepResult>> ReadOutcome(const RunContext& context) {
  ASSIGN_OR_RETURN(const auto connection, context.pool->Acquire());
  const absl::Time deadline = absl::Now() + kLostTransactionEnds;
  while (true) {
    ASSIGN_OR_RETURN(const auto transaction, pg::Transaction::Begin(connection.get()));
    // The lost transaction holds the lock, shared, until it has ended: before that the journal may change
    // yet.
    ASSIGN_OR_RETURN(const pg::Result ended,
                     transaction->Execute(absl::StrCat("SELECT pg_try_advisory_xact_lock(", kWorkLock, ")")));
    if (ended.Bool(0, 0)) break;
    if (absl::Now() >= deadline) return absl::UnavailableError("the transaction is still committing");
    RETURN_IF_ERROR(context.cancel->Pause(absl::Milliseconds(50)));
  }
  ASSIGN_OR_RETURN(const std::vector<StepRecord> records, ReadSteps(connection.get(), context.attempt.run));
  for (const StepRecord& record : records) {
    if (record.step == context.attempt.step && record.direction == context.attempt.direction &&
        record.succeeded) {
      StepResult result{.rows = record.rows};
      ASSIGN_OR_RETURN(result.backups,
                       ReadBackups(connection.get(), context.attempt.run, context.attempt.step));
      return std::optional<StepResult>(std::move(result));
    }
  }
  return std::optional<StepResult>();
}

Outcome FromFailure(const RunContext& context, const absl::Status& status) {
  return FromStatus(
      base::Annotate(status, absl::StrCat("target ", context.target, ", step ", context.attempt.step)),
      *context.cancel);
}

Outcome AfterLostCommit(const RunContext& context, const absl::Status& lost) {
  const absl::StatusOr<std::optional<StepResult>> result = ReadOutcome(context);
  if (result.ok() && result->has_value()) return Succeeded(**result);
  Outcome outcome = FromFailure(
      context, result.ok() ? absl::UnavailableError(
                                 "the connection broke while committing, and the work is not in the journal")
                           : lost);
  outcome.in_doubt = !result.ok();
  return outcome;
}

}  // namespace

Outcome RunStep(const RunContext& context, const v1::Action& action) {
  base::FaultPoint("step.before_execute");
  const absl::StatusOr<StepResult> result = Run(context, action);
  if (absl::IsDataLoss(result.status())) return AfterLostCommit(context, result.status());
  base::FaultPoint("step.after_commit");
  return result.ok() ? Succeeded(*result) : FromFailure(context, result.status());
}

v1::Action ActionFor(const v1::Step& step, v1::Direction direction) {
  return direction == v1::DIRECTION_UNDO && step.key() != kRollbackGate ? step.undo() : step.action();
}

std::vector<v1::TableLock> LocksFor(const v1::Step& step, v1::Direction direction) {
  std::vector<v1::TableLock> locks(step.locks().begin(), step.locks().end());
  if (direction == v1::DIRECTION_UNDO) {
    for (v1::TableLock& lock : locks) lock.set_mode("AccessExclusiveLock");
  }
  return locks;
}

}  // namespace curlew::agent
