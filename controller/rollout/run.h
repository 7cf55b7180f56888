// One run: compiled, worked through step by step. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_RUN_H_
#define CURLEW_CONTROLLER_ROLLOUT_RUN_H_

#include "controller/rollout/draft.h"

namespace curlew::rollout {

// What keeps runs of a stage from going on.
struct Holds {
  bool begin = false;  // no run may begin
  bool step = false;   // no new attempt of what has begun
  bool drop = false;   // no new attempt in DROP
};

// Takes the run as far forward as it can go now: asks for its compilation, works on its next step up to the
// gate before DROP, in a run that is DROPPING to the end.
void AdvanceRun(Draft& draft, v1::Run& run, const Holds& holds);

// The step that the run has to do next: nullptr where all are done, or, in a run that is RUNNING, all before
// DROP.
v1::StepStatus* NextStep(v1::Run& run);

// The first compilation of a run that is PENDING, where no other rollout holds it.
void StartCompilation(Draft& draft, v1::Run& run);
// The run is to be compiled (again), with a fresh count of tries.
void QueueCompilation(v1::Run& run);
// What was compiled for a run that has not begun is forgotten. The fingerprint stays until another is known.
void ForgetCompiled(v1::Run& run);

void OnCompiled(Draft& draft, v1::Run& run, const Compiled& input);
void OnCompileFailed(Draft& draft, v1::Run& run, const CompileFailed& input);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_RUN_H_
