// Checks of gates and health checks: what they say, and what follows. Internal to controller/rollout;
// DueChecks and NextCheckTime of machine.h stand in checks_due.cc.
#ifndef CURLEW_CONTROLLER_ROLLOUT_CHECKS_H_
#define CURLEW_CONTROLLER_ROLLOUT_CHECKS_H_

#include <string>

#include "absl/status/status.h"
#include "controller/rollout/draft.h"

namespace curlew::rollout {

// Whether runs of the stage work, or a wave of it bakes: when its health is looked at.
bool IsAtWork(const v1::Rollout& rollout, const v1::EnvironmentStage& stage);
// The same of one wave.
bool IsAtWork(const v1::Wave& wave);
// "staging/health".
std::string HealthPlace(const v1::EnvironmentStage& stage);

// Errors as Advance.
absl::Status OnCheckReported(Draft& draft, const CheckReported& input);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_CHECKS_H_
