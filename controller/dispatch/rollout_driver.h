// Drives rollouts: input -> machine -> store -> the world.
#ifndef CURLEW_CONTROLLER_DISPATCH_ROLLOUT_DRIVER_H_
#define CURLEW_CONTROLLER_DISPATCH_ROLLOUT_DRIVER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "controller/dispatch/command_runner.h"
#include "controller/dispatch/loop.h"
#include "controller/dispatch/schema_requests.h"
#include "controller/dispatch/target_table.h"
#include "controller/dispatch/watches.h"
#include "controller/rollout/machine.h"
#include "controller/store/rollout_store.h"

namespace curlew::dispatch {

// Keeps every rollout that can still change in memory, exactly as the store has it. An input becomes a
// transition; state, events and commands are committed in one transaction; only then are commands carried out
// and watchers told. Where the store fails, nothing in memory has changed: operators get the error, all other
// inputs are kept in order and tried again. Belongs to the loop's thread.
class RolloutDriver {
 public:
  struct Options {
    rollout::MachineOptions machine;
    absl::Duration store_retry = absl::Seconds(1);
  };

  // All must outlive it.
  RolloutDriver(Loop* loop, store::RolloutStore* store, const base::Clock* clock, TargetTable* targets,
                SchemaRequests* schemas, Options options);

  // Loads what can still change, and the outbox. Once, before anything else. Fails as the store does.
  absl::Status Load();

  // Starts a rollout: `fresh` as rollout::NewRollout gives it. Fails as the store does; ALREADY_EXISTS.
  absl::StatusOr<v1::Rollout> Create(v1::Rollout fresh, const std::string& actor);

  // An operator's input. NOT_FOUND; FAILED_PRECONDITION as the machine says, or as another rollout occupies a
  // target; ABORTED where `etag` is given and no longer right; UNAVAILABLE where the store fails. Nothing has
  // changed after an error.
  absl::StatusOr<v1::Rollout> Apply(const std::string& name, const rollout::Input& input,
                                    const std::string& etag = "");

  // Any other input: kept until it is stored, in order. `stored` is called then (at once, where nothing
  // changes).
  void Feed(const std::string& name, rollout::Input input, absl::AnyInvocable<void()> stored = nullptr);
  // As Feed, to every rollout that is in memory and has a run on `target`.
  void FeedAll(const std::string& target, const std::function<rollout::Input(const v1::Rollout&)>& input);

  // A rollout, from memory or the store. NOT_FOUND.
  absl::StatusOr<store::VersionedRollout> Get(const std::string& name);
  // The rollout in memory that occupies `target`; null where none does. Valid until the next call of any
  // other.
  const v1::Rollout* OccupantOf(const std::string& target) const;
  // Any rollout that occupies targets; null where none does. As above.
  const v1::Rollout* AnyActive() const;
  // Whose attempt that is: the rollout in memory whose run on the target has it; "" where none has.
  std::string OwnerOfAttempt(const v1::Progress& progress) const;

  // `target` became ready, or was lost.
  void TargetChanged(const std::string& target);

  Watches& watches() { return watches_; }

 private:
  struct Held {
    store::VersionedRollout stored;
    int64_t wake = 0;  // number of the timer that counts
  };
  struct Pending {
    rollout::Input input;
    absl::AnyInvocable<void()> stored;
    std::vector<int64_t> answers;  // entries of the outbox that it is the answer to
  };

  absl::StatusOr<Held*> Hold(const std::string& name);
  // Queues what a rollout that was not in memory has missed: which agents are there.
  void TellAgents(const v1::Rollout& rollout);
  // Takes what the store has, after a conflict.
  absl::Status Reload(const std::string& name);
  // FAILED_PRECONDITION where another rollout occupies a target; else fails as the store does.
  absl::Status CheckTargetsFree(const v1::Rollout& rollout);
  absl::Status Commit(Held* held, rollout::Transition transition, const rollout::Input& input,
                      const std::vector<int64_t>& answers);
  void Committed(Held* held, const rollout::Transition& transition, const store::RolloutChange& change);
  // Stores what is pending for a rollout, in order. Fails as the store does; the rest stays.
  absl::Status Drain(const std::string& name);
  void DrainOrRetry(const std::string& name);
  void DropIfDone(const std::string& name);
  void Wake(Held* held, absl::Time when);
  void CarryOut();
  // Takes what is done with out of the store's outbox where no other change of its rollout does: a cancel
  // that was sent after its attempt had become one of the past.
  void ForgetDone();
  void CarryOutSoon();
  void Retry();
  void RetryLater();
  // Takes what the store has, where a commit that failed is stored for all that.
  absl::Status Reconcile(const std::string& name);
  // The same of all whose commits failed, but `other`.
  absl::Status ReconcileAllBut(const std::string& other);

  Loop* const loop_;
  store::RolloutStore* const store_;
  const base::Clock* const clock_;
  TargetTable* const targets_;
  const Options options_;
  CommandRunner runner_;
  Watches watches_;
  std::map<std::string, Held> held_;
  std::map<std::string, std::deque<Pending>> pending_;
  std::set<std::string> doubtful_;  // a commit failed: what the store has is to be looked up
  bool outbox_changed_ = false;     // there may be entries that the runner has not seen
  bool retry_posted_ = false;
  bool carry_out_posted_ = false;
  int64_t next_wake_ = 1;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_ROLLOUT_DRIVER_H_
