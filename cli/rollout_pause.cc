#include "cli/rollout_change.h"
#include "cli/verbs.h"

namespace curlew::cli {

void AddRolloutPause(CLI::App& group, Context& context) {
  AddChangeVerb(
      group, context,
      {"pause", "Pause a rollout",
       "Running attempts stop at their next batch and nothing new begins. What was done stays, dual "
       "writes go on; `curlew rollout resume` goes on where it stopped.",
       "# Pause while an incident is looked into\n"
       "curlew rollout pause release-42 --reason 'incident 17'"},
      &v1::RolloutService::Stub::PauseRollout, Following::kNever);
}

}  // namespace curlew::cli
