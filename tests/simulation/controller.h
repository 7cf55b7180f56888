// A process of a controller: the real engine and session manager on a loop that is stepped through by hand.
#ifndef CURLEW_TESTS_SIMULATION_CONTROLLER_H_
#define CURLEW_TESTS_SIMULATION_CONTROLLER_H_

#include <deque>
#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "controller/checks/check_runner.h"
#include "controller/dispatch/engine.h"
#include "controller/dispatch/event_retention.h"
#include "controller/session/session_manager.h"
#include "tests/simulation/network.h"
#include "tests/simulation/scheduler.h"
#include "tests/simulation/shared_store.h"

namespace curlew::simulation {

// A loop whose tasks are events of the simulation.
class SteppedLoop : public dispatch::Loop {
 public:
  SteppedLoop(Scheduler* scheduler, ProcessPtr process)
      : scheduler_(scheduler), process_(std::move(process)), random_(scheduler->random().Fork()) {}
  bool Post(Task task) override;
  void PostAfter(absl::Duration delay, Task task) override;
  bool Run(absl::FunctionRef<void()> task) override;
  void Stop() override;
  absl::Duration Elapsed() const override { return scheduler_->now(); }

 private:
  void Kick();

  Scheduler* const scheduler_;
  const ProcessPtr process_;
  Random random_;
  std::deque<Task> tasks_;
  bool kicked_ = false, stopped_ = false;
};

// A wall clock that is set now and then.
class SettableClock : public base::Clock {
 public:
  explicit SettableClock(const Scheduler* scheduler) : scheduler_(scheduler) {}
  absl::Time Now() const override {
    return absl::FromUnixSeconds(1'800'000'000) + scheduler_->now() + offset;
  }
  absl::Duration offset;

 private:
  const Scheduler* const scheduler_;
};

// How controllers are set up.
struct ControllerOptions {
  absl::Duration session_age = absl::InfiniteDuration();
  dispatch::EventRetention::Options events{.retention = absl::InfiniteDuration()};
  // How often a check that they make does not hold.
  const double* check_fails = nullptr;
};

// Checks that a controller makes itself: they hold or not, as luck has it.
class LuckyChecks : public checks::CheckRunner {
 public:
  // `fails`: how often one does not hold; must outlive it.
  LuckyChecks(Scheduler* scheduler, ProcessPtr process, const double* fails)
      : scheduler_(scheduler),
        process_(std::move(process)),
        fails_(fails),
        random_(scheduler->random().Fork()) {}
  void Run(const v1::HealthCheck& check, Done done) override;

 private:
  Scheduler* const scheduler_;
  const ProcessPtr process_;
  const double* const fails_;
  Random random_;
};

// Stands by until it leads, then serves; ends when it no longer leads. Never used again once it is dead.
class ControllerProcess {
 public:
  ControllerProcess(std::string name, Scheduler* scheduler, SharedStore* shared, const StoreLuck* luck,
                    const SettableClock* clock, ControllerOptions options);
  ~ControllerProcess();

  const std::string& name() const { return process_->name; }
  const ProcessPtr& process() const { return process_; }
  bool alive() const { return process_->alive && !dying_; }
  // Whether it believes that it leads.
  bool serving() const { return alive() && sessions_ != nullptr; }
  // Whether it does.
  bool leads() const { return serving() && view_.epoch() == shared_->epoch(); }
  dispatch::Engine& engine() { return *engine_; }
  SteppedLoop& loop() { return loop_; }
  StoreView& view() { return view_; }
  // Where agents dial it.
  Endpoint endpoint();

  // It does not renew its lease for so long, and does not notice.
  void StallLease(absl::Duration how_long) { lease_stalled_until_ = scheduler_->now() + how_long; }
  // SIGTERM.
  void Drain();
  // SIGKILL. At the end of the event that is on.
  void Die() { dying_ = true; }
  // To be called between events: whether it has just died.
  bool Bury();
  // Compares what it has in memory with the store.
  void CheckMemory(const std::string& rollout, bool strict);

 private:
  void HoldLease();
  void Lead(int64_t epoch);

  Scheduler* const scheduler_;
  SharedStore* const shared_;
  const SettableClock* const clock_;
  const ControllerOptions options_;
  const ProcessPtr process_;
  Random random_;
  SteppedLoop loop_;
  StoreView view_;
  LuckyChecks checks_;
  std::unique_ptr<dispatch::Engine> engine_;
  std::unique_ptr<session::SessionManager> sessions_;
  std::unique_ptr<dispatch::EventRetention> retention_;
  absl::Duration held_ = -absl::InfiniteDuration();
  absl::Duration lease_stalled_until_ = -absl::InfiniteDuration();
  bool dying_ = false, draining_ = false, buried_ = false;
};

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_CONTROLLER_H_
