// Drives rollouts: input -> machine -> store -> the world.
#ifndef CURLEW_CONTROLLER_DISPATCH_ROLLOUT_DRIVER_H_
#define CURLEW_CONTROLLER_DISPATCH_ROLLOUT_DRIVER_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "controller/dispatch/command_runner.h"
#include "controller/dispatch/holders.h"
#include "controller/dispatch/loop.h"
#include "controller/dispatch/notification_planner.h"
#include "controller/dispatch/preflight_requests.h"
#include "controller/dispatch/schema_requests.h"
#include "controller/dispatch/target_table.h"
#include "controller/dispatch/watches.h"
#include "controller/rollout/machine.h"
#include "controller/store/rollout_store.h"

namespace curlew::dispatch {

// Keeps every rollout that can still change in memory, exactly as the store has it. An input becomes a
// transition; state, events, commands, the audit log's entry and what others are to be told are committed in
// one transaction; only then are commands carried out and watchers told. Where the store fails, nothing in
// memory has changed: operators get the error, all other inputs are kept and tried again: checks first, the
// others in order.
//
// Of several rollouts on one target one works at a time, in order of their creation: before any input of a
// rollout the machine is told which others hold it (Holders), so that no input finds it free by accident.
//
// Belongs to the loop's thread.
class RolloutDriver {
 public:
  struct Options {
    rollout::MachineOptions machine;
    absl::Duration store_retry = absl::Seconds(1);
    // What is to be told of each transition; null: nothing.
    NotificationPlanner planner;
  };
  // What agents are asked.
  struct Questions {
    SchemaRequests* schemas = nullptr;
    PreflightRequests* preflights = nullptr;
  };
  // Is told of every transition once it is stored, on the loop's thread. Must not change any rollout.
  using Observer = std::function<void(const v1::Rollout& before, const v1::Rollout& after)>;

  // All must outlive it.
  RolloutDriver(Loop* loop, store::RolloutStore* store, const base::Clock* clock, TargetTable* targets,
                Questions questions, Options options);

  // Also of rollouts that Load finds, as they are. Before Load.
  void Observe(Observer observer) { observer_ = std::move(observer); }

  // Loads what can still change, and the outbox. Once, before anything else. Fails as the store does.
  absl::Status Load();

  // Starts a rollout: `fresh` as rollout::NewRollout gives it. Where others are active on its targets, or are
  // to come first, it waits for them there. Its create_time is raised where the clock has gone back behind
  // that of an active one. Fails as the store does; ALREADY_EXISTS.
  absl::StatusOr<v1::Rollout> Create(v1::Rollout fresh, const std::string& actor);

  // An operator's input. NOT_FOUND; FAILED_PRECONDITION as the machine says, or as one that had ended is to
  // be rolled back where another has begun since; ABORTED where `etag` is given and no longer right;
  // UNAVAILABLE where the store fails. Nothing has changed after an error.
  absl::StatusOr<v1::Rollout> Apply(const std::string& name, const rollout::Input& input,
                                    const std::string& etag = "");

  // Any other input: kept until it is stored, in order. `stored` is called then (at once, where nothing
  // changes).
  void Feed(const std::string& name, rollout::Input input, absl::AnyInvocable<void()> stored = nullptr);
  // As Feed, but once what has been posted to the loop so far is done: inputs that come together become one
  // change of their rollout. In order with all others.
  void FeedSoon(const std::string& name, rollout::Input input, absl::AnyInvocable<void()> stored = nullptr);
  // As Feed, to every rollout that is in memory and has a run on `target`.
  void FeedAll(const std::string& target, const std::function<rollout::Input(const v1::Rollout&)>& input);

  // A rollout, from memory or the store. NOT_FOUND.
  absl::StatusOr<store::VersionedRollout> Get(const std::string& name);
  // A rollout that is in memory, as all are that can still change; null where it is not. Valid until the next
  // call of any other.
  const v1::Rollout* InMemory(const std::string& name) const;
  // The rollout that is active on `target`, of several the one whose turn it is; null where none is. As
  // above.
  const v1::Rollout* OccupantOf(const std::string& target) const;
  // Whether steps of any rollout are at work on `target`: begun, and not at an end.
  bool IsAtWorkOn(const std::string& target) const;
  // Who occupies what, including those whose commits are in doubt. Fails as the store does.
  absl::StatusOr<Holders> OccupantsNow();
  // Whose attempt that is: the rollout in memory whose run on the target has it; "" where none has.
  std::string OwnerOfAttempt(const v1::Progress& progress) const;

  // `target` became ready, or was lost.
  void TargetChanged(const std::string& target);

  Watches& watches() { return watches_; }

 private:
  struct Held {
    store::VersionedRollout stored;
    int64_t wake = 0;  // number of the timer that counts
    // What the machine was told last of who holds it, and of which order of things that was.
    std::optional<std::map<std::string, std::string>> held_by;
    int64_t order = -1;
  };
  struct Pending {
    rollout::Input input;
    absl::AnyInvocable<void()> stored;
    std::vector<int64_t> answers;  // see Change
  };

  // Behind all others; what a check says, before all but other checks: it is known by now, so that nothing
  // that waits to be stored is decided without it.
  static void Enqueue(std::deque<Pending>* queue, Pending next);
  absl::StatusOr<Held*> Hold(const std::string& name);
  // Queues what a rollout that was not in memory has missed: which agents are there.
  void TellAgents(const v1::Rollout& rollout);
  // Takes what the store has, after a conflict.
  absl::Status Reload(const std::string& name);
  // For one that is to be active again: FAILED_PRECONDITION where another has begun on one of its targets;
  // else fails as the store does.
  absl::Status CheckNoneHasBegun(const v1::Rollout& rollout);
  // Who holds a rollout now. Fails as the store does.
  absl::StatusOr<std::map<std::string, std::string>> HoldersOf(const v1::Rollout& rollout);
  // Tells the machine who holds a rollout, where it was told otherwise. Fails as Commit.
  absl::Status TellHolders(const std::string& name);
  // Whether the machine was told who holds it.
  bool KnowsHolders(const Held& held) const;
  // Others may be held otherwise from now on: they are told, soon.
  void OrderChanged();
  const Holders& holders() const;
  // Whether a commit that was in doubt is stored is known now.
  void Settled(const std::string& name);
  // What one or more inputs make of a rollout, as one change.
  struct Change {
    rollout::Transition transition;
    std::optional<store::RolloutChange::Pin> pin;
    store::Record record;
    std::vector<int64_t> answers;  // entries of the outbox that it is the answer to
    int inputs = 0;
  };
  // Adds an input to a change of `stored`. Fails as the machine does; nothing was added then.
  absl::Status Take(const v1::Rollout& stored, const rollout::Input& input, Change* change) const;
  absl::Status Commit(Held* held, Change change);
  // Stores as many of the inputs that are pending as one change can hold, and takes them off the queue. Fails
  // as the store does; then they stay.
  absl::Status CommitNext(Held* held, std::deque<Pending>* queue);
  void Committed(Held* held, const v1::Rollout& before, const store::RolloutChange& change, absl::Time wake);
  // Stores what is pending for a rollout, in order. Fails as the store does; the rest stays.
  absl::Status Drain(const std::string& name);
  void DrainOrRetry(const std::string& name);
  void DrainSoon(const std::string& name);
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
  // Of these, those that would be active again: they occupy their targets until that is known.
  std::map<std::string, v1::Rollout> maybe_active_;
  Observer observer_;
  // Counts changes of what occupies what; the holders as of the newest, where they were needed since.
  int64_t order_ = 0;
  mutable std::optional<Holders> holders_;
  bool order_posted_ = false;
  std::set<std::string> drain_soon_;
  bool outbox_changed_ = false;  // there may be entries that the runner has not seen
  bool retry_posted_ = false;
  bool carry_out_posted_ = false;
  int64_t next_wake_ = 1;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_ROLLOUT_DRIVER_H_
