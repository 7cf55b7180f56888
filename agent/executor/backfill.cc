#include "absl/strings/str_cat.h"
#include "agent/backfill/engine.h"
#include "agent/executor/executors.h"
#include "common/base/fault_point.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::agent {

absl::StatusOr<StepResult> RunBackfill(const RunContext& context, const v1::Backfill& action) {
  uint32_t oid = 0;
  {
    ASSIGN_OR_RETURN(const auto connection, context.pool->Acquire());
    ASSIGN_OR_RETURN(oid, TableOid(connection.get(), action.table()));
  }
  const DmlWork work(action, context.settings.backfill(), oid);
  BackfillEngine engine(context, work,
                        {.batch_target = action.has_batch_target() ? base::FromProto(action.batch_target())
                                                                   : absl::ZeroDuration()});
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
