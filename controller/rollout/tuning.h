// What operators set for the walks of runs while they run. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_TUNING_H_
#define CURLEW_CONTROLLER_ROLLOUT_TUNING_H_

#include "absl/status/status.h"
#include "controller/rollout/draft.h"

namespace curlew::rollout {

// Errors as Advance.
absl::Status OnTuneAsked(Draft& draft, const TuneAsked& input);

// Tells the target's agent the run's tuning, where it has one: an empty one too, as that takes back what the
// agent may have been told before.
void SendTuningOf(Draft& draft, const v1::Run& run);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_TUNING_H_
