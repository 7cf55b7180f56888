// How much of a rollout is shown.
#ifndef CURLEW_CONTROLLER_SERVICE_ROLLOUT_VIEW_H_
#define CURLEW_CONTROLLER_SERVICE_ROLLOUT_VIEW_H_

#include "curlew/v1/operator.pb.h"

namespace curlew::service {

// Takes out of `rollout` what `view` does not show: of thousands of targets, the steps alone are megabytes.
// Adds what only answers say: whether it could be rolled back.
void ApplyView(v1::RolloutView view, v1::Rollout* rollout);

// What stands in a list: BASIC, without what was found and measured. A list of fleets has to fit into a
// message.
void Shorten(v1::Rollout* rollout);

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_ROLLOUT_VIEW_H_
