// The way back. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_ROLLBACK_H_
#define CURLEW_CONTROLLER_ROLLOUT_ROLLBACK_H_

#include "absl/status/status.h"
#include "controller/rollout/draft.h"

namespace curlew::rollout {

// The step by which the run has passed its point of no return, or nullptr: one that cannot be undone and that
// is done, that an agent may be doing, or whose outcome was never learnt.
const v1::StepStatus* PastNoReturn(const v1::Run& run);

// The gate that must hold before anything of the run is undone, where it does not hold yet; nullptr where
// there is none, or nothing to undo but preflight.
v1::StepStatus* GateAhead(v1::Run& run);

// Takes a rollout that is ROLLING_BACK as far as it can go now.
void AdvanceRollback(Draft& draft);

// Whether that can be rolled back: OK, or errors as Advance.
absl::Status CheckRollback(const v1::Rollout& rollout, const RollbackAsked& input);
// Errors as CheckRollback. Where an environment is named, only what was begun in it is undone: its other
// runs, and other environments, stay as they are, and nothing goes on in them.
absl::Status OnRollbackAsked(Draft& draft, const RollbackAsked& input);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_ROLLBACK_H_
