// The life of attempts: how a step is brought to its end, one attempt after the other, and what agents say of
// them. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_ATTEMPT_H_
#define CURLEW_CONTROLLER_ROLLOUT_ATTEMPT_H_

#include "absl/strings/string_view.h"
#include "controller/rollout/draft.h"

namespace curlew::rollout {

// Whether the agent may be working on it: LEASED, RUNNING or UNKNOWN.
bool IsSent(const v1::Attempt& attempt);
// Whether it has not ended: QUEUED or sent.
bool IsLive(const v1::Attempt& attempt);
// Whether an attempt at the step was ever sent: something of it may be in the database.
bool IsTouched(const v1::StepStatus& step);
// The step whose attempt is live, the rollback gate included, or nullptr. A run has one at most.
v1::StepStatus* LiveStep(v1::Run& run);

// Does what comes next to bring the step to its end in `direction`: queues an attempt where none is live,
// sends it where an agent is there and its time has come. Nothing where it waits for the agent or has FAILED
// in this direction. No attempt in the other direction may be live.
void Work(Draft& draft, v1::Run& run, v1::StepStatus& step, v1::Direction direction);

// Stops the run's live attempt, if any: a queued one is dropped and its step PENDING again, a sent one is
// asked to stop; its end comes as AttemptEnded, or it is settled when the agent is back.
void Stop(Draft& draft, v1::Run& run, absl::string_view reason);
// The step got an override: its attempt that is queued is sent at once; one that runs is asked to stop (one
// that was only sent, when it begins), and another one follows where the rollout goes on.
void OnOverridden(Draft& draft, v1::Run& run, v1::StepStatus& step, absl::string_view reason);
// Drops the run's queued attempt, if any.
void DropQueued(v1::Run& run);
// Gives up on an UNKNOWN attempt that the agent, which is back, does not hold: its step is PENDING and in
// doubt.
void SettleUnknown(Draft& draft, v1::Run& run, v1::StepStatus& step);

// What agents say. Each changes nothing where it no longer fits.
void OnAcked(Draft& draft, v1::Run& run, const AttemptAcked& input);
void OnNacked(Draft& draft, v1::Run& run, const AttemptNacked& input);
void OnEnded(Draft& draft, v1::Run& run, const AttemptEnded& input);
void OnAgentLost(v1::Run& run);
void OnAgentReady(Draft& draft, v1::Run& run, const AgentReady& input);

// What goes for compilations, and for attempts whose policy is not given.
StepPolicy DefaultPolicy(const MachineOptions& options);
// The pause before the n-th further try, n from 1.
absl::Duration RetryPause(const StepPolicy& policy, int n);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_ATTEMPT_H_
