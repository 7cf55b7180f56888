#include "cli/rollout_change.h"
#include "cli/verbs.h"

namespace curlew::cli {

void AddRolloutRollback(CLI::App& group, Context& context) {
  AddChangeVerb(
      group, context,
      {"rollback", "Undo a rollout on every target that has not dropped anything",
       "First it waits until no session uses the new shape, then it undoes the steps in reverse, and "
       "each database has exactly the schema that it had. Targets past DROP stay as they are and are "
       "named. With --watch or --wait the status is 0 where everything was undone and 7 where an undo "
       "failed; the same command then tries again.",
       "# Undo, and follow\n"
       "curlew rollout rollback release-42 --reason 'numbers collide' --watch\n"
       "# For a script\n"
       "curlew rollout rollback release-42 --reason 'numbers collide' --wait"},
      &v1::RolloutService::Stub::RollbackRollout, Following::kToUndone);
}

}  // namespace curlew::cli
