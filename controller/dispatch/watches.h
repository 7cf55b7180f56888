// What watchers of a rollout are told.
#ifndef CURLEW_CONTROLLER_DISPATCH_WATCHES_H_
#define CURLEW_CONTROLLER_DISPATCH_WATCHES_H_

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/rollout_store.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::dispatch {

// Somebody who watches a rollout. Told on the loop's thread; never blocks.
class Watcher {
 public:
  virtual ~Watcher() = default;
  // There is something to Read.
  virtual void Changed() = 0;
  // The controller ends.
  virtual void End(const absl::Status& status) = 0;
};

// How far a watcher has read.
struct WatchCursor {
  int64_t event = 0;     // number of the newest event that it has
  int64_t version = -1;  // version of the rollout that it has
  int64_t progress = 0;  // newest progress that it has
};

// What a watcher has not read yet.
struct WatchBatch {
  std::vector<v1::WatchRolloutResponse> messages;  // empty: nothing for now
  bool ended = false;                              // nothing will follow
};

// Watchers pull: a slow one costs no memory, as events come from the store and of rollout and progress only
// the newest are kept. Belongs to the loop's thread.
class Watches {
 public:
  using State = std::function<absl::StatusOr<store::VersionedRollout>(const std::string& rollout)>;

  // `store` must outlive it.
  Watches(store::RolloutStore* store, State state) : store_(store), state_(std::move(state)) {}

  // `watcher` must live until Remove. Once the controller ends, it is ended at once.
  void Add(const std::string& rollout, Watcher* watcher);
  void Remove(const std::string& rollout, Watcher* watcher);

  // The next messages after `cursor`, which is moved on: at first the rollout and then its events; later
  // events and then the rollout. Limited in number: read until it is empty. Fails as the store does;
  // OUT_OF_RANGE with base::kReason EVENTS_REMOVED where the event after that of a cursor above 0 is not kept
  // any more.
  absl::StatusOr<WatchBatch> Read(const std::string& rollout, WatchCursor* cursor);

  // A transition of `rollout` was stored.
  void Changed(const v1::Rollout& rollout);
  // Something has changed that is of no rollout: who may watch. Tells all watchers.
  void TellAll();
  // The newest progress of a target of `rollout`.
  void MadeProgress(const std::string& rollout, const v1::Progress& progress);
  // What its targets are waiting for, as their agents said last.
  std::vector<v1::Waiting> AgentsWaiting(const std::string& rollout) const;
  // The controller ends: all watchers are ended with `status`, also those to come.
  void EndAll(const absl::Status& status);

 private:
  struct Latest {
    int64_t number = 0;
    v1::Progress progress;
  };
  void Tell(const std::string& rollout);

  store::RolloutStore* const store_;
  const State state_;
  std::map<std::string, std::set<Watcher*>> watchers_;
  std::map<std::string, std::map<std::string, Latest>> progress_;  // by rollout and target
  int64_t next_progress_ = 1;
  absl::Status end_;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_WATCHES_H_
