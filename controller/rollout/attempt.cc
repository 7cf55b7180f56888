#include "controller/rollout/attempt.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/base/proto_time.h"
#include "controller/rollout/describe.h"
#include "controller/rollout/failure.h"
#include "controller/rollout/gates.h"
#include "controller/rollout/override.h"
#include "controller/rollout/reconcile.h"
#include "controller/rollout/tuning.h"

namespace curlew::rollout {
namespace {

bool IsGate(const v1::StepStatus& step) { return step.key() == kRollbackGateKey; }

// Whether the rollout wants the run's attempts in this direction to follow one another.
bool GoesOn(const v1::Rollout& rollout, const v1::Run& run, v1::Direction direction) {
  if (direction == v1::DIRECTION_UNDO) {
    return rollout.state() == v1::ROLLOUT_STATE_ROLLING_BACK && run.state() == v1::RUN_STATE_ROLLING_BACK;
  }
  return rollout.state() == v1::ROLLOUT_STATE_RUNNING &&
         (run.state() == v1::RUN_STATE_RUNNING || run.state() == v1::RUN_STATE_DROPPING);
}

// Whether an attempt in this direction that runs is to be stopped.
bool IsUnwanted(const v1::Rollout& rollout, const v1::Run& run, v1::Direction direction) {
  switch (rollout.state()) {
    case v1::ROLLOUT_STATE_RUNNING:
      return false;
    case v1::ROLLOUT_STATE_FAILED:
      return run.state() == v1::RUN_STATE_ROLLING_BACK && direction == v1::DIRECTION_DO;
    case v1::ROLLOUT_STATE_ROLLING_BACK:
      return !GoesOn(rollout, run, direction);
    default:
      return true;
  }
}

void Queue(v1::Run& run, v1::StepStatus& step, v1::Direction direction, absl::Time not_before,
           const v1::StepError& last_error = {}) {
  if (step.attempt().direction() != direction) {
    step.set_attempts(0);
    step.set_errors(0);
  } else if (step.attempt().number() != run.last_attempt()) {
    step.set_attempts(0);  // numbers were skipped: they belong to nobody
  }
  run.set_last_attempt(run.last_attempt() + 1);
  step.set_attempts(step.attempts() + 1);
  step.set_state(v1::STEP_STATE_ACTIVE);
  step.clear_end_time();
  v1::Attempt& attempt = *step.mutable_attempt();
  attempt.Clear();
  attempt.set_number(run.last_attempt());
  attempt.set_state(v1::ATTEMPT_STATE_QUEUED);
  attempt.set_direction(direction);
  if (not_before > absl::InfinitePast()) *attempt.mutable_not_before() = base::ToProto(not_before);
  if (!last_error.message().empty()) *attempt.mutable_error() = last_error;
}

void Send(Draft& draft, v1::Run& run, v1::StepStatus& step) {
  v1::Attempt& attempt = *step.mutable_attempt();
  attempt.set_state(v1::ATTEMPT_STATE_LEASED);
  attempt.set_epoch(run.epoch());
  attempt.clear_not_before();
  attempt.clear_error();
  attempt.set_with_override(step.has_override());
  if (!run.has_start_time()) {
    attempt.set_with_plan(true);
    *run.mutable_start_time() = base::ToProto(draft.now);
  }
  if (!step.has_start_time()) *step.mutable_start_time() = base::ToProto(draft.now);
  DispatchAttempt command{.target = run.target(),
                          .run = run.name(),
                          .step = step.key(),
                          .attempt = attempt.number(),
                          .direction = attempt.direction(),
                          .epoch = attempt.epoch(),
                          .compiled_digest = run.compiled_digest(),
                          .with_plan = attempt.with_plan()};
  if (step.has_override()) command.override_wait = step.override();
  if (run.has_tuning()) command.tuning = run.tuning();
  draft.commands.push_back(std::move(command));
}

void SendAgainLater(Draft& draft, v1::Run& run, v1::StepStatus& step, absl::string_view why) {
  v1::Attempt& attempt = *step.mutable_attempt();
  if (!GoesOn(draft.state, run, attempt.direction())) {
    attempt.set_state(v1::ATTEMPT_STATE_CANCELLED);
    step.set_state(v1::STEP_STATE_PENDING);
    return;
  }
  attempt.set_state(v1::ATTEMPT_STATE_QUEUED);
  *attempt.mutable_not_before() = base::ToProto(draft.now + draft.options.first_retry_pause);
  attempt.mutable_error()->set_message(std::string(why));
}

void MarkStarted(Draft& draft, const v1::Run& run, v1::StepStatus& step) {
  v1::Attempt& attempt = *step.mutable_attempt();
  if (attempt.has_start_time()) return;
  *attempt.mutable_start_time() = base::ToProto(draft.now);
  const bool undo = attempt.direction() == v1::DIRECTION_UNDO && !IsGate(step);
  AddEvent(draft, v1::EVENT_TYPE_STEP_STARTED, run, step,
           absl::StrCat(undo ? "is being undone" : "started", " (attempt ", attempt.number(),
                        "): ", step.title()));
}

void MarkRunning(Draft& draft, const v1::Run& run, v1::StepStatus& step) {
  MarkStarted(draft, run, step);
  step.mutable_attempt()->set_state(v1::ATTEMPT_STATE_RUNNING);
}

void MarkUnknown(v1::StepStatus& step) {
  step.mutable_attempt()->set_state(v1::ATTEMPT_STATE_UNKNOWN);
  step.set_in_doubt(true);
}

void Cancel(Draft& draft, const v1::Run& run, int attempt, absl::string_view reason) {
  draft.commands.push_back(CancelAttempt{
      .target = run.target(), .run = run.name(), .attempt = attempt, .reason = std::string(reason)});
}

// The steps of the run, the rollback gate last.
template <typename Visit>
void ForEachStep(v1::Run& run, const Visit& visit) {
  for (v1::StepStatus& step : *run.mutable_steps()) visit(step);
  if (run.has_rollback_gate()) visit(*run.mutable_rollback_gate());
}

// The step that the attempt was made at in the step's present direction, or nullptr. Between the first and
// the newest attempt at a step in one direction a run makes no other.
v1::StepStatus* StepOfAttempt(v1::Run& run, int number) {
  v1::StepStatus* found = nullptr;
  ForEachStep(run, [&](v1::StepStatus& step) {
    const int newest = step.attempt().number();
    if (number <= newest && number > newest - step.attempts()) found = &step;
  });
  return found;
}

void Succeed(Draft& draft, const v1::Run& run, v1::StepStatus& step, const AttemptEnded& input) {
  v1::Attempt& attempt = *step.mutable_attempt();
  if (attempt.number() == input.attempt) MarkStarted(draft, run, step);
  attempt.set_state(v1::ATTEMPT_STATE_SUCCEEDED);
  attempt.clear_not_before();
  attempt.clear_error();
  step.set_in_doubt(false);
  *step.mutable_end_time() = base::ToProto(draft.now);
  if (attempt.direction() == v1::DIRECTION_UNDO && !IsGate(step)) {
    step.set_state(v1::STEP_STATE_UNDONE);
    AddEvent(draft, v1::EVENT_TYPE_STEP_UNDONE, run, step, "undone").set_attempt(input.attempt);
    return;
  }
  step.set_state(v1::STEP_STATE_SUCCEEDED);
  step.set_rows(input.rows);
  if (!input.backups.empty()) step.mutable_backups()->Assign(input.backups.begin(), input.backups.end());
  std::string message = "succeeded";
  if (input.rows != 0) absl::StrAppend(&message, ", ", input.rows, " rows");
  // Who skipped a step, the agent says itself: it may have been done before.
  if (attempt.number() == input.attempt && attempt.with_override() && !step.skippable()) {
    absl::StrAppend(&message, step.waits() ? " without waiting, " : ", ", OverrideText(step.override()));
  }
  if (!input.summary.empty()) absl::StrAppend(&message, "; ", input.summary);
  AddEvent(draft, v1::EVENT_TYPE_STEP_SUCCEEDED, run, step, message).set_attempt(input.attempt);
  for (const v1::BackupResult& backup : input.backups) {
    AddEvent(draft, v1::EVENT_TYPE_BACKUP_MADE, run, step, BackupText(backup)).set_attempt(input.attempt);
  }
}

void Fail(Draft& draft, v1::Run& run, v1::StepStatus& step, v1::StepError error) {
  if (error.message().empty()) error.set_message("the agent gave no reason; see its log");
  v1::Attempt& attempt = *step.mutable_attempt();
  attempt.set_state(v1::ATTEMPT_STATE_FAILED);
  *attempt.mutable_error() = error;
  step.set_state(v1::STEP_STATE_FAILED);
  *step.mutable_end_time() = base::ToProto(draft.now);
  // It was said of the rows that were known then; these are others, or more.
  if (HasRowsQuarantined(step)) step.clear_override();
  const bool undo = attempt.direction() == v1::DIRECTION_UNDO;
  AddEvent(draft, v1::EVENT_TYPE_STEP_FAILED, run, step, absl::StrCat("failed: ", error.message()));
  // A step that is to be undone anyway may end as it likes.
  if (!undo && run.state() == v1::RUN_STATE_ROLLING_BACK) return;
  error.set_message(absl::StrCat(undo && !IsGate(step) ? "undo of " : "", step.key(), ": ", error.message()));
  // What the gate before DROP was opened for does not hold: that is to be judged by people again.
  // What was refused, and so never started, says nothing of that.
  if (!undo && step.phase() == v1::PHASE_DROP && step.preflight() && attempt.has_start_time()) {
    TakeBack(draft, *StageOf(draft.state, run).mutable_before_drop(),
             absl::StrCat(step.key(), " failed on ", run.target()));
  }
  FailRun(draft, run, error);
}

// The agent has refused an attempt, and no other was ever sent of this run: nothing of it is there. So it has
// not begun, and whoever resumes the rollout has it compiled anew.
void UnbeginWhereNothingWasTakenUp(v1::Run& run, v1::StepStatus& step) {
  if (run.state() != v1::RUN_STATE_RUNNING && run.state() != v1::RUN_STATE_DROPPING) return;
  const v1::Attempt& attempt = step.attempt();
  if (attempt.direction() != v1::DIRECTION_DO || attempt.has_start_time()) return;
  if (step.attempts() != 1 || step.in_doubt()) return;
  for (const v1::StepStatus& other : run.steps()) {
    if (other.key() != step.key() && IsTouched(other)) return;
  }
  if (IsTouched(run.rollback_gate())) return;
  step.clear_start_time();
  run.clear_start_time();
}

void Err(Draft& draft, v1::Run& run, v1::StepStatus& step, const AttemptEnded& input) {
  const v1::StepError& error = input.error;
  const StepPolicy policy = input.policy.value_or(DefaultPolicy(draft.options));
  step.set_errors(step.errors() + 1);
  if (step.errors() > policy.max_errored_attempts) {
    v1::StepError last = error;
    last.set_message(absl::StrCat("given up after ", step.errors(), " tries; the last: ", error.message()));
    Fail(draft, run, step, std::move(last));
    return;
  }
  v1::Attempt& attempt = *step.mutable_attempt();
  attempt.set_state(v1::ATTEMPT_STATE_ERRORED);
  *attempt.mutable_error() = error;
  step.set_state(v1::STEP_STATE_PENDING);
  AddEvent(draft, v1::EVENT_TYPE_STEP_FAILED, run, step,
           absl::StrCat("errored (", step.errors(), " of ", policy.max_errored_attempts + 1,
                        " tries): ", error.message()));
  if (GoesOn(draft.state, run, attempt.direction())) {
    Queue(run, step, attempt.direction(), draft.now + RetryPause(policy, step.errors()), error);
  }
}

void Cancelled(Draft& draft, v1::Run& run, v1::StepStatus& step) {
  v1::Attempt& attempt = *step.mutable_attempt();
  attempt.set_state(v1::ATTEMPT_STATE_CANCELLED);
  step.set_state(v1::STEP_STATE_PENDING);
  const bool overridden = LacksOverride(step);
  AddEvent(draft, v1::EVENT_TYPE_STEP_FAILED, run, step,
           overridden ? "stopped: it need not wait" : "stopped");
  if (!GoesOn(draft.state, run, attempt.direction())) return;
  v1::StepError why;
  why.set_message("the attempt before was stopped");
  // Resumed before it had stopped, or stopped unasked: not at once, lest the two chase each other. An
  // override stops each step once.
  const absl::Time not_before =
      overridden ? absl::InfinitePast() : draft.now + draft.options.first_retry_pause;
  Queue(run, step, attempt.direction(), not_before, why);
}

}  // namespace

bool IsSent(const v1::Attempt& attempt) {
  return attempt.state() == v1::ATTEMPT_STATE_LEASED || attempt.state() == v1::ATTEMPT_STATE_RUNNING ||
         attempt.state() == v1::ATTEMPT_STATE_UNKNOWN;
}

bool IsLive(const v1::Attempt& attempt) {
  return attempt.state() == v1::ATTEMPT_STATE_QUEUED || IsSent(attempt);
}

bool IsTouched(const v1::StepStatus& step) { return step.has_start_time(); }

v1::StepStatus* LiveStep(v1::Run& run) {
  v1::StepStatus* live = nullptr;
  ForEachStep(run, [&](v1::StepStatus& step) {
    if (IsLive(step.attempt())) live = &step;
  });
  return live;
}

void Work(Draft& draft, v1::Run& run, v1::StepStatus& step, v1::Direction direction) {
  v1::Attempt& attempt = *step.mutable_attempt();
  if (step.state() == v1::STEP_STATE_FAILED && attempt.direction() == direction) return;
  const bool lost = attempt.state() == v1::ATTEMPT_STATE_UNKNOWN && run.epoch() > 0;
  if (!IsLive(attempt) || lost) Queue(run, step, direction, absl::InfinitePast());
  if (attempt.state() == v1::ATTEMPT_STATE_QUEUED && run.epoch() > 0 &&
      (!attempt.has_not_before() || base::FromProto(attempt.not_before()) <= draft.now)) {
    Send(draft, run, step);
  }
}

void Stop(Draft& draft, v1::Run& run, absl::string_view reason) {
  DropQueued(run);
  if (const v1::StepStatus* step = LiveStep(run);
      step && step->attempt().state() != v1::ATTEMPT_STATE_UNKNOWN) {
    Cancel(draft, run, step->attempt().number(), reason);
  }
}

void OnOverridden(Draft& draft, v1::Run& run, v1::StepStatus& step, absl::string_view reason) {
  v1::Attempt& attempt = *step.mutable_attempt();
  if (attempt.state() == v1::ATTEMPT_STATE_QUEUED) attempt.clear_not_before();
  if (attempt.state() == v1::ATTEMPT_STATE_RUNNING) Cancel(draft, run, attempt.number(), reason);
}

void DropQueued(v1::Run& run) {
  v1::StepStatus* step = LiveStep(run);
  if (!step || step->attempt().state() != v1::ATTEMPT_STATE_QUEUED) return;
  step->mutable_attempt()->set_state(v1::ATTEMPT_STATE_CANCELLED);
  step->mutable_attempt()->clear_not_before();
  step->set_state(v1::STEP_STATE_PENDING);
}

void SettleUnknown(Draft& draft, v1::Run& run, v1::StepStatus& step) {
  v1::Attempt& attempt = *step.mutable_attempt();
  attempt.set_state(v1::ATTEMPT_STATE_ERRORED);
  attempt.mutable_error()->set_message(
      "the agent was lost with it; only the target's journal knows its outcome");
  step.set_state(v1::STEP_STATE_PENDING);
  AddEvent(draft, v1::EVENT_TYPE_STEP_FAILED, run, step, "was lost with its agent");
}

void OnAcked(Draft& draft, v1::Run& run, const AttemptAcked& input) {
  v1::StepStatus* step = LiveStep(run);
  if (!step || step->attempt().number() != input.attempt ||
      step->attempt().state() != v1::ATTEMPT_STATE_LEASED) {
    return;
  }
  MarkRunning(draft, run, *step);
  if (LacksOverride(*step)) Cancel(draft, run, input.attempt, OverrideText(step->override()));
}

void OnNacked(Draft& draft, v1::Run& run, const AttemptNacked& input) {
  v1::StepStatus* step = LiveStep(run);
  if (!step || step->attempt().number() != input.attempt ||
      step->attempt().state() != v1::ATTEMPT_STATE_LEASED) {
    return;
  }
  v1::Attempt& attempt = *step->mutable_attempt();
  if (input.invalid) {
    v1::StepError error;
    error.set_message(absl::StrCat("the agent refused it: ", input.message));
    UnbeginWhereNothingWasTakenUp(run, *step);
    Fail(draft, run, *step, std::move(error));
    return;
  }
  const bool plan_was_sent = attempt.with_plan();
  if (input.need_plan) attempt.set_with_plan(true);
  SendAgainLater(draft, run, *step, absl::StrCat("the agent refused it for now: ", input.message));
  if (input.need_plan && !plan_was_sent && attempt.state() == v1::ATTEMPT_STATE_QUEUED) {
    attempt.clear_not_before();
  }
}

void OnEnded(Draft& draft, v1::Run& run, const AttemptEnded& input) {
  v1::StepStatus* step = StepOfAttempt(run, input.attempt);
  if (!step || (!input.step.empty() && input.step != step->key())) return;
  if (input.outcome == v1::ATTEMPT_STATE_SUCCEEDED) {
    if (step->state() == v1::STEP_STATE_SUCCEEDED || step->state() == v1::STEP_STATE_UNDONE) return;
    Succeed(draft, run, *step, input);
    return;
  }
  if (step->attempt().number() != input.attempt || !IsLive(step->attempt())) return;
  MarkStarted(draft, run, *step);
  step->mutable_attempt()->clear_not_before();
  step->set_in_doubt(false);
  if (input.outcome == v1::ATTEMPT_STATE_FAILED) {
    Fail(draft, run, *step, input.error);
  } else if (input.outcome == v1::ATTEMPT_STATE_ERRORED) {
    Err(draft, run, *step, input);
  } else {
    Cancelled(draft, run, *step);
  }
}

void OnAgentLost(v1::Run& run) {
  run.set_epoch(0);
  if (run.compilation().state() == v1::ATTEMPT_STATE_LEASED) {
    run.mutable_compilation()->set_state(v1::ATTEMPT_STATE_QUEUED);
  }
  if (v1::StepStatus* step = LiveStep(run); step && IsSent(step->attempt())) MarkUnknown(*step);
}

void OnAgentReady(Draft& draft, v1::Run& run, const AgentReady& input) {
  Reconcile(draft, run, input);
  run.set_epoch(input.epoch);
  if (run.compilation().state() == v1::ATTEMPT_STATE_LEASED) {
    run.mutable_compilation()->set_state(v1::ATTEMPT_STATE_QUEUED);
  }
  v1::StepStatus* live = LiveStep(run);
  bool is_held = false;
  for (const int number : input.held) {
    run.set_last_attempt(std::max(run.last_attempt(), number));
    if (!live || live->attempt().number() != number) {
      Cancel(draft, run, number, "superseded");
      continue;
    }
    is_held = true;
    live->mutable_attempt()->set_epoch(input.epoch);
    live->mutable_attempt()->clear_not_before();
    MarkRunning(draft, run, *live);
    if (IsUnwanted(draft.state, run, live->attempt().direction())) {
      Cancel(draft, run, number, draft.state.reason());
    } else if (LacksOverride(*live)) {
      Cancel(draft, run, number, OverrideText(live->override()));
    } else {
      // It may have missed one.
      SendTuningOf(draft, run);
    }
  }
  if (!live || is_held || !IsSent(live->attempt())) return;
  MarkUnknown(*live);
  // Where nothing goes on by itself, nobody else would settle it.
  const bool left_alone =
      draft.state.state() == v1::ROLLOUT_STATE_ROLLING_BACK && run.state() != v1::RUN_STATE_ROLLING_BACK;
  if (Ended(draft.state) || left_alone || run.state() == v1::RUN_STATE_FAILED) {
    SettleUnknown(draft, run, *live);
  }
}

StepPolicy DefaultPolicy(const MachineOptions& options) {
  return {options.max_errored_attempts, options.first_retry_pause, options.longest_retry_pause};
}

absl::Duration RetryPause(const StepPolicy& policy, int n) {
  absl::Duration pause = policy.first_retry_pause;
  for (int i = 1; i < n && pause < policy.longest_retry_pause; ++i) pause *= 2;
  return std::min(pause, policy.longest_retry_pause);
}

}  // namespace curlew::rollout
