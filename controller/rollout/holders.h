// Rollouts that have to end before runs of this one may begin. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_HOLDERS_H_
#define CURLEW_CONTROLLER_ROLLOUT_HOLDERS_H_

#include "controller/rollout/draft.h"

namespace curlew::rollout {

// A run that has not begun and is held from now on forgets what it was compiled to: the other rollout will
// have changed its schema.
void OnHoldersChanged(Draft& draft, const HoldersChanged& input);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_HOLDERS_H_
