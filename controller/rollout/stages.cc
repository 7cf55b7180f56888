#include "controller/rollout/stages.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "controller/rollout/availability.h"
#include "controller/rollout/describe.h"
#include "controller/rollout/gates.h"
#include "controller/rollout/run.h"
#include "controller/rollout/waves.h"

namespace curlew::rollout {
namespace {

// Compiles the stage's runs. Returns whether all are ready for the gate.
bool Prepare(Draft& draft, StageScope& scope) {
  for (v1::Run* run : scope.runs) {
    StartCompilation(draft, *run);
    AdvanceRun(draft, *run, {});
  }
  bool ready = true;
  for (StageScope::WaveScope& wave : scope.waves) {
    for (v1::Run* run : wave.runs) KeepClock(draft, scope, *wave.wave, *run, /*held=*/false);
    SetAside(draft, scope, wave);
    for (const v1::Run* run : wave.runs) {
      ready = ready && (run->set_aside() || IsThrough(*scope.stage, *wave.wave, *run));
    }
  }
  return ready;
}

bool Work(Draft& draft, StageScope& scope) {
  v1::EnvironmentStage& stage = *scope.stage;
  const bool frozen = FrozenBy(stage, draft.now).has_value();
  const Verdict before = UpdateGate(draft, {&stage, nullptr}, *stage.mutable_before());
  Holds holds{.begin = frozen || !before.open(), .step = frozen || !before.passable};
  holds.drop = holds.step;
  if (stage.state() == v1::STAGE_STATE_DROPPING) {
    // Looked at again before every step: what is stored decides, not that it once was open.
    holds.drop |= !UpdateGate(draft, {&stage, nullptr}, *stage.mutable_before_drop()).open();
  }
  return AdvanceWaves(draft, scope, holds);
}

// Takes the stage one state further. `its_turn`: those before it are done. Returns false where it has to
// wait.
bool AdvanceStage(Draft& draft, StageScope& scope, bool its_turn) {
  v1::EnvironmentStage& stage = *scope.stage;
  switch (stage.state()) {
    case v1::STAGE_STATE_PENDING:
      if (!its_turn) return false;
      SetStageState(draft, stage, v1::STAGE_STATE_PREPARING);
      return true;
    case v1::STAGE_STATE_PREPARING:
      if (!Prepare(draft, scope) || !its_turn) return false;
      if (!UpdateGate(draft, {&stage, nullptr}, *stage.mutable_before()).open()) return false;
      SetStageState(draft, stage, v1::STAGE_STATE_RUNNING);
      return true;
    case v1::STAGE_STATE_RUNNING:
      if (!Work(draft, scope)) return false;
      SetStageState(draft, stage, v1::STAGE_STATE_AT_DROP_GATE);
      return true;
    case v1::STAGE_STATE_AT_DROP_GATE:
      if (!UpdateGate(draft, {&stage, nullptr}, *stage.mutable_before_drop()).open()) return false;
      SetStageState(draft, stage, v1::STAGE_STATE_DROPPING);
      return true;
    case v1::STAGE_STATE_DROPPING:
      if (!Work(draft, scope)) return false;
      *stage.mutable_soak_until() = base::ToProto(draft.now + base::FromProto(stage.soak()));
      SetStageState(draft, stage, v1::STAGE_STATE_SOAKING);
      return true;
    case v1::STAGE_STATE_SOAKING:
      if (draft.now < base::FromProto(stage.soak_until())) return false;
      SetStageState(draft, stage, v1::STAGE_STATE_DONE);
      return true;
    default:
      return false;
  }
}

void Finish(Draft& draft) {
  const auto& runs = draft.state.runs();
  const auto failed = std::count_if(runs.begin(), runs.end(),
                                    [](const v1::Run& run) { return run.state() == v1::RUN_STATE_FAILED; });
  if (failed == 0) return SetRolloutState(draft, v1::ROLLOUT_STATE_SUCCEEDED, "");
  SetRolloutState(draft, v1::ROLLOUT_STATE_FAILED,
                  absl::StrCat("all else is done; ", failed, failed == 1 ? " target" : " targets",
                               " failed: ", DescribeFailure(draft.state)));
}

}  // namespace

std::vector<StageScope> ScopesOf(v1::Rollout& rollout) {
  std::vector<StageScope> scopes(rollout.stages_size());
  for (int i = 0; i < rollout.stages_size(); ++i) {
    v1::EnvironmentStage& stage = *rollout.mutable_stages(i);
    scopes[i].stage = &stage;
    for (v1::Wave& wave : *stage.mutable_waves()) scopes[i].waves.push_back({&wave, {}});
  }
  // Runs stand in the order of stages; environments and waves are few.
  size_t at = 0;
  for (v1::Run& run : *rollout.mutable_runs()) {
    for (size_t tries = 0; tries < scopes.size() && scopes[at].stage->environment() != run.environment();
         ++tries) {
      at = (at + 1) % scopes.size();
    }
    scopes[at].runs.push_back(&run);
    for (StageScope::WaveScope& wave : scopes[at].waves) {
      if (wave.wave->name() == run.wave()) wave.runs.push_back(&run);
    }
  }
  return scopes;
}

void AdvanceStages(Draft& draft) {
  bool done = true;
  for (StageScope& scope : ScopesOf(draft.state)) {
    // One that has begun goes on, also where a database of an earlier one went back.
    while (AdvanceStage(draft, scope, done)) {
    }
    done = done && scope.stage->state() == v1::STAGE_STATE_DONE;
  }
  if (done) Finish(draft);
}

void Reopen(Draft& draft, v1::Run& run) {
  v1::EnvironmentStage& stage = StageOf(draft.state, run);
  v1::Wave& wave = WaveOf(stage, run);
  switch (stage.state()) {
    case v1::STAGE_STATE_RUNNING:
    case v1::STAGE_STATE_AT_DROP_GATE:
      if (!stage.before_drop().has_open_time()) stage.mutable_before_drop()->clear_reached_time();
      SetStageState(draft, stage, v1::STAGE_STATE_RUNNING);
      break;
    case v1::STAGE_STATE_DROPPING:
    case v1::STAGE_STATE_SOAKING:
    case v1::STAGE_STATE_DONE:
      stage.clear_soak_until();
      SetStageState(draft, stage, v1::STAGE_STATE_DROPPING);
      break;
    default:
      return;
  }
  wave.clear_bake_until();
  const bool dropping = wave.state() >= v1::WAVE_STATE_DROPPING;
  if (wave.state() != v1::WAVE_STATE_PENDING) {
    SetWaveState(draft, stage, wave, dropping ? v1::WAVE_STATE_DROPPING : v1::WAVE_STATE_RUNNING);
  }
  if (IsBegun(run)) {
    SetRunState(draft, run, dropping ? v1::RUN_STATE_DROPPING : v1::RUN_STATE_RUNNING);
  }
  if (stage.state() != v1::STAGE_STATE_DROPPING) return;
  // Those that have not begun wait until this one is done again.
  for (v1::EnvironmentStage& later : *draft.state.mutable_stages()) {
    const bool waits = later.state() == v1::STAGE_STATE_PENDING || later.state() == v1::STAGE_STATE_PREPARING;
    if (waits && !later.before().has_open_time()) later.mutable_before()->clear_reached_time();
  }
}

}  // namespace curlew::rollout
