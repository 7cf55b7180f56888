// Notices that somebody else has changed a target's schema.
#ifndef CURLEW_CONTROLLER_DISPATCH_DRIFT_WATCH_H_
#define CURLEW_CONTROLLER_DISPATCH_DRIFT_WATCH_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "controller/dispatch/loop.h"
#include "controller/dispatch/notification_planner.h"
#include "controller/dispatch/schema_requests.h"
#include "controller/dispatch/target_table.h"
#include "controller/store/rollout_store.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::dispatch {

// Compares each target that is served, and that no rollout is at work on, with its newest record, again and
// again, and puts what it finds into the target table. When a target begins to differ, differs otherwise, or
// does no more, that is logged, and an entry "target.drift" of the audit log by "curlew" and what the planner
// makes of it are stored in one transaction: once for each change, also over restarts, as the newest entries
// of the log are read at the start. Belongs to the loop's thread.
class DriftWatch {
 public:
  struct Options {
    // In which every target is looked at once. Infinite: none ever is.
    absl::Duration interval = absl::InfiniteDuration();
    DriftPlanner planner;
    absl::Duration store_retry = absl::Seconds(1);
    // How many of the newest entries of the audit log are read at the start.
    int64_t entries_read = 10000;
  };
  // Whether the schema of a target is in motion: steps are at work, or its record is not stored yet.
  using InMotion = std::function<bool(const std::string& target)>;

  // All must outlive it.
  DriftWatch(Loop* loop, store::RolloutStore* store, const base::Clock* clock, TargetTable* targets,
             SchemaRequests* schemas, InMotion in_motion, Options options)
      : loop_(loop),
        store_(store),
        clock_(clock),
        targets_(targets),
        schemas_(schemas),
        in_motion_(std::move(in_motion)),
        options_(std::move(options)) {}

  // Begins. Once.
  void Start();
  // Looks at `target` (bare name) now, where the watch is on: something new is on record of it.
  void Look(const std::string& target);
  // The controller ends.
  void Stop() { stopped_ = true; }

 private:
  bool is_on() const { return options_.interval != absl::InfiniteDuration(); }
  // Reads the entries of the audit log after `after`, then begins.
  void Remember(int64_t after);
  void RememberNewest();
  // Looks at the next target.
  void Round();
  void Compare(const std::string& target, const v1::Schema& schema);
  // Fails as the store does; nothing has changed then.
  absl::Status Tell(const std::string& target, const std::string& message, const v1::TargetRecord& record,
                    const std::string& fingerprint);

  Loop* const loop_;
  store::RolloutStore* const store_;
  const base::Clock* const clock_;
  TargetTable* const targets_;
  SchemaRequests* const schemas_;
  const InMotion in_motion_;
  const Options options_;
  // By target: the fingerprint of what differs, as it was told last; empty where that nothing does.
  std::map<std::string, std::string> told_;
  std::set<std::string> asked_;  // targets whose agents were asked
  size_t next_ = 0;              // index of the target to look at
  bool begun_ = false, stopped_ = false;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_DRIFT_WATCH_H_
