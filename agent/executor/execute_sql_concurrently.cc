#include "absl/strings/str_cat.h"
#include "agent/executor/concurrent_index.h"
#include "agent/executor/concurrent_session.h"
#include "agent/executor/ddl.h"
#include "agent/executor/executors.h"
#include "agent/executor/partitioned_index.h"
#include "agent/executor/reindex.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

using Action = v1::ExecuteSqlConcurrently;

// Says in the journal that work begins. Refuses to build an index of a name that stands there, unless an
// earlier attempt may have made it.
absl::Status Intend(const RunContext& context, const Action& action) {
  ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(lease.get(), context.attempt.fence(), {}));
  ASSIGN_OR_RETURN(const bool intended_before, RecordIntent(transaction, context.attempt));
  if (action.effect() == Action::EFFECT_CREATES && context.attempt.direction != v1::DIRECTION_UNDO &&
      !intended_before) {
    // In the transaction: a refusal must not leave an intent, by which the next attempt, or the undo, would
    // take the index for ours.
    ASSIGN_OR_RETURN(const IndexState found, ReadIndexState(lease.get(), action.index(), action.table()));
    if (found != IndexState::kAbsent) return NotOurs(action.index());
  }
  base::FaultPoint("intent.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  base::FaultPoint("intent.after_commit");
  return absl::OkStatus();
}

// Whether the step was ever begun, so that there may be something to undo.
absl::StatusOr<bool> WasBegun(const RunContext& context) {
  ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
  ASSIGN_OR_RETURN(const std::vector<StepRecord> records, ReadSteps(lease.get(), context.attempt.run));
  for (const StepRecord& record : records) {
    if (record.step == context.attempt.step && record.direction == v1::DIRECTION_DO) return true;
  }
  return false;
}

absl::StatusOr<bool> IsPartitioned(pg::Connection* connection, const Action& action) {
  if (action.has_partitioned()) return true;
  ASSIGN_OR_RETURN(const pg::Result found,
                   connection->Execute("SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass($1)"
                                       " AND relkind = 'I')",
                                       {action.index()}));
  return found.Bool(0, 0);
}

absl::Status Work(ConcurrentSession& session, const Action& action) {
  switch (action.effect()) {
    case Action::EFFECT_CREATES:
      if (action.has_partitioned()) return BuildPartitionedIndex(session, action);
      return BuildIndex(session, action.index(), action.table(), action.statement());
    case Action::EFFECT_DROPS: {
      ASSIGN_OR_RETURN(const bool partitioned, IsPartitioned(session.connection(), action));
      if (partitioned) return DropPartitionedIndex(session, action);
      return DropIndex(session, action.index(), action.table(), action.statement());
    }
    case Action::EFFECT_REINDEXES:
      return Reindex(session, action);
    default:
      return absl::InvalidArgumentError(
          "the step has an effect that this agent does not know: run a newer agent");
  }
}

}  // namespace

absl::Status RunExecuteSqlConcurrently(const RunContext& context, const v1::ExecuteSqlConcurrently& action) {
  if (context.attempt.direction == v1::DIRECTION_UNDO) {
    ASSIGN_OR_RETURN(const bool begun, WasBegun(context));
    if (!begun) return JournalSuccess(context, 0);
  }
  RETURN_IF_ERROR(Intend(context, action));
  if (!context.lease->Valid()) {
    return absl::UnavailableError("the lease has run out: nothing is begun that cannot be fenced");
  }
  {
    ASSIGN_OR_RETURN(ConcurrentSession session, ConcurrentSession::Open(context));
    RETURN_IF_ERROR(Work(session, action));
  }
  return JournalSuccess(context, 0);
}

}  // namespace curlew::agent
