#include "agent/session/attempt.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "agent/executor/step_runner.h"
#include "common/base/log.h"

namespace curlew::agent {
namespace {

v1::Progress Identity(const v1::Dispatch& dispatch, const v1::Step& step) {
  v1::Progress identity;
  identity.set_target(dispatch.target());
  identity.set_step(dispatch.step());
  identity.set_attempt(dispatch.attempt());
  identity.set_phase(step.phase());
  return identity;
}

// As they stand in metrics.
std::string KindLabel(const v1::Action& action) {
  const auto* kind = v1::Action::descriptor()->FindFieldByNumber(action.kind_case());
  return kind == nullptr ? "nothing" : kind->name();
}

std::string OutcomeLabel(const Outcome& outcome) {
  if (outcome.fenced_out) return "fenced_out";
  if (outcome.in_doubt) return "in_doubt";
  return absl::AsciiStrToLower(absl::StripPrefix(v1::AttemptState_Name(outcome.state), "ATTEMPT_STATE_"));
}

}  // namespace

void AttemptProgress::Report(const v1::Progress& progress) {
  metrics_->AttemptWaits(identity_.target(), progress.waiting().cause());
  v1::AgentMessage message;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = absl::Now();
    const v1::WaitCause cause = progress.waiting().cause();
    if (cause == cause_ && now - sent_ < absl::Milliseconds(900)) return;
    if (cause == v1::WAIT_CAUSE_THROTTLE && now - sent_ < absl::Milliseconds(900)) return;
    sent_ = now;
    cause_ = cause;
  }
  *message.mutable_progress() = progress;
  message.mutable_progress()->MergeFrom(identity_);
  outbox_->Push(std::move(message));
}

RunningAttempt::RunningAttempt(v1::Dispatch dispatch, v1::Step step, RunContext context, Outbox* outbox,
                               std::function<void()> ended)
    : dispatch_(std::move(dispatch)),
      step_(std::move(step)),
      progress_(outbox, OrNobody(context.agent_metrics), Identity(dispatch_, step_)),
      context_(std::move(context)) {
  context_.cancel = &cancel_;
  context_.progress = &progress_;
  context_.tuning = &tuning_;
  tuning_.Set(dispatch_.tuning());
  thread_ = std::thread([this, ended = std::move(ended)] {
    AgentMetrics* const metrics = OrNobody(context_.agent_metrics);
    const v1::Action action = ActionFor(step_, dispatch_.direction());
    metrics->AttemptBegan(context_.target, KindLabel(action));
    Outcome outcome = RunStep(context_, action);
    metrics->AttemptEnded(context_.target, OutcomeLabel(outcome));
    {
      absl::MutexLock lock(&mutex_);
      outcome_ = std::move(outcome);
    }
    ended();
  });
}

RunningAttempt::~RunningAttempt() {
  // Again and again: a request that comes between two statements cancels neither.
  for (absl::Duration wait; !EndedWithin(wait); wait = absl::Milliseconds(200))
    Cancel("the agent gives the target up");
  thread_.join();
}

bool RunningAttempt::EndedWithin(absl::Duration wait) const {
  absl::MutexLock lock(&mutex_);
  const auto ended = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return outcome_.has_value(); };
  return mutex_.AwaitWithTimeout(absl::Condition(&ended), wait);
}

void RunningAttempt::Cancel(const std::string& reason) {
  if (!cancel_.cancelled()) {
    spdlog::info(base::WithFields("attempt is stopped", {{"target", dispatch_.target()},
                                                         {"run", dispatch_.run()},
                                                         {"step", dispatch_.step()},
                                                         {"attempt", absl::StrCat(dispatch_.attempt())},
                                                         {"reason", reason}}));
  }
  cancel_.Cancel(reason);
}

std::optional<Outcome> RunningAttempt::outcome() const {
  absl::MutexLock lock(&mutex_);
  return outcome_;
}

}  // namespace curlew::agent
