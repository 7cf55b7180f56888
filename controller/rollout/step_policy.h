// How patient a rollout is with each kind of step: one table. docs/failure-handling.md shows it.
#ifndef CURLEW_CONTROLLER_ROLLOUT_STEP_POLICY_H_
#define CURLEW_CONTROLLER_ROLLOUT_STEP_POLICY_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::rollout {

// What the attempts at one kind of step may take.
struct StepPolicy {
  // How often a step that ERRORED is tried again before its run fails.
  int max_errored_attempts = 8;
  // The pause before the n-th of these tries is first_retry_pause * 2^(n-1), at most longest_retry_pause.
  absl::Duration first_retry_pause = absl::Seconds(1);
  absl::Duration longest_retry_pause = absl::Seconds(30);
  // How long one attempt may take before its agent stops it; infinite where the work is long by nature.
  absl::Duration deadline = absl::InfiniteDuration();
};

// A row of the table.
struct PolicyRow {
  absl::string_view name;  // for people
  StepPolicy policy;
  absl::string_view why;  // for people
};

// The whole table, in the order of Action's kinds, compilation last.
const std::vector<PolicyRow>& PolicyTable();

// The policy for an action; the deadline is never shorter than what the plan's settings let the agent try
// for. An action of no kind (a step of an unknown plan, an undo that does nothing) has the default policy.
StepPolicy PolicyFor(const v1::Action& action, const v1::PlanSettings& settings);

// Whether an operator may decide to go on without a step that does this once it has failed: nothing that
// comes later needs what it does. Only ANALYZE: it changes no answer to any query. Not an index or a
// validation (others may stand on it), not a check (it guards the DROP), not a wait (an override is for
// that).
bool MaySkip(const v1::Action& action);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_STEP_POLICY_H_
