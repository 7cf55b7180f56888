// Gates: reached, opened, closed again, taken back. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_GATES_H_
#define CURLEW_CONTROLLER_ROLLOUT_GATES_H_

#include <vector>

#include "absl/strings/string_view.h"
#include "controller/rollout/conditions.h"
#include "controller/rollout/draft.h"

namespace curlew::rollout {

// A gate of the rollout and where it stands.
struct PlacedGate {
  GatePlace place;
  v1::Gate* gate = nullptr;
};
// All gates, in the order in which they are passed.
std::vector<PlacedGate> Gates(v1::Rollout& rollout);
// The first gate that was reached and that lacks approvals, or a gate of null.
PlacedGate GateToApprove(v1::Rollout& rollout, absl::Time now);

// Whether the gate was reached, and something behind it is not done.
bool IsWanted(const GatePlace& place, const v1::Gate& gate);

// Arrives at the gate, or looks at it again: approvals of what it no longer covers, and those that have
// expired while it was closed, are void; it opens or closes. An approval that has opened it does not expire
// any more. Events tell all but that windows close it.
Verdict UpdateGate(Draft& draft, const GatePlace& place, v1::Gate& gate);

// The run has been compiled against another schema than before: gates that were reached cover that from now
// on, and approvals of what was there are void.
void OnSchemaChanged(Draft& draft, const v1::Run& run);

// The gate is closed: what was said of it, approvals, soak and an operator's word, is void.
void TakeBack(Draft& draft, v1::Gate& gate, absl::string_view why);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_GATES_H_
