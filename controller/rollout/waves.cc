#include "controller/rollout/waves.h"

#include <algorithm>
#include <limits>

#include "common/base/proto_time.h"
#include "controller/rollout/attempt.h"
#include "controller/rollout/availability.h"
#include "controller/rollout/gates.h"
#include "controller/rollout/run.h"

namespace curlew::rollout {
namespace {

// One wave of a stage that works.
class WaveWork {
 public:
  WaveWork(Draft& draft, StageScope& scope, StageScope::WaveScope& wave, Holds holds)
      : draft_(draft), scope_(scope), stage_(*scope.stage), runs_(wave), wave_(*wave.wave), holds_(holds) {}

  // Goes on as far as it can. `its_turn`: those before it are through.
  void Advance(bool its_turn) {
    LookAtGate(its_turn);
    its_turn_ = its_turn;
    // One before it has fallen back: what has begun goes on, and the rest waits.
    holds_.begin = holds_.begin || !its_turn;
    while (Step()) {
    }
  }

 private:
  bool IsDropping() const { return stage_.state() == v1::STAGE_STATE_DROPPING; }

  // Whether there is nothing that a gate could hold, or that could be watched.
  bool IsEmpty() const {
    return std::all_of(runs_.runs.begin(), runs_.runs.end(), [](const v1::Run* run) {
      return run->state() == v1::RUN_STATE_SKIPPED || run->state() == v1::RUN_STATE_FAILED;
    });
  }

  void LookAtGate(bool its_turn) {
    if (!wave_.has_before() || (!its_turn && !wave_.before().has_reached_time())) return;
    // Who was set aside works on when its wave is done.
    const bool done = wave_.state() == v1::WAVE_STATE_DONE &&
                      std::all_of(runs_.runs.begin(), runs_.runs.end(),
                                  [&](const v1::Run* run) { return IsThrough(stage_, wave_, *run); });
    if (done || IsEmpty()) return;
    const Verdict verdict = UpdateGate(draft_, {&stage_, &wave_}, *wave_.mutable_before());
    holds_.begin = holds_.begin || !verdict.open();
    holds_.step = holds_.step || !verdict.passable;
    holds_.drop = holds_.drop || !verdict.passable;
  }

  // Takes the wave one state further. Returns false where it has to wait.
  bool Step() {
    switch (wave_.state()) {
      case v1::WAVE_STATE_PENDING:
        Compile();
        if (holds_.begin && !(its_turn_ && IsEmpty())) return false;
        return Become(v1::WAVE_STATE_RUNNING);
      case v1::WAVE_STATE_RUNNING:
        Work();
        if (!IsPassed()) return false;
        return IsEmpty() ? Become(v1::WAVE_STATE_READY_TO_DROP) : Bake(v1::WAVE_STATE_BAKING);
      case v1::WAVE_STATE_BAKING:
        Work();
        return IsBaked() && Become(v1::WAVE_STATE_READY_TO_DROP);
      case v1::WAVE_STATE_READY_TO_DROP:
        Work();
        if (!IsDropping() || !its_turn_ || holds_.drop) return false;
        return Become(v1::WAVE_STATE_DROPPING);
      case v1::WAVE_STATE_DROPPING:
        Work();
        if (!IsPassed()) return false;
        return HasDrop() ? Bake(v1::WAVE_STATE_BAKING_DROP) : Become(v1::WAVE_STATE_DONE);
      case v1::WAVE_STATE_BAKING_DROP:
        Work();
        return IsBaked() && Become(v1::WAVE_STATE_DONE);
      case v1::WAVE_STATE_DONE:
        Work();
        return false;
      default:
        return false;
    }
  }

  bool Become(v1::WaveState state) {
    wave_.clear_bake_until();
    SetWaveState(draft_, stage_, wave_, state);
    return true;
  }

  bool Bake(v1::WaveState state) {
    SetWaveState(draft_, stage_, wave_, state);
    *wave_.mutable_bake_until() = base::ToProto(draft_.now + base::FromProto(wave_.bake()));
    return true;
  }

  bool IsBaked() const { return draft_.now >= base::FromProto(wave_.bake_until()); }

  // Those that are set aside prove nothing: where no other run has come through, the wave waits for them.
  bool IsPassed() const { return ArePassed(stage_, wave_, runs_.runs); }

  // In a plan of several stages, steps of other phases may come after it.
  bool HasDrop() const {
    return std::any_of(runs_.runs.begin(), runs_.runs.end(), [](const v1::Run* run) {
      return std::any_of(run->steps().begin(), run->steps().end(),
                         [](const v1::StepStatus& step) { return step.phase() == v1::PHASE_DROP; });
    });
  }

  static bool IsAtWork(const v1::Run& run) {
    if (run.state() == v1::RUN_STATE_COMPILING) return !run.compiled_digest().empty();
    return run.state() == v1::RUN_STATE_RUNNING || run.state() == v1::RUN_STATE_DROPPING;
  }

  bool IsHeld(const v1::Run& run) const {
    if (run.state() == v1::RUN_STATE_DROPPING) return holds_.drop;
    return IsBegun(run) ? holds_.step : holds_.begin;
  }

  // Those that were set aside, or held, and come late.
  void Compile() {
    for (v1::Run* run : runs_.runs) {
      StartCompilation(draft_, *run);
      AdvanceRun(draft_, *run, holds_);
      KeepClock(draft_, scope_, wave_, *run, /*held=*/false);
    }
    SetAside(draft_, scope_, runs_);
  }

  void Work() {
    for (v1::Run* run : runs_.runs) {
      StartCompilation(draft_, *run);
      GoBackToTheGate(*run);
      AdvanceRun(draft_, *run, holds_);
      KeepClock(draft_, scope_, wave_, *run, IsHeld(*run));
    }
    SetAside(draft_, scope_, runs_);
    int room = wave_.max_parallel() > 0 ? wave_.max_parallel() : std::numeric_limits<int>::max();
    for (const v1::Run* run : runs_.runs) {
      if (IsAtWork(*run) && !run->set_aside()) --room;
    }
    // One that has nothing to do before DROP may begin twice.
    for (bool any = true; any;) {
      any = false;
      for (v1::Run* run : runs_.runs) {
        if ((room <= 0 && !run->set_aside()) || !MayBegin(*run)) continue;
        any = true;
        Begin(*run);
        AdvanceRun(draft_, *run, holds_);
        KeepClock(draft_, scope_, wave_, *run, IsHeld(*run));
        if (IsAtWork(*run) && !run->set_aside()) --room;
      }
    }
    SetAside(draft_, scope_, runs_);
  }

  // What was compiled before a gate closed again is compiled once more when it opens.
  void GoBackToTheGate(v1::Run& run) {
    if (run.state() != v1::RUN_STATE_RUNNING || IsBegun(run) || !holds_.begin) return;
    DropQueued(run);
    SetRunState(draft_, run, v1::RUN_STATE_COMPILED);
  }

  bool MayBegin(v1::Run& run) const {
    if (run.state() == v1::RUN_STATE_COMPILED) {
      return !holds_.begin && run.held_by().empty() && run.epoch() > 0;
    }
    if (run.state() != v1::RUN_STATE_READY_TO_DROP || wave_.state() < v1::WAVE_STATE_DROPPING) return false;
    return its_turn_ && !holds_.drop && (run.epoch() > 0 || IsDone(run));
  }

  static bool IsDone(const v1::Run& run) {
    return std::all_of(run.steps().begin(), run.steps().end(),
                       [](const v1::StepStatus& step) { return step.state() == v1::STEP_STATE_SUCCEEDED; });
  }

  void Begin(v1::Run& run) {
    run.clear_waiting_since();
    if (run.state() == v1::RUN_STATE_READY_TO_DROP) {
      SetRunState(draft_, run, v1::RUN_STATE_DROPPING);
    } else if (draft_.compiled == run.target()) {
      SetRunState(draft_, run, v1::RUN_STATE_RUNNING);
    } else {
      QueueCompilation(run);
      SetRunState(draft_, run, v1::RUN_STATE_COMPILING);
    }
  }

  Draft& draft_;
  StageScope& scope_;
  v1::EnvironmentStage& stage_;
  StageScope::WaveScope& runs_;
  v1::Wave& wave_;
  Holds holds_;
  bool its_turn_ = false;
};

}  // namespace

bool AdvanceWaves(Draft& draft, StageScope& scope, const Holds& holds) {
  const bool dropping = scope.stage->state() == v1::STAGE_STATE_DROPPING;
  bool all = true;
  bool its_turn = true;
  for (StageScope::WaveScope& wave : scope.waves) {
    WaveWork(draft, scope, wave, holds).Advance(its_turn);
    const v1::WaveState through = dropping ? v1::WAVE_STATE_DONE : v1::WAVE_STATE_READY_TO_DROP;
    its_turn = its_turn && wave.wave->state() >= through;
    all = all && std::all_of(wave.runs.begin(), wave.runs.end(), [&](const v1::Run* run) {
            return !run->set_aside() && IsThrough(*scope.stage, *wave.wave, *run);
          });
  }
  return its_turn && all;
}

}  // namespace curlew::rollout
