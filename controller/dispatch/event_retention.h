// Removes events that nobody needs any more.
#ifndef CURLEW_CONTROLLER_DISPATCH_EVENT_RETENTION_H_
#define CURLEW_CONTROLLER_DISPATCH_EVENT_RETENTION_H_

#include <cstdint>
#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "controller/dispatch/loop.h"
#include "controller/store/rollout_store.h"

namespace curlew::dispatch {

// Events of a rollout are kept while it goes on, and for a time after it has ended. Then all but the newest
// go, and Rollout.first_event says which are left; the rollout itself stays. Its version rises with that, its
// etag does not: nothing has changed that an operator could mean. Works in small commits, each in a task of
// its own, so that whatever else the loop has to do comes between. Where the store fails it tries again in
// the next round. Belongs to the loop's thread.
class EventRetention {
 public:
  struct Options {
    // How long events are kept after the end of their rollout. Infinite: for ever, and nothing is looked at.
    absl::Duration retention = absl::Hours(24 * 90);
    // From the end of one round over all rollouts to the next; also before the first.
    absl::Duration interval = absl::Hours(1);
    // Events that one commit removes at most.
    int64_t events_in_commit = 500;
    // Rollouts that are looked at in one task.
    int rollouts_in_task = 50;
  };

  // All must outlive it; it must outlive the loop's tasks.
  EventRetention(Loop* loop, store::RolloutStore* store, const base::Clock* clock, Options options)
      : loop_(loop), store_(store), clock_(clock), options_(options) {}

  // Begins. Once.
  void Start();

 private:
  void Round();
  // Looks at the next rollouts, or ends the round.
  void Look();
  // Does one commit, then what is next.
  void Trim();
  void EndRound(const absl::Status& status);
  // The number of the oldest event to keep; 0 where all are to be kept.
  int64_t OldestToKeep(const v1::Rollout& rollout) const;

  Loop* const loop_;
  store::RolloutStore* const store_;
  const base::Clock* const clock_;
  const Options options_;
  // Of the round that is under way.
  std::string next_page_;
  bool all_seen_ = false;
  std::deque<store::VersionedRollout> due_;
  int64_t removed_ = 0;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_EVENT_RETENTION_H_
