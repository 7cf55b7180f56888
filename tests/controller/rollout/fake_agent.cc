#include "tests/controller/rollout/fake_agent.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/controller/rollout/driver.h"

namespace curlew::rollout::testing {
namespace {

bool IsIrreversible(const v1::Step& step) {
  return step.phase() == v1::PHASE_DROP && !step.has_undo() && step.action().has_execute_sql();
}

}  // namespace

void FakeAgent::Restart() {
  if (running_ && !running_->stuck && random_.Percent(50)) Commit(running_->dispatch);
  running_.reset();
  newest_attempt_ = 0;
  unacknowledged_.clear();
  ++epoch_;
}

void FakeAgent::GoBack() {
  if (!past_.empty()) {
    const int steps = 1 + random_.Below(std::min<int>(6, static_cast<int>(past_.size())));
    database_ = past_[past_.size() - steps];
    past_.resize(past_.size() - steps);
  }
  running_.reset();
  newest_attempt_ = 0;
  unacknowledged_.clear();
  ++epoch_;
}

KnownJournal FakeAgent::Journal() const {
  KnownJournal known;
  for (const auto& [step, direction] : database_.journal) {
    (direction == v1::DIRECTION_UNDO ? known.undone : known.done).push_back(step);
  }
  return known;
}

std::vector<int> FakeAgent::Held() const {
  std::vector<int> held;
  for (const auto& [attempt, result] : unacknowledged_) held.push_back(attempt);
  if (running_) held.push_back(running_->dispatch.attempt);
  return held;
}

std::vector<Input> FakeAgent::OnDispatch(const DispatchAttempt& dispatch) {
  const AttemptAcked ack{target_, dispatch.attempt};
  AttemptNacked nack{.target = target_, .attempt = dispatch.attempt};
  if (dispatch.epoch != epoch_) {
    nack.message = "wrong epoch";
    return {nack};
  }
  if (running_ && running_->dispatch.attempt == dispatch.attempt) return {ack};
  if (database_.journal.contains({dispatch.step, dispatch.direction})) {
    return {ack, Result(dispatch.attempt, dispatch.step, v1::ATTEMPT_STATE_SUCCEEDED)};
  }
  // Delivered again though it has ended, or after a newer one: it must never begin again.
  if (dispatch.attempt < newest_attempt_ || unacknowledged_.contains(dispatch.attempt)) {
    nack.invalid = true;
    nack.message = "an old attempt";
    return {nack};
  }
  if (dispatch.attempt == newest_attempt_) return {};
  if (running_) {
    nack.message = "busy";
    return {nack};
  }
  if (!database_.has_plan && !dispatch.with_plan) {
    nack.need_plan = true;
    return {nack};
  }
  database_.has_plan = true;
  if (const std::optional<std::string> why = WhyInvalid(dispatch)) {
    complaints_.push_back(absl::StrCat(Describe(dispatch), ": ", *why));
    nack.invalid = true;
    nack.message = *why;
    return {nack};
  }
  newest_attempt_ = dispatch.attempt;
  running_ = Running{.dispatch = dispatch, .work_left = random_.Below(4)};
  running_->stuck = IsStuck(dispatch.step) && !dispatch.override_wait.has_value();
  return {ack};
}

std::optional<std::string> FakeAgent::WhyInvalid(const DispatchAttempt& dispatch) const {
  const bool undo = dispatch.direction == v1::DIRECTION_UNDO;
  bool found = dispatch.step == kRollbackGateKey;
  bool after = false;
  for (const v1::Step& step : plan_.steps()) {
    if (step.key() == dispatch.step) {
      found = after = true;
      continue;
    }
    if (!undo && !after && !database_.journal.contains({step.key(), v1::DIRECTION_DO})) {
      return step.key() + " is not done";
    }
    if (!undo && database_.journal.contains({step.key(), v1::DIRECTION_UNDO}))
      return step.key() + " is undone already";
    if (undo && after && step.has_undo() && database_.traces.contains(step.key()))
      return step.key() + " is not undone";
    if (undo && IsIrreversible(step) && database_.traces.contains(step.key()))
      return step.key() + " has no way back";
  }
  if (!found) return "unknown step";
  return std::nullopt;
}

bool FakeAgent::IsStuck(const std::string& key) const {
  if (key == kRollbackGateKey) return plan_.rollback_gate().title() == kStuck;
  return std::any_of(plan_.steps().begin(), plan_.steps().end(),
                     [&](const v1::Step& step) { return step.key() == key && step.title() == kStuck; });
}

void FakeAgent::OnCancel(int attempt) {
  if (running_ && running_->dispatch.attempt == attempt) running_->cancelled = true;
}

std::vector<Input> FakeAgent::Work(int bad_luck_percent) {
  if (!running_) return {};
  const DispatchAttempt dispatch = running_->dispatch;
  v1::AttemptState outcome = v1::ATTEMPT_STATE_SUCCEEDED;
  if (running_->cancelled && random_.Percent(80)) {
    outcome = v1::ATTEMPT_STATE_CANCELLED;
  } else if (random_.Percent(bad_luck_percent)) {
    outcome = random_.Percent(30) ? v1::ATTEMPT_STATE_FAILED : v1::ATTEMPT_STATE_ERRORED;
  } else if (running_->stuck || running_->work_left-- > 0) {
    return {};
  }
  running_.reset();
  if (outcome == v1::ATTEMPT_STATE_SUCCEEDED) {
    Commit(dispatch);
  } else if (dispatch.direction == v1::DIRECTION_DO && random_.Percent(50)) {
    // Batches, or an invalid index, stay. What has no way back is one transaction.
    for (const v1::Step& step : plan_.steps()) {
      if (step.key() == dispatch.step && !IsIrreversible(step)) database_.traces.insert(step.key());
    }
  }
  return {Result(dispatch.attempt, dispatch.step, outcome)};
}

void FakeAgent::Commit(const DispatchAttempt& dispatch) {
  past_.push_back(database_);
  database_.journal.insert({dispatch.step, dispatch.direction});
  if (dispatch.direction == v1::DIRECTION_DO) {
    database_.traces.insert(dispatch.step);
  } else {
    database_.traces.erase(dispatch.step);
  }
}

Input FakeAgent::Result(int attempt, const std::string& step, v1::AttemptState outcome) {
  AttemptEnded ended{.target = target_, .attempt = attempt, .outcome = outcome};
  ended.step = step;
  if (outcome != v1::ATTEMPT_STATE_SUCCEEDED) ended.error.set_message("bad luck");
  unacknowledged_[attempt] = ended;
  return ended;
}

std::vector<Input> FakeAgent::Unacknowledged() const {
  std::vector<Input> inputs;
  for (const auto& [attempt, result] : unacknowledged_) inputs.push_back(result);
  return inputs;
}

bool FakeAgent::IsDone() const {
  return std::all_of(plan_.steps().begin(), plan_.steps().end(), [&](const v1::Step& step) {
    return database_.journal.contains({step.key(), v1::DIRECTION_DO}) &&
           !database_.journal.contains({step.key(), v1::DIRECTION_UNDO});
  });
}

bool FakeAgent::IsClean() const {
  return std::none_of(plan_.steps().begin(), plan_.steps().end(), [&](const v1::Step& step) {
    return database_.traces.contains(step.key()) && (step.has_undo() || IsIrreversible(step));
  });
}

bool FakeAgent::IsPastNoReturn() const {
  return std::any_of(plan_.steps().begin(), plan_.steps().end(), [&](const v1::Step& step) {
    return IsIrreversible(step) && database_.traces.contains(step.key());
  });
}

}  // namespace curlew::rollout::testing
