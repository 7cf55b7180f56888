#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/attempt/leaves.h"
#include "agent/backfill/engine.h"
#include "agent/backfill/transform_work.h"
#include "agent/executor/executors.h"
#include "agent/journal/range_journal.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// UNAVAILABLE unless the journal has every row of the table as done. A server that crashed may have lost the
// last batches, and nothing but the journal would tell.
absl::Status CheckIsDone(pg::Connection* connection, const RunContext& context, const std::string& table) {
  const StepAttempt& attempt = context.attempt;
  ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, ListLeaves(connection, table));
  ASSIGN_OR_RETURN(const std::vector<WalkedLeaf> walked,
                   ReadWalkedLeaves(connection, attempt.run, attempt.step));
  ASSIGN_OR_RETURN(const std::vector<WalkRange> open, ReadOpenRanges(connection, attempt.run, attempt.step));
  const auto done = [&](const Leaf& leaf) {
    return std::any_of(walked.begin(), walked.end(),
                       [&](const auto& known) { return known.leaf == leaf.oid && known.handed_out(); }) &&
           std::none_of(open.begin(), open.end(), [&](const auto& range) { return range.leaf == leaf.oid; });
  };
  if (std::all_of(leaves.begin(), leaves.end(), done)) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("by the journal not all rows of ", table,
                                             " are written: the server has lost batches in a crash, or a"
                                             " partition has come; the walk goes on from there"));
}

}  // namespace

absl::StatusOr<StepResult> RunTransformRows(const RunContext& context, const v1::TransformRows& action) {
  std::unique_ptr<TransformWork> work;
  {
    ASSIGN_OR_RETURN(const auto connection, context.pool->Acquire());
    ASSIGN_OR_RETURN(work, TransformWork::Make(connection.get(), action));
  }
  BackfillEngine engine(context, *work, {.walk = v1::WALK_KEY});
  ASSIGN_OR_RETURN(const BackfillEngine::Done done, engine.Run());
  ASSIGN_OR_RETURN(const auto connection, context.pool->Acquire());
  // Synchronous, and so the batches before it are durable too.
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(connection.get(), context.attempt.epoch, {}));
  RETURN_IF_ERROR(CheckIsDone(connection.get(), context, action.table()));
  RETURN_IF_ERROR(RecordSuccess(transaction, context.attempt, done.rows));
  base::FaultPoint("step.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  return StepResult{.rows = done.rows};
}

}  // namespace curlew::agent
