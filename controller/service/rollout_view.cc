#include "controller/service/rollout_view.h"

#include <string>

#include "controller/rollout/rollback.h"

namespace curlew::service {
namespace {

constexpr int kMostRunsInFull = 50;

}  // namespace

void ApplyView(v1::RolloutView view, v1::Rollout* rollout) {
  rollout->set_rollback_refusal(std::string(rollout::CheckRollback(*rollout, {}).message()));
  if (view == v1::ROLLOUT_VIEW_FULL) return;
  if (view == v1::ROLLOUT_VIEW_UNSPECIFIED && rollout->runs_size() <= kMostRunsInFull) return;
  for (v1::Run& run : *rollout->mutable_runs()) run.clear_steps();
}

void Shorten(v1::Rollout* rollout) {
  ApplyView(v1::ROLLOUT_VIEW_BASIC, rollout);
  for (v1::Run& run : *rollout->mutable_runs()) run.clear_preflight();
  for (v1::EnvironmentStage& stage : *rollout->mutable_stages()) {
    stage.clear_health();
    stage.mutable_before()->clear_checks();
    stage.mutable_before_drop()->clear_checks();
    for (v1::Wave& wave : *stage.mutable_waves()) wave.mutable_before()->clear_checks();
  }
}

}  // namespace curlew::service
