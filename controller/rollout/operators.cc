#include "controller/rollout/operators.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/base/error_detail.h"
#include "controller/rollout/attempt.h"
#include "controller/rollout/names.h"
#include "controller/rollout/run.h"
#include "controller/rollout/stages.h"

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

// Where a run failed before it had begun, the others of its stage that have not begun are compiled anew, too:
// it may be one of them that is other than it should be. What turns out to be the same is approved as before.
void CompareAnew(Draft& draft) {
  for (const v1::EnvironmentStage& stage : draft.state.stages()) {
    auto& runs = *draft.state.mutable_runs();
    const bool any_failed = std::any_of(runs.begin(), runs.end(), [&](const v1::Run& run) {
      return run.state() == v1::RUN_STATE_FAILED && !IsBegun(run) && run.environment() == stage.environment();
    });
    if (!any_failed) continue;
    for (v1::Run& run : runs) {
      if (run.state() != v1::RUN_STATE_COMPILED || run.environment() != stage.environment()) continue;
      ForgetCompiled(run);
      run.set_state(v1::RUN_STATE_PENDING);
      StartCompilation(draft, run);
    }
  }
}

// Gives each health check another chance.
void ForgetFailures(v1::Rollout& rollout) {
  for (v1::EnvironmentStage& stage : *rollout.mutable_stages()) {
    for (v1::CheckStatus& status : *stage.mutable_health()) status.clear_failures();
  }
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

void Pause(Draft& draft, const std::string& deed, const std::string& actor) {
  SetRolloutState(draft, v1::ROLLOUT_STATE_PAUSED, deed, actor);
  StopAll(draft, deed);
}

absl::Status OnPauseAsked(Draft& draft, const PauseAsked& input) {
  if (draft.state.state() != v1::ROLLOUT_STATE_RUNNING) return Misfit(draft.state, "paused");
  Pause(draft, Deed("paused", input.actor, input.reason), input.actor);
  return absl::OkStatus();
}

void TakeUp(Draft& draft, v1::Run& run) {
  if (run.state() != v1::RUN_STATE_FAILED) return;
  run.clear_error();
  if (!IsBegun(run)) {
    // Its schema may be another one by now, and must be approved as it is.
    ForgetCompiled(run);
    run.clear_end_time();
    run.set_state(v1::RUN_STATE_PENDING);
    Reopen(draft, run);
    StartCompilation(draft, run);
    return;
  }
  for (v1::StepStatus& step : *run.mutable_steps()) {
    step.set_errors(0);
    if (step.state() == v1::STEP_STATE_FAILED) step.set_state(v1::STEP_STATE_PENDING);
  }
  Reopen(draft, run);
}

absl::Status OnResumeAsked(Draft& draft, const ResumeAsked& input) {
  v1::Rollout& rollout = draft.state;
  const bool stands =
      rollout.state() == v1::ROLLOUT_STATE_PAUSED || rollout.state() == v1::ROLLOUT_STATE_FAILED;
  if (!stands || rollout.has_rollback_time()) return Misfit(rollout, "resumed");
  AddEvent(draft, v1::EVENT_TYPE_ROLLOUT_STATE_CHANGED, Deed("resumed", input.actor, input.reason))
      .set_actor(input.actor);
  ForgetFailures(rollout);
  const bool failed = rollout.state() == v1::ROLLOUT_STATE_FAILED;
  if (failed) CompareAnew(draft);
  for (v1::Run& run : *rollout.mutable_runs()) {
    // Those that an environment tolerates are not what a pause was for.
    if (failed) TakeUp(draft, run);
    run.clear_waiting_since();
    if (run.state() == v1::RUN_STATE_RUNNING && !IsBegun(run)) {
      SetRunState(draft, run, v1::RUN_STATE_COMPILED);  // that was some time ago: it is compiled once more
    }
    if (run.state() == v1::RUN_STATE_COMPILING && run.compilation().state() != v1::ATTEMPT_STATE_LEASED) {
      QueueCompilation(run);
    }
    for (v1::StepStatus& step : *run.mutable_steps()) step.set_errors(0);
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
