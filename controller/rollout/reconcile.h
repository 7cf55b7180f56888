// The target's journal outranks what was reported: a database that was restored, or failed over to a standby
// that lagged, has lost steps that the rollout counts as done. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_RECONCILE_H_
#define CURLEW_CONTROLLER_ROLLOUT_RECONCILE_H_

#include "controller/rollout/draft.h"

namespace curlew::rollout {

// Opens again what the journal does not have: steps that SUCCEEDED but are not done, with all that come after
// them, and steps that are UNDONE but whose undo is gone, with all that come before them. The run and its
// stage fall back with them, as far as the gates that were passed allow: to RUNNING before the gate before
// DROP, to DROPPING after it. In a rollout that is SUCCEEDED or ROLLED_BACK nothing is opened; the run's
// error says what is gone. Attempts at what is open again are void, and so are, under a new epoch, those that
// the agent does not hold at steps that the journal does not have: no result of theirs counts. To be called
// before the run has the new epoch. Nothing where the journal is not known.
void Reconcile(Draft& draft, v1::Run& run, const AgentReady& input);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_RECONCILE_H_
