// What people say about gates. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_APPROVALS_H_
#define CURLEW_CONTROLLER_ROLLOUT_APPROVALS_H_

#include "absl/status/status.h"
#include "controller/rollout/draft.h"

namespace curlew::rollout {

// Errors as Advance. ABORTED where the approver has seen another cover than the gate's.
absl::Status OnApproved(Draft& draft, const Approved& input);
absl::Status OnGateSkipped(Draft& draft, const GateSkipped& input);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_APPROVALS_H_
