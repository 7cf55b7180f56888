#include "tests/simulation/controller.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "controller/rollout/same_state.h"

namespace curlew::simulation {
namespace {

constexpr absl::Duration kTerm = absl::Seconds(6);
constexpr absl::Duration kRenewal = absl::Seconds(2);

}  // namespace

bool SteppedLoop::Post(Task task) {
  if (stopped_) return false;
  tasks_.push_back(std::move(task));
  Kick();
  return true;
}

void SteppedLoop::PostAfter(absl::Duration delay, Task task) {
  if (stopped_ || delay == absl::InfiniteDuration()) return;
  scheduler_->After(delay, process_, "", [this, task = std::move(task)]() mutable {
    if (stopped_) return;
    tasks_.push_back(std::move(task));
    Kick();
  });
}

bool SteppedLoop::Run(absl::FunctionRef<void()> task) {
  if (stopped_) return false;
  task();
  return true;
}

void SteppedLoop::Stop() {
  stopped_ = true;
  tasks_.clear();
}

void SteppedLoop::Kick() {
  if (kicked_ || tasks_.empty()) return;
  kicked_ = true;
  scheduler_->After(random_.Between(absl::Microseconds(1), absl::Microseconds(200)), process_, "", [this] {
    kicked_ = false;
    if (stopped_ || tasks_.empty()) return;
    Task task = std::move(tasks_.front());
    tasks_.pop_front();
    task();
    task = nullptr;
    Kick();
  });
}

void LuckyChecks::Run(const v1::HealthCheck& check, Done done) {
  const bool fails = random_.Chance(*fails_);
  if (fails) scheduler_->story().Fault("check fails");
  const absl::Duration takes =
      std::min(random_.Between(absl::Milliseconds(1), absl::Seconds(1)), base::FromProto(check.timeout()));
  auto kept = std::make_shared<Done>(std::move(done));
  scheduler_->After(takes, process_, "", [kept, fails] {
    (*kept)({.state = fails ? v1::CHECK_STATE_FAILING : v1::CHECK_STATE_PASSING});
  });
}

ControllerProcess::ControllerProcess(std::string name, Scheduler* scheduler, SharedStore* shared,
                                     const StoreLuck* luck, const SettableClock* clock,
                                     ControllerOptions options)
    : scheduler_(scheduler),
      shared_(shared),
      clock_(clock),
      options_(options),
      process_(std::make_shared<Process>(std::move(name))),
      random_(scheduler->random().Fork()),
      loop_(scheduler, process_),
      view_(
          shared, process_->name, scheduler, luck, [this] { Die(); },
          [this](absl::Duration how_long) { scheduler_->Freeze(process_, how_long); }),
      checks_(scheduler, process_, options.check_fails) {
  scheduler_->After(random_.Between(absl::ZeroDuration(), absl::Milliseconds(500)), process_, "",
                    [this] { HoldLease(); });
}

ControllerProcess::~ControllerProcess() {
  loop_.Stop();
  sessions_.reset();
  engine_.reset();
}

Endpoint ControllerProcess::endpoint() {
  if (!alive()) return {};
  return {.process = process_,
          .loop = &loop_,
          .handler = draining_ ? nullptr : sessions_.get(),
          .clock = clock_,
          .said = [this](const v1::ControllerMessage& message) {
            if (message.has_result_ack()) shared_->JudgeAck(name(), message.result_ack());
          }};
}

void ControllerProcess::HoldLease() {
  if (draining_ || dying_) return;
  scheduler_->After(random_.Between(kRenewal * 0.8, kRenewal), process_, "", [this] { HoldLease(); });
  if (scheduler_->now() < lease_stalled_until_) return;
  const absl::Duration begun = scheduler_->now();
  if (!view_.reachable()) {
    if (serving() && begun - held_ >= kTerm) Die();
    return;
  }
  const store::Leadership leadership = shared_->Hold(name(), kTerm);
  if (leadership.mine) held_ = begun;
  if (serving() && (!leadership.mine || leadership.epoch != view_.epoch())) return Die();
  if (!serving() && leadership.mine) Lead(leadership.epoch);
}

void ControllerProcess::Lead(int64_t epoch) {
  view_.set_epoch(epoch);
  dispatch::EngineOptions engine_options;
  engine_options.checks.runner = &checks_;
  engine_ = std::make_unique<dispatch::Engine>(&view_, clock_, &loop_, engine_options);
  if (!engine_->Start().ok()) return Die();
  session::SessionOptions options;
  options.jitter = [this] { return random_.Fraction(); };
  options.session_age = options_.session_age;
  sessions_ = std::make_unique<session::SessionManager>(engine_.get(), options);
  engine_->ObserveTargets([this] { sessions_->TargetsChanged(); });
  loop_.Run([this] { sessions_->TargetsChanged(); });
  retention_ = std::make_unique<dispatch::EventRetention>(&loop_, &view_, clock_, options_.events);
  retention_->Start();
}

void ControllerProcess::Drain() {
  if (!alive() || draining_) return;
  draining_ = true;
  if (sessions_ != nullptr) {
    engine_->Drain(
        absl::UnavailableError("the controller is shutting down; watch again from the last event"));
    sessions_->Drain();
  }
  scheduler_->After(random_.Between(absl::Milliseconds(1), absl::Seconds(5)), process_,
                    absl::StrCat(name(), " ends"), [this] {
                      shared_->Release(name());
                      Die();
                    });
}

bool ControllerProcess::Bury() {
  if (!dying_ || std::exchange(buried_, true)) return false;
  scheduler_->Kill(process_);
  loop_.Stop();
  sessions_.reset();
  engine_.reset();
  return true;
}

void ControllerProcess::CheckMemory(const std::string& rollout, bool strict) {
  if (!leads()) return;
  const auto stored = shared_->rows().GetRollout(rollout);
  const auto held = engine_->rollouts().Get(rollout);
  if (!stored.ok() || !held.ok()) return;
  // The engine need not know that old events of what has ended were removed since.
  v1::Rollout in_memory = held->rollout;
  in_memory.set_first_event(stored->rollout.first_event());
  const bool trimmed = held->rollout.first_event() != stored->rollout.first_event();
  const bool same =
      (held->version == stored->version || trimmed) && rollout::SameState(in_memory, stored->rollout);
  if (same) {
    view_.doubtful().erase(rollout);
  } else if (strict || view_.doubtful().count(rollout) == 0) {
    scheduler_->story().Violate(absl::StrCat(name(), " has version ", held->version, " of ", rollout,
                                             " in memory, the store has ", stored->version));
  }
}

}  // namespace curlew::simulation
