#include "controller/rollout/reconcile.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "controller/rollout/attempt.h"
#include "controller/rollout/conditions.h"
#include "controller/rollout/stages.h"

namespace curlew::rollout {
namespace {

using Keys = std::vector<std::string>;

bool Has(const std::vector<std::string>& keys, const std::string& key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool IsLost(const v1::StepStatus& step, const KnownJournal& journal) {
  return step.state() == v1::STEP_STATE_SUCCEEDED && !Has(journal.done, step.key());
}

// What has no undo is UNDONE without a word to the agent.
bool IsUndoLost(const v1::StepStatus& step, const KnownJournal& journal) {
  return step.state() == v1::STEP_STATE_UNDONE && step.has_undo() && !Has(journal.undone, step.key());
}

bool IsGoingBack(const v1::StepStatus& step) {
  return step.state() == v1::STEP_STATE_UNDONE || step.attempt().direction() == v1::DIRECTION_UNDO;
}

// The step is PENDING, as if no attempt at it had a result.
void Open(v1::StepStatus& step) {
  step.set_state(v1::STEP_STATE_PENDING);
  step.clear_end_time();
  step.clear_override();
  step.clear_rows();
  step.clear_errors();
  step.clear_attempts();
  step.clear_in_doubt();
  if (!step.has_attempt()) return;
  v1::Attempt& attempt = *step.mutable_attempt();
  attempt.set_state(v1::ATTEMPT_STATE_ERRORED);
  attempt.clear_not_before();
  attempt.mutable_error()->set_message("the target's journal does not have it");
}

// What is done, but lost, and what follows. Returns what is lost.
Keys OpenForward(v1::Run& run, const KnownJournal& journal) {
  Keys lost;
  for (v1::StepStatus& step : *run.mutable_steps()) {
    const bool follows = !lost.empty();
    if (IsLost(step, journal)) {
      lost.push_back(step.key());
    } else if (!follows || IsGoingBack(step)) {
      continue;
    }
    Open(step);
    // Nothing of it was begun before the first of these was done: whoever lost that has nothing of this.
    if (follows && !Has(journal.done, step.key())) step.clear_start_time();
  }
  return lost;
}

// What is undone, but is back, and what was undone after it. Returns what is back.
Keys OpenBackward(v1::Run& run, const KnownJournal& journal) {
  Keys back;
  for (int i = run.steps_size() - 1; i >= 0; --i) {
    v1::StepStatus& step = *run.mutable_steps(i);
    if (IsUndoLost(step, journal)) {
      back.push_back(step.key());
    } else if (back.empty() || !IsGoingBack(step)) {
      continue;
    }
    Open(step);
    // Not on its way back before its turn comes.
    step.mutable_attempt()->clear_direction();
    if (Has(journal.done, step.key())) step.set_state(v1::STEP_STATE_SUCCEEDED);
  }
  // Those who used the new shape may be back, too.
  if (!back.empty() && run.has_rollback_gate()) Open(*run.mutable_rollback_gate());
  return back;
}

// A plan may have thousands of steps.
constexpr size_t kMostKeys = 20;

std::string Told(const Keys& lost, const Keys& back) {
  std::vector<std::string> parts;
  if (!lost.empty()) parts.push_back(absl::StrCat("not done any more: ", Some(lost, kMostKeys)));
  if (!back.empty()) parts.push_back(absl::StrCat("not undone any more: ", Some(back, kMostKeys)));
  return absl::StrCat("its database went back (restored, or failed over to a standby that lagged); ",
                      absl::StrJoin(parts, "; "));
}

// Nothing runs by itself in what has ended: people are told, once.
void Warn(Draft& draft, v1::Run& run, const KnownJournal& journal) {
  Keys lost, back;
  for (const v1::StepStatus& step : run.steps()) {
    if (IsLost(step, journal)) lost.push_back(step.key());
    if (IsUndoLost(step, journal)) back.push_back(step.key());
  }
  if (lost.empty() && back.empty()) return;
  const std::string told = Told(lost, back);
  if (run.error().message() == told) return;
  run.mutable_error()->set_message(told);
  run.mutable_error()->set_hint(
      "the rollout has ended, so nothing is done about it: start it anew as another rollout, or restore a "
      "newer state of the database");
  AddEvent(draft, v1::EVENT_TYPE_TARGET_WENT_BACK, run, told);
}

// No success of theirs that the journal does not have will ever be.
void VoidOlder(v1::StepStatus& step, const AgentReady& input) {
  if (step.state() == v1::STEP_STATE_SUCCEEDED || step.state() == v1::STEP_STATE_UNDONE) return;
  const v1::Attempt& attempt = step.attempt();
  const bool undo = attempt.direction() == v1::DIRECTION_UNDO;
  if (Has(undo ? input.journal->undone : input.journal->done, step.key())) return;
  const bool counts = attempt.state() == v1::ATTEMPT_STATE_QUEUED ||
                      std::find(input.held.begin(), input.held.end(), attempt.number()) != input.held.end();
  step.set_attempts(std::min(step.attempts(), counts ? 1 : 0));
}

}  // namespace

void Reconcile(Draft& draft, v1::Run& run, const AgentReady& input) {
  if (!input.journal.has_value()) return;
  const KnownJournal& journal = *input.journal;
  if (draft.state.state() == v1::ROLLOUT_STATE_SUCCEEDED ||
      draft.state.state() == v1::ROLLOUT_STATE_ROLLED_BACK) {
    return Warn(draft, run, journal);
  }
  const Keys lost = OpenForward(run, journal);
  const Keys back = OpenBackward(run, journal);
  if (run.epoch() != input.epoch) {
    for (v1::StepStatus& step : *run.mutable_steps()) VoidOlder(step, input);
    if (run.has_rollback_gate()) VoidOlder(*run.mutable_rollback_gate(), input);
  }
  if (lost.empty() && back.empty()) return;
  AddEvent(draft, v1::EVENT_TYPE_TARGET_WENT_BACK, run, Told(lost, back));
  if (run.state() == v1::RUN_STATE_ROLLED_BACK) {
    if (!back.empty()) SetRunState(draft, run, v1::RUN_STATE_ROLLING_BACK);
  } else if (run.state() != v1::RUN_STATE_ROLLING_BACK) {
    if (run.state() != v1::RUN_STATE_FAILED) Reopen(draft, run);
  }
}

}  // namespace curlew::rollout
