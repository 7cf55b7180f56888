// An operator's decision to go on without a step that has failed, or without a target. Internal to
// controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_SKIP_H_
#define CURLEW_CONTROLLER_ROLLOUT_SKIP_H_

#include "absl/status/status.h"
#include "controller/rollout/draft.h"

namespace curlew::rollout {

// Errors as Advance. Where it succeeds the rollout is resumed; the steps' next attempts come with the
// operator's word as their override, and the agent journals them as done without running them.
absl::Status OnSkipAsked(Draft& draft, const SkipAsked& input);

// The target is left out. A rollout that has FAILED because of it is not resumed by that.
absl::Status OnTargetSkipped(Draft& draft, const TargetSkipped& input);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_SKIP_H_
