#include "controller/rollout/availability.h"

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "controller/rollout/attempt.h"

namespace curlew::rollout {
namespace {

bool IsAtWork(const v1::Run& run) {
  return run.state() == v1::RUN_STATE_COMPILING || run.state() == v1::RUN_STATE_RUNNING ||
         run.state() == v1::RUN_STATE_DROPPING;
}

bool Counts(v1::Run& run, bool held) {
  if (!run.held_by().empty()) return false;
  if (!IsAtWork(run)) return run.epoch() == 0;
  return !held || run.epoch() == 0 || LiveStep(run) != nullptr;
}

}  // namespace

bool IsThrough(const v1::EnvironmentStage& stage, const v1::Wave& wave, const v1::Run& run) {
  switch (run.state()) {
    case v1::RUN_STATE_SUCCEEDED:
    case v1::RUN_STATE_FAILED:
    case v1::RUN_STATE_SKIPPED:
    case v1::RUN_STATE_ROLLED_BACK:
      return true;
    case v1::RUN_STATE_COMPILED:
      return stage.state() == v1::STAGE_STATE_PREPARING || wave.state() == v1::WAVE_STATE_PENDING;
    case v1::RUN_STATE_READY_TO_DROP:
      return wave.state() < v1::WAVE_STATE_DROPPING;
    default:
      return false;
  }
}

void KeepClock(Draft& draft, const StageScope& scope, const v1::Wave& wave, v1::Run& run, bool held) {
  if (IsThrough(*scope.stage, wave, run) || !Counts(run, held)) {
    run.clear_waiting_since();
  } else if (!run.has_waiting_since()) {
    *run.mutable_waiting_since() = base::ToProto(draft.now);
  }
}

bool ArePassed(const v1::EnvironmentStage& stage, const v1::Wave& wave, const std::vector<v1::Run*>& runs) {
  bool proved = false, aside = false;
  for (const v1::Run* run : runs) {
    if (run->set_aside()) {
      aside = true;
      continue;
    }
    if (!IsThrough(stage, wave, *run)) return false;
    proved = proved || (run->state() != v1::RUN_STATE_FAILED && run->state() != v1::RUN_STATE_SKIPPED);
  }
  return proved || !aside;
}

void SetAside(Draft& draft, const StageScope& scope, const StageScope::WaveScope& wave) {
  const v1::Environment& policy = scope.stage->policy();
  const absl::Duration deadline = base::FromProto(policy.target_deadline());
  int aside = 0;
  for (v1::Run* run : wave.runs) {
    if (!run->set_aside()) continue;
    if (!IsThrough(*scope.stage, *wave.wave, *run)) {
      ++aside;
      continue;
    }
    run->set_set_aside(false);
    draft.look_again = true;
    const bool out = run->state() == v1::RUN_STATE_FAILED || run->state() == v1::RUN_STATE_SKIPPED;
    if (!out) AddEvent(draft, v1::EVENT_TYPE_RUN_RETURNED, *run, "has caught up with its wave");
  }
  if (deadline <= absl::ZeroDuration()) return;
  for (v1::Run* run : wave.runs) {
    if (aside >= policy.max_unavailable()) return;
    if (run->set_aside() || !run->has_waiting_since()) continue;
    if (draft.now < base::FromProto(run->waiting_since()) + deadline) continue;
    run->set_set_aside(true);
    draft.look_again = true;
    ++aside;
    AddEvent(draft, v1::EVENT_TYPE_RUN_SET_ASIDE, *run,
             absl::StrCat("is set aside, as it ",
                          run->epoch() == 0 ? "cannot be reached" : "is not done with its work", " after ",
                          absl::FormatDuration(deadline), "; its wave passes without it"));
  }
}

}  // namespace curlew::rollout
