#include <memory>

#include "agent/backfill/engine.h"
#include "agent/backfill/transform_work.h"
#include "agent/executor/executors.h"
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
  RETURN_IF_ERROR(JournalWalk(context, action.table(), done.rows, LooksAgain::kNo));
  return StepResult{.rows = done.rows};
}

}  // namespace curlew::agent
