// Gates, and the stages between them. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_GATES_H_
#define CURLEW_CONTROLLER_ROLLOUT_GATES_H_

#include "absl/status/status.h"
#include "controller/rollout/draft.h"

namespace curlew::rollout {

// Whether what the gate asks for is given, judged from what is stored, not from whether it opened once.
bool Holds(const v1::Gate& gate);
// The gate that the rollout has reached and that is closed, or nullptr. There is one at most.
v1::Gate* ClosedGate(v1::Rollout& rollout);

// Takes a RUNNING rollout as far forward as it can go now, stage by stage.
void AdvanceStages(Draft& draft);

// Errors as Advance.
absl::Status OnApproved(Draft& draft, const Approved& input);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_GATES_H_
