#include "controller/rollout/operators.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/base/error_detail.h"
#include "controller/rollout/attempt.h"
#include "controller/rollout/names.h"
#include "controller/rollout/run.h"

namespace curlew::rollout {
namespace {

// What an operator can do in each state.
std::string WaysOn(const v1::Rollout& rollout) {
  const bool back = rollout.has_rollback_time();
  switch (rollout.state()) {
    case v1::ROLLOUT_STATE_RUNNING:
      return "it can be paused, aborted or rolled back";
    case v1::ROLLOUT_STATE_PAUSED:
      return "it can be resumed, aborted or rolled back";
    case v1::ROLLOUT_STATE_FAILED:
      return back ? "its rollback has begun; `rollback` tries again, `abort` leaves it as it is"
                  : "it can be resumed, aborted or rolled back";
    case v1::ROLLOUT_STATE_ROLLING_BACK:
      return "it can only be aborted until that is done";
    case v1::ROLLOUT_STATE_ABORTED:
      return "it can only be rolled back";
    case v1::ROLLOUT_STATE_ROLLED_BACK:
    case v1::ROLLOUT_STATE_SUCCEEDED:
      return "it has ended; start a new rollout";
    default:
      return "it has not been started";
  }
}

void StopAll(Draft& draft, absl::string_view reason) {
  for (v1::Run& run : *draft.state.mutable_runs()) Stop(draft, run, reason);
}

// Takes up a run that failed where it stood; nothing for others.
void TakeUp(Draft& draft, v1::Run& run) {
  if (run.state() != v1::RUN_STATE_FAILED) return;
  run.clear_error();
  if (run.compiled_digest().empty()) {
    SetRunState(draft, run, v1::RUN_STATE_COMPILING);
    return;
  }
  const bool dropping = StageOf(draft.state, run).state() == v1::STAGE_STATE_DROPPING;
  SetRunState(draft, run, dropping ? v1::RUN_STATE_DROPPING : v1::RUN_STATE_RUNNING);
}

}  // namespace

absl::Status UnknownTarget(const v1::Rollout& rollout, absl::string_view target) {
  const auto target_of = [](std::string* out, const v1::Run& run) { out->append(run.target()); };
  return absl::NotFoundError(absl::StrCat(BareName(rollout.name()), " has no target \"", target,
                                          "\"; its targets are ",
                                          absl::StrJoin(rollout.runs(), ", ", target_of)));
}

absl::Status Misfit(const v1::Rollout& rollout, absl::string_view asked) {
  return base::WithDetail(
      absl::FailedPreconditionError(absl::StrCat(BareName(rollout.name()), " cannot be ", asked, ": it is ",
                                                 Name(rollout.state()), "; ", WaysOn(rollout))),
      base::kReason, "ROLLOUT_STATE");
}

absl::Status OnPauseAsked(Draft& draft, const PauseAsked& input) {
  if (draft.state.state() != v1::ROLLOUT_STATE_RUNNING) return Misfit(draft.state, "paused");
  const std::string deed = Deed("paused", input.actor, input.reason);
  SetRolloutState(draft, v1::ROLLOUT_STATE_PAUSED, deed, input.actor);
  StopAll(draft, deed);
  return absl::OkStatus();
}

absl::Status OnResumeAsked(Draft& draft, const ResumeAsked& input) {
  v1::Rollout& rollout = draft.state;
  const bool stands =
      rollout.state() == v1::ROLLOUT_STATE_PAUSED || rollout.state() == v1::ROLLOUT_STATE_FAILED;
  if (!stands || rollout.has_rollback_time()) return Misfit(rollout, "resumed");
  AddEvent(draft, v1::EVENT_TYPE_ROLLOUT_STATE_CHANGED, Deed("resumed", input.actor, input.reason))
      .set_actor(input.actor);
  for (v1::Run& run : *rollout.mutable_runs()) {
    TakeUp(draft, run);
    if (run.state() == v1::RUN_STATE_COMPILING && run.compilation().state() != v1::ATTEMPT_STATE_LEASED) {
      QueueCompilation(run);
    }
    for (v1::StepStatus& step : *run.mutable_steps()) {
      step.set_errors(0);
      if (step.state() == v1::STEP_STATE_FAILED) step.set_state(v1::STEP_STATE_PENDING);
    }
  }
  rollout.set_state(v1::ROLLOUT_STATE_RUNNING);
  rollout.clear_reason();
  return absl::OkStatus();
}

absl::Status OnAbortAsked(Draft& draft, const AbortAsked& input) {
  if (Ended(draft.state)) return Misfit(draft.state, "aborted");
  const std::string deed = Deed("aborted", input.actor, input.reason);
  SetRolloutState(draft, v1::ROLLOUT_STATE_ABORTED, deed, input.actor);
  StopAll(draft, deed);
  return absl::OkStatus();
}

}  // namespace curlew::rollout
