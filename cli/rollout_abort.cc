#include "cli/rollout_change.h"
#include "cli/verbs.h"

namespace curlew::cli {

void AddRolloutAbort(CLI::App& group, Context& context) {
  AddChangeVerb(
      group, context,
      {"abort", "Stop a rollout for good",
       "Running attempts stop at their next batch. What was done stays in the databases until `curlew "
       "rollout rollback` undoes it.",
       "# Stop, then undo\n"
       "curlew rollout abort release-42 --reason 'wrong plan'\n"
       "curlew rollout rollback release-42 --watch"},
      &v1::RolloutService::Stub::AbortRollout, Following::kNever);
}

}  // namespace curlew::cli
