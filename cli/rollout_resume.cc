#include "cli/rollout_change.h"
#include "cli/verbs.h"

namespace curlew::cli {

void AddRolloutResume(CLI::App& group, Context& context) {
  AddChangeVerb(
      group, context,
      {"resume", "Go on with a rollout that was paused or has failed",
       "After a pause it goes on where it stopped; after a failure it tries the failed step again, and "
       "repeats nothing that was done.",
       "# Go on after a pause\n"
       "curlew rollout resume release-42\n"
       "# Try the failed step again, and follow\n"
       "curlew rollout resume release-42 --reason 'rows corrected' --watch"},
      &v1::RolloutService::Stub::ResumeRollout, Following::kToEnd);
}

}  // namespace curlew::cli
