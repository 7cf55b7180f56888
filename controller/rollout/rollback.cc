#include "controller/rollout/rollback.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "controller/rollout/attempt.h"
#include "controller/rollout/describe.h"
#include "controller/rollout/operators.h"

namespace curlew::rollout {
namespace {

// The run's way back begins, or is taken up where it failed or was aborted.
void TurnBack(Draft& draft, v1::Run& run, absl::string_view reason) {
  // An undo that is on its way goes on.
  const v1::StepStatus* live = LiveStep(run);
  if (live && live->attempt().direction() == v1::DIRECTION_DO) Stop(draft, run, reason);
  run.clear_error();
  run.clear_compilation();
  run.set_set_aside(false);
  run.clear_waiting_since();
  const auto take_up = [](v1::StepStatus& step) {
    if (step.attempt().direction() != v1::DIRECTION_UNDO) return;
    step.set_errors(0);
    if (step.state() == v1::STEP_STATE_FAILED) step.set_state(v1::STEP_STATE_PENDING);
  };
  for (v1::StepStatus& step : *run.mutable_steps()) take_up(step);
  if (run.has_rollback_gate()) take_up(*run.mutable_rollback_gate());
  SetRunState(draft, run, v1::RUN_STATE_ROLLING_BACK);
}

// The run stays as it is: what it is doing is stopped, nothing is undone.
void LeaveBehind(Draft& draft, v1::Run& run, const v1::StepStatus& past, absl::string_view reason) {
  Stop(draft, run, reason);
  if (v1::StepStatus* live = LiveStep(run);
      live && live->attempt().state() == v1::ATTEMPT_STATE_UNKNOWN && run.epoch() > 0) {
    SettleUnknown(draft, run, *live);
  }
  if (run.state() == v1::RUN_STATE_SUCCEEDED || run.state() == v1::RUN_STATE_FAILED) return;
  run.mutable_error()->set_message(
      absl::StrCat("the rollback came after its point of no return, step ", past.key()));
  run.mutable_error()->set_hint("look at the database and finish or restore by hand");
  SetRunState(draft, run, v1::RUN_STATE_FAILED);
}

std::string WhyNot(const v1::Run& run, const v1::StepStatus& past) {
  const bool done = past.state() == v1::STEP_STATE_SUCCEEDED;
  return absl::StrCat(run.target(), " (", past.key(), done ? " is done" : " may be done", ")");
}

absl::Status NothingToUndo(const v1::Rollout& rollout, const std::vector<std::string>& kept) {
  std::string message =
      absl::StrCat(BareName(rollout.name()),
                   " cannot be rolled back: every run that was begun is past its point of no return: ",
                   absl::StrJoin(kept, ", "));
  if (Active(rollout)) {
    absl::StrAppend(
        &message,
        "; `abort` ends it; where a step only may be done, `pause` first: if it turns out not to be, "
        "`rollback` is possible then");
  }
  return base::WithDetail(absl::FailedPreconditionError(message), base::kReason, "PAST_NO_RETURN");
}

// The run is not meant: what it is doing is stopped, and it stays as it is.
void LeaveAlone(Draft& draft, v1::Run& run, absl::string_view reason) {
  run.set_set_aside(false);
  run.clear_waiting_since();
  if (run.state() == v1::RUN_STATE_COMPILING) {
    run.clear_compilation();
    SetRunState(draft, run, run.compiled_digest().empty() ? v1::RUN_STATE_PENDING : v1::RUN_STATE_COMPILED);
  }
  if (LiveStep(run) == nullptr || LiveStep(run)->attempt().direction() != v1::DIRECTION_DO) return;
  Stop(draft, run, reason);
  // Nothing goes on here by itself, and nobody else would settle it.
  if (v1::StepStatus* live = LiveStep(run);
      live != nullptr && live->attempt().state() == v1::ATTEMPT_STATE_UNKNOWN && run.epoch() > 0) {
    SettleUnknown(draft, run, *live);
  }
}

bool IsMeant(const v1::Run& run, const RollbackAsked& input) {
  return run.state() != v1::RUN_STATE_ROLLED_BACK && run.state() != v1::RUN_STATE_SKIPPED &&
         (input.environment.empty() || run.environment() == input.environment);
}

bool HasEnvironment(const v1::Rollout& rollout, const std::string& environment) {
  return std::any_of(rollout.stages().begin(), rollout.stages().end(),
                     [&](const v1::EnvironmentStage& stage) { return stage.environment() == environment; });
}

std::string Environments(const v1::Rollout& rollout) {
  return absl::StrJoin(rollout.stages(), ", ", [](std::string* out, const v1::EnvironmentStage& stage) {
    absl::StrAppend(out, BareName(stage.environment()));
  });
}

// A rollback of one environment that has failed goes on as that, and undoes no other.
RollbackAsked TakenUp(const v1::Rollout& rollout, RollbackAsked asked) {
  if (asked.environment.empty() && rollout.has_rollback_time() &&
      rollout.state() == v1::ROLLOUT_STATE_FAILED) {
    asked.environment = EnvironmentThatGoesBack(rollout);
  }
  return asked;
}

// Takes one run back as far as it can go now.
void RetreatRun(Draft& draft, v1::Run& run) {
  if (v1::StepStatus* live = LiveStep(run); live && live->attempt().direction() == v1::DIRECTION_DO) {
    const bool known_lost = live->attempt().state() == v1::ATTEMPT_STATE_UNKNOWN && run.epoch() > 0;
    if (!known_lost) return;
    SettleUnknown(draft, run, *live);
  }
  if (v1::StepStatus* gate = GateAhead(run)) {
    Work(draft, run, *gate, v1::DIRECTION_UNDO);
    return;
  }
  for (int i = run.steps_size() - 1; i >= 0; --i) {
    v1::StepStatus& step = *run.mutable_steps(i);
    if (!IsTouched(step) || step.state() == v1::STEP_STATE_UNDONE) continue;
    if (step.has_undo()) {
      Work(draft, run, step, v1::DIRECTION_UNDO);
      return;
    }
    step.set_state(v1::STEP_STATE_UNDONE);
    *step.mutable_end_time() = base::ToProto(draft.now);
    AddEvent(draft, v1::EVENT_TYPE_STEP_UNDONE, run, step, "needs no undoing");
  }
  // The gate, where the database went back so far that nothing is left to undo.
  Stop(draft, run, "nothing is left to undo");
  SetRunState(draft, run, v1::RUN_STATE_ROLLED_BACK);
}

}  // namespace

const v1::StepStatus* PastNoReturn(const v1::Run& run) {
  for (const v1::StepStatus& step : run.steps()) {
    if (step.reversible()) continue;
    if (step.state() == v1::STEP_STATE_SUCCEEDED || step.in_doubt() || IsSent(step.attempt())) return &step;
  }
  return nullptr;
}

v1::StepStatus* GateAhead(v1::Run& run) {
  const bool changed = std::any_of(run.steps().begin(), run.steps().end(), [](const v1::StepStatus& step) {
    return IsTouched(step) && !step.preflight();
  });
  if (!changed || !run.has_rollback_gate()) return nullptr;
  v1::StepStatus* gate = run.mutable_rollback_gate();
  return gate->state() == v1::STEP_STATE_SUCCEEDED ? nullptr : gate;
}

void AdvanceRollback(Draft& draft) {
  bool done = true;
  for (v1::Run& run : *draft.state.mutable_runs()) {
    if (run.state() == v1::RUN_STATE_ROLLING_BACK) RetreatRun(draft, run);
    done = done && run.state() != v1::RUN_STATE_ROLLING_BACK;
  }
  if (done) SetRolloutState(draft, v1::ROLLOUT_STATE_ROLLED_BACK, draft.state.reason());
}

absl::Status CheckRollback(const v1::Rollout& rollout, const RollbackAsked& asked) {
  const RollbackAsked input = TakenUp(rollout, asked);
  if (rollout.state() == v1::ROLLOUT_STATE_ROLLING_BACK || rollout.state() == v1::ROLLOUT_STATE_SUCCEEDED) {
    return Misfit(rollout, "rolled back");
  }
  if (!input.environment.empty() && !HasEnvironment(rollout, input.environment)) {
    return absl::NotFoundError(absl::StrCat(BareName(rollout.name()), " does not pass an environment \"",
                                            BareName(input.environment), "\"; its environments are ",
                                            Environments(rollout)));
  }
  bool any_back = false;
  bool any_begun = false;  // of those that can go back
  std::vector<std::string> kept;
  for (const v1::Run& run : rollout.runs()) {
    if (!IsMeant(run, input)) continue;
    if (const v1::StepStatus* past = PastNoReturn(run)) {
      kept.push_back(WhyNot(run, *past));
      continue;
    }
    any_back = true;
    any_begun = any_begun || std::any_of(run.steps().begin(), run.steps().end(), IsTouched);
  }
  const bool was_rolled_back = rollout.state() == v1::ROLLOUT_STATE_ROLLED_BACK;
  if (!any_begun && kept.empty() && (!any_back || was_rolled_back)) return Misfit(rollout, "rolled back");
  // Without this a rollback would "succeed" that undoes nothing of what was done.
  if (!any_begun && !kept.empty()) return NothingToUndo(rollout, kept);
  return absl::OkStatus();
}

absl::Status OnRollbackAsked(Draft& draft, const RollbackAsked& asked) {
  v1::Rollout& rollout = draft.state;
  RETURN_IF_ERROR(CheckRollback(rollout, asked));
  const RollbackAsked input = TakenUp(rollout, asked);
  std::vector<std::string> kept;
  for (const v1::Run& run : rollout.runs()) {
    const v1::StepStatus* past = IsMeant(run, input) ? PastNoReturn(run) : nullptr;
    if (past != nullptr) kept.push_back(WhyNot(run, *past));
  }
  std::string deed(input.environment.empty() ? "rolled back" : "");
  if (deed.empty()) deed = absl::StrCat(BareName(input.environment), " rolled back");
  std::string reason = Deed(deed, input.actor, input.reason);
  if (!kept.empty()) {
    absl::StrAppend(&reason, "; past the point of no return: ", absl::StrJoin(kept, ", "));
  }
  *rollout.mutable_rollback_time() = base::ToProto(draft.now);
  SetRolloutState(draft, v1::ROLLOUT_STATE_ROLLING_BACK, reason, input.actor);
  for (v1::Run& run : *rollout.mutable_runs()) {
    if (!IsMeant(run, input)) {
      LeaveAlone(draft, run, reason);
    } else if (const v1::StepStatus* past = PastNoReturn(run)) {
      LeaveBehind(draft, run, *past, reason);
    } else if (!input.environment.empty() && !IsBegun(run)) {
      LeaveAlone(draft, run, reason);
    } else {
      TurnBack(draft, run, reason);
    }
  }
  return absl::OkStatus();
}

}  // namespace curlew::rollout
