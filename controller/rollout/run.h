// One run: compiled, worked through step by step, failed. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_RUN_H_
#define CURLEW_CONTROLLER_ROLLOUT_RUN_H_

#include "controller/rollout/draft.h"

namespace curlew::rollout {

// Takes the run as far forward as it can go now: asks for its compilation, works on its next step up to the
// gate before DROP, in a run that is DROPPING to the end.
void AdvanceRun(Draft& draft, v1::Run& run);

// The step that the run has to do next, in an environment that stands at `stage`: nullptr where all are done,
// or all before the gate that is still closed.
v1::StepStatus* NextStep(const v1::EnvironmentStage& stage, v1::Run& run);

void OnCompiled(Draft& draft, v1::Run& run, const Compiled& input);
void OnCompileFailed(Draft& draft, v1::Run& run, const CompileFailed& input);

// The run is to be compiled (again), with a fresh count of tries.
void QueueCompilation(v1::Run& run);

// The run has failed for good, and with it the rollout, where it is not stopped or ended already. Nothing new
// begins then; attempts that run go on to their end.
void FailRun(Draft& draft, v1::Run& run, const v1::StepError& error);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_RUN_H_
