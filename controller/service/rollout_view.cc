#include "controller/service/rollout_view.h"

namespace curlew::service {
namespace {

constexpr int kMostRunsInFull = 50;

}  // namespace

void ApplyView(v1::RolloutView view, v1::Rollout* rollout) {
  if (view == v1::ROLLOUT_VIEW_FULL) return;
  if (view == v1::ROLLOUT_VIEW_UNSPECIFIED && rollout->runs_size() <= kMostRunsInFull) return;
  for (v1::Run& run : *rollout->mutable_runs()) run.clear_steps();
}

}  // namespace curlew::service
