// Pause, resume, abort. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_OPERATORS_H_
#define CURLEW_CONTROLLER_ROLLOUT_OPERATORS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "controller/rollout/draft.h"

namespace curlew::rollout {

// Errors as Advance.
absl::Status OnPauseAsked(Draft& draft, const PauseAsked& input);
absl::Status OnResumeAsked(Draft& draft, const ResumeAsked& input);
// Pauses the rollout, which is RUNNING, for the reason that `deed` says.
void Pause(Draft& draft, const std::string& deed, const std::string& actor);
// Takes up a run that failed, where it stood: one that has not begun is compiled anew. Nothing for others.
void TakeUp(Draft& draft, v1::Run& run);
absl::Status OnAbortAsked(Draft& draft, const AbortAsked& input);

// "x has no target "y"; its targets are a, b".
absl::Status UnknownTarget(const v1::Rollout& rollout, absl::string_view target);

// "x is paused: <what would be right>", with the reason ROLLOUT_STATE.
absl::Status Misfit(const v1::Rollout& rollout, absl::string_view asked);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_OPERATORS_H_
