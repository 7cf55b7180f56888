#include "agent/backfill/engine.h"
#include "agent/backfill/transform_work.h"
#include "agent/executor/executors.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"

namespace curlew::agent {

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
  RETURN_IF_ERROR(RecordSuccess(transaction, context.attempt, done.rows));
  base::FaultPoint("step.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  return StepResult{.rows = done.rows};
}

}  // namespace curlew::agent
