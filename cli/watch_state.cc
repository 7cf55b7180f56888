#include "cli/watch_state.h"

#include <algorithm>

namespace curlew::cli {
namespace {

// The attempt that a run works on; 0 where it works on none.
int ActiveAttempt(const v1::Run& run) {
  for (const v1::StepStatus& step : run.steps()) {
    if (step.state() == v1::STEP_STATE_ACTIVE) return step.attempt().number();
  }
  const v1::StepStatus& gate = run.rollback_gate();
  return gate.state() == v1::STEP_STATE_ACTIVE ? gate.attempt().number() : 0;
}

}  // namespace

WatchState::Applied WatchState::Apply(const v1::WatchRolloutResponse& message) {
  switch (message.kind_case()) {
    case v1::WatchRolloutResponse::kEvent: {
      const v1::Event& event = message.event();
      if (event.number() <= last_event_) return Applied::kRepeated;
      if (event.number() > last_event_ + 1) return Applied::kGap;
      last_event_ = event.number();
      if (event.type() == v1::EVENT_TYPE_STEP_SUCCEEDED || event.type() == v1::EVENT_TYPE_STEP_FAILED ||
          event.type() == v1::EVENT_TYPE_STEP_UNDONE) {
        progress_.erase(event.target());
      }
      return Applied::kNew;
    }
    case v1::WatchRolloutResponse::kProgress:
      progress_[message.progress().target()] = message.progress();
      return Applied::kNew;
    case v1::WatchRolloutResponse::kRollout:
      rollout_ = message.rollout();
      DropEndedProgress();
      return Applied::kNew;
    case v1::WatchRolloutResponse::KIND_NOT_SET:
      // A newer controller's kind of message.
      return Applied::kRepeated;
  }
  return Applied::kRepeated;
}

void WatchState::DropEndedProgress() {
  for (const v1::Run& run : rollout_.runs()) {
    const auto it = progress_.find(run.target());
    // Progress may be ahead of the rollout: only older attempts are dropped.
    if (it == progress_.end() || run.steps().empty()) continue;
    const int active = ActiveAttempt(run);
    if (active == 0 ? it->second.attempt() <= run.last_attempt() : it->second.attempt() < active) {
      progress_.erase(it);
    }
  }
}

std::optional<ExitCode> WatchState::Outcome(WatchGoal goal) const {
  if (!caught_up()) return std::nullopt;
  switch (rollout_.state()) {
    case v1::ROLLOUT_STATE_SUCCEEDED:
      return ExitCode::kOk;
    case v1::ROLLOUT_STATE_FAILED:
      return ExitCode::kRolloutFailed;
    case v1::ROLLOUT_STATE_ROLLED_BACK:
      return goal == WatchGoal::kUndone ? ExitCode::kOk : ExitCode::kRolloutUndone;
    case v1::ROLLOUT_STATE_ABORTED:
      return ExitCode::kRolloutAborted;
    case v1::ROLLOUT_STATE_PAUSED:
      if (goal == WatchGoal::kDecision) return ExitCode::kNeedsDecision;
      break;
    default:
      break;
  }
  if (goal == WatchGoal::kGate && WaitsForApproval()) return ExitCode::kOk;
  if (goal == WatchGoal::kDecision && WaitsForApproval()) return ExitCode::kNeedsDecision;
  return std::nullopt;
}

ExitCode WatchState::OutcomeAtTimeout() const {
  return rollout_.state() == v1::ROLLOUT_STATE_PAUSED || WaitsForApproval() ? ExitCode::kNeedsDecision
                                                                            : ExitCode::kWaitedTooLong;
}

bool WatchState::WaitsForApproval() const {
  return std::any_of(rollout_.waiting().begin(), rollout_.waiting().end(),
                     [](const v1::Waiting& waiting) { return waiting.cause() == v1::WAIT_CAUSE_APPROVAL; });
}

}  // namespace curlew::cli
