// Rollouts that a version without waves has stored. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_UPGRADE_H_
#define CURLEW_CONTROLLER_ROLLOUT_UPGRADE_H_

#include "absl/strings/string_view.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::rollout {

// Gives each stage that has none a wave of all its targets, where the stage stands, and each gate its policy.
// Approvals that were given count on: they name no cover. Nothing for rollouts of this version.
void Upgrade(v1::Rollout& rollout);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_UPGRADE_H_
