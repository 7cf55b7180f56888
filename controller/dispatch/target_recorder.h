// Puts on record how a target's schema is where a run has ended.
#ifndef CURLEW_CONTROLLER_DISPATCH_TARGET_RECORDER_H_
#define CURLEW_CONTROLLER_DISPATCH_TARGET_RECORDER_H_

#include <deque>
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
#include "controller/dispatch/schema_requests.h"
#include "controller/dispatch/target_table.h"
#include "controller/store/rollout_store.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::dispatch {

// A run that has SUCCEEDED, or was ROLLED_BACK, is asked about: the target's agent reports the whole schema,
// and a record of it is stored, once. Tried again until the agent is there and the store takes it; after a
// restart it is found in the newest rollouts. Where another rollout has begun to change the target meanwhile,
// the record says who ended what, but holds no schema: what is there now is not what was left.
//
// Belongs to the loop's thread.
class TargetRecorder {
 public:
  struct Options {
    // After a failure of the store, and of an agent that cannot say.
    absl::Duration store_retry = absl::Seconds(1);
    absl::Duration agent_retry = absl::Seconds(30);
  };
  // Whether steps of any rollout are at work on a target: begun, and not at an end.
  using AtWork = std::function<bool(const std::string& target)>;

  // All must outlive it.
  TargetRecorder(Loop* loop, store::RolloutStore* store, const base::Clock* clock, TargetTable* targets,
                 SchemaRequests* schemas, AtWork at_work, Options options)
      : loop_(loop),
        store_(store),
        clock_(clock),
        targets_(targets),
        schemas_(schemas),
        at_work_(std::move(at_work)),
        options_(options) {}

  // Finds what has ended and is not on record. At the start. Fails as the store does.
  absl::Status LookUp();
  // A transition was stored.
  void Changed(const v1::Rollout& before, const v1::Rollout& after);
  // Its agent can be asked.
  void TargetReady(const std::string& target);
  // Whether anything is to be put on record of `target` still.
  bool HasPending(const std::string& target) const { return pending_.count(target) > 0; }
  // `observer` is called when a record of a target was stored.
  void Observe(std::function<void(const std::string& target)> observer) { observer_ = std::move(observer); }
  // The controller ends: what is not stored yet is found at the next start.
  void Stop() { stopped_ = true; }

 private:
  // Adds what has ended in `rollouts` (newest first) and is not among the `newest` records. `seen`: targets
  // whose newest run was looked at.
  void LookAt(const std::vector<store::VersionedRollout>& rollouts,
              const std::map<std::string, v1::TargetRecord>& newest, std::set<std::string>* seen);
  void Add(const v1::Rollout& rollout, const v1::Run& run);
  void Ask(const std::string& target);
  void Answered(const std::string& target, size_t asked, absl::StatusOr<v1::Schema> schema);
  void AskLater(const std::string& target, absl::Duration after);

  Loop* const loop_;
  store::RolloutStore* const store_;
  const base::Clock* const clock_;
  TargetTable* const targets_;
  SchemaRequests* const schemas_;
  const AtWork at_work_;
  const Options options_;
  std::function<void(const std::string& target)> observer_;
  // By target, in order of their ends; what is known without the schema.
  std::map<std::string, std::deque<v1::TargetRecord>> pending_;
  std::set<std::string> asked_;  // targets whose agents were asked
  bool stopped_ = false;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_TARGET_RECORDER_H_
