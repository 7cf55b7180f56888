// Runs one step, of whatever kind.
#ifndef CURLEW_AGENT_EXECUTOR_STEP_RUNNER_H_
#define CURLEW_AGENT_EXECUTOR_STEP_RUNNER_H_

#include "agent/attempt/run_context.h"
#include "agent/executor/outcome.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// Does `action` as the attempt that `context` names, and journals it. Where a COMMIT broke half-way the
// journal is asked whether it happened. Blocks until the attempt has ended; stops early where context.cancel
// says so.
Outcome RunStep(const RunContext& context, const v1::Action& action);

// What to run for a step in a direction: its action, its undo (an action of no kind where nothing needs to be
// undone), or, for the rollback gate, its action in either direction.
v1::Action ActionFor(const v1::Step& step, v1::Direction direction);

// The locks that this takes: those of the step; an undo takes the strongest lock on the same tables.
std::vector<v1::TableLock> LocksFor(const v1::Step& step, v1::Direction direction);

// Key of the step that CompiledPlan.rollback_gate is dispatched as.
inline constexpr char kRollbackGate[] = "rollback-gate";

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_STEP_RUNNER_H_
