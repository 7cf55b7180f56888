// Targets that cannot be reached, or are late: set aside, so that the others go on. Internal to
// controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_AVAILABILITY_H_
#define CURLEW_CONTROLLER_ROLLOUT_AVAILABILITY_H_

#include <vector>

#include "controller/rollout/draft.h"
#include "controller/rollout/stages.h"

namespace curlew::rollout {

// Whether the run is through with what its wave, and its stage, have come to: compiled, at the gate before
// DROP, done; or is out of it (FAILED, SKIPPED).
bool IsThrough(const v1::EnvironmentStage& stage, const v1::Wave& wave, const v1::Run& run);

// Whether all of the wave's runs but those set aside are through; where some are set aside, at least one has
// to be, and not by failing: else nothing is proved.
bool ArePassed(const v1::EnvironmentStage& stage, const v1::Wave& wave, const std::vector<v1::Run*>& runs);

// The run's clock runs while it is at work in its half, or lacks its agent where it should be: sets, or
// clears, waiting_since. `held`: by a gate or a freeze, which is no fault of the target.
void KeepClock(Draft& draft, const StageScope& scope, const v1::Wave& wave, v1::Run& run, bool held);

// Sets aside runs of the wave whose clock has run longer than the environment's target_deadline, as many as
// max_unavailable allows; takes back into it those that have caught up.
void SetAside(Draft& draft, const StageScope& scope, const StageScope::WaveScope& wave);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_AVAILABILITY_H_
