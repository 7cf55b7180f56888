// What follows where a run fails, or a health check does: the environment's policies. Internal to
// controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_FAILURE_H_
#define CURLEW_CONTROLLER_ROLLOUT_FAILURE_H_

#include "absl/strings/string_view.h"
#include "controller/rollout/draft.h"

namespace curlew::rollout {

// Who acts where a policy does.
inline constexpr char kPolicyActor[] = "policy";

// The run has failed for good. Where its wave may have that many failures, and others of it are left, or
// where failures stop nothing, the others go on; else what the environment's on_failure says is done. Nothing
// new begins in a rollout that has FAILED; attempts that run go on to their end.
void FailRun(Draft& draft, v1::Run& run, const v1::StepError& error);

// Rolls the stage's runs back, by policy. Returns false where that is not possible: nothing has changed.
bool RollBackByPolicy(Draft& draft, const v1::EnvironmentStage& stage, absl::string_view why);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_FAILURE_H_
