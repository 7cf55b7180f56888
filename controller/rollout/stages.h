// The stages of a rollout, one after the other, and the waves within them. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_STAGES_H_
#define CURLEW_CONTROLLER_ROLLOUT_STAGES_H_

#include <vector>

#include "controller/rollout/draft.h"

namespace curlew::rollout {

// A stage with its runs: all, and by wave, in order. Valid while no run, stage or wave is added.
struct StageScope {
  struct WaveScope {
    v1::Wave* wave = nullptr;
    std::vector<v1::Run*> runs;
  };
  v1::EnvironmentStage* stage = nullptr;
  std::vector<v1::Run*> runs;
  std::vector<WaveScope> waves;
};
std::vector<StageScope> ScopesOf(v1::Rollout& rollout);

// Takes a RUNNING rollout as far forward as it can go now, stage by stage.
void AdvanceStages(Draft& draft);

// The run has work to do again (its database went back, or it failed and is taken up): its wave and stage
// fall back to where it can do it, as far as the gates that were passed allow: to RUNNING before the gate
// before DROP, to DROPPING after it. The run is given the state that fits, where it had begun.
void Reopen(Draft& draft, v1::Run& run);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_STAGES_H_
