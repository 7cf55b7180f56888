#include "controller/rollout/upgrade.h"

namespace curlew::rollout {
namespace {

constexpr char kOnlyWave[] = "all";

v1::WaveState WaveStateAt(v1::StageState stage) {
  switch (stage) {
    case v1::STAGE_STATE_RUNNING:
      return v1::WAVE_STATE_RUNNING;
    case v1::STAGE_STATE_AT_DROP_GATE:
      return v1::WAVE_STATE_READY_TO_DROP;
    case v1::STAGE_STATE_DROPPING:
      return v1::WAVE_STATE_DROPPING;
    case v1::STAGE_STATE_SOAKING:
    case v1::STAGE_STATE_DONE:
      return v1::WAVE_STATE_DONE;
    default:
      return v1::WAVE_STATE_PENDING;
  }
}

void UpgradeGate(v1::Gate& gate) {
  if (!gate.has_policy()) gate.mutable_policy()->set_approvals(gate.required_approvals());
}

}  // namespace

void Upgrade(v1::Rollout& rollout) {
  for (v1::EnvironmentStage& stage : *rollout.mutable_stages()) {
    if (!stage.waves().empty()) continue;
    UpgradeGate(*stage.mutable_before());
    UpgradeGate(*stage.mutable_before_drop());
    v1::Wave& wave = *stage.add_waves();
    wave.set_name(kOnlyWave);
    wave.set_state(WaveStateAt(stage.state()));
    for (v1::Run& run : *rollout.mutable_runs()) {
      if (run.environment() != stage.environment()) continue;
      run.set_wave(kOnlyWave);
      wave.add_targets(run.target());
    }
  }
}

}  // namespace curlew::rollout
