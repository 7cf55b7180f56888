// The waves of one stage. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_WAVES_H_
#define CURLEW_CONTROLLER_ROLLOUT_WAVES_H_

#include "controller/rollout/draft.h"
#include "controller/rollout/run.h"
#include "controller/rollout/stages.h"

namespace curlew::rollout {

// Takes the waves of a stage that is RUNNING or DROPPING as far as they can go now, each after the one before
// it. Returns whether all of them, and all their runs, are through with this half.
bool AdvanceWaves(Draft& draft, StageScope& scope, const Holds& holds);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_WAVES_H_
