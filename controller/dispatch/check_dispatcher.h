// Makes the checks that rollouts want made.
#ifndef CURLEW_CONTROLLER_DISPATCH_CHECK_DISPATCHER_H_
#define CURLEW_CONTROLLER_DISPATCH_CHECK_DISPATCHER_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "controller/checks/check_runner.h"
#include "controller/dispatch/check_requests.h"
#include "controller/dispatch/loop.h"
#include "controller/dispatch/target_table.h"
#include "controller/rollout/machine.h"
#include "controller/store/rollout_store.h"

namespace curlew::dispatch {

// Asks the machine what is due after every transition, and when it said that more would be; makes it, here or
// at the target's agent, each check of a place and target once at a time; and reports how it stands. Nothing
// of that is in the outbox: after a restart it is due again.
//
// A check at the agent of a target that is not served cannot be made. At a gate that is an ERROR, which keeps
// it closed. Of health nothing is said: who cannot be reached is unavailable (RUN_SET_ASIDE), not unhealthy.
//
// Belongs to the loop's thread.
class CheckDispatcher {
 public:
  struct Options {
    // Makes what needs no agent; null: that is ERROR. Must outlive the loop's tasks.
    checks::CheckRunner* runner = nullptr;
    // How many are made at the same time, over all rollouts. Whoever comes too late is first the next time.
    int most_at_once = 64;
  };
  // A rollout that is in memory; null where it is not.
  using State = std::function<const v1::Rollout*(const std::string& rollout)>;
  // Calls `stored` once it is stored, or changes nothing.
  using Report = std::function<void(const std::string& rollout, rollout::CheckReported report,
                                    absl::AnyInvocable<void()> stored)>;

  // All must outlive it.
  CheckDispatcher(Loop* loop, store::RolloutStore* store, const base::Clock* clock, TargetTable* targets,
                  CheckRequests* requests, State state, Report report, Options options)
      : loop_(loop),
        store_(store),
        clock_(clock),
        targets_(targets),
        requests_(requests),
        state_(std::move(state)),
        report_(std::move(report)),
        options_(options) {}

  // `rollout` was loaded, or has changed. Makes what is due, soon.
  void Changed(const std::string& rollout);
  // The controller ends: nothing is begun or reported any more.
  void Stop() { stopped_ = true; }

  int in_flight() const { return static_cast<int>(in_flight_.size()); }

 private:
  using Key =
      std::tuple<std::string, std::string, std::string, std::string>;  // rollout, place, check, target

  void LookSoon();
  void Look();
  // False where there was no room for all that is due.
  bool LookAt(const std::string& rollout);
  void LookAgain(const v1::Rollout& state);
  // Fails as the store does.
  absl::Status Begin(const Key& key, const v1::Rollout& state, const rollout::DueCheck& due);
  void AskAgent(const Key& key, const rollout::DueCheck& due, v1::RunCheck check);
  void Ended(const Key& key, const checks::Outcome& outcome);
  // The query of a check that the rollout's plan declares; nothing where it declares none of that name.
  absl::StatusOr<std::string> QueryOf(const v1::Rollout& state, const std::string& check);

  Loop* const loop_;
  store::RolloutStore* const store_;
  const base::Clock* const clock_;
  TargetTable* const targets_;
  CheckRequests* const requests_;
  const State state_;
  const Report report_;
  const Options options_;
  std::set<std::string> due_;  // rollouts to look at
  std::string served_last_;    // of them
  std::set<Key> in_flight_;
  std::map<std::string, int64_t> timers_;  // by rollout: number of the one that counts
  std::map<std::string, std::map<std::string, std::string>> queries_;  // by rollout and check
  int64_t next_timer_ = 1;
  bool posted_ = false, stopped_ = false;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_CHECK_DISPATCHER_H_
