// What rollouts that have ended say of their targets.
#ifndef CURLEW_CONTROLLER_DISPATCH_ENDED_RUNS_H_
#define CURLEW_CONTROLLER_DISPATCH_ENDED_RUNS_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "controller/store/rollout_store.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::dispatch {

// A database can go back behind the end of a rollout (a restore, a failover to a standby that lagged). This
// finds the newest rollouts whose run there says otherwise than the target's journal. Each target is compared
// once after each look into the store. Belongs to the loop's thread.
class EndedRuns {
 public:
  // `store` must outlive it.
  explicit EndedRuns(store::RolloutStore* store) : store_(store) {}

  // Notes what the newest rollouts say, of all targets or of one; also those that go on, which may have ended
  // when the target's agent comes. Fails as the store does; nothing has changed then.
  absl::Status LookUp();
  absl::Status LookUp(const std::string& target);

  // The rollouts to which the journal of `ready` is news. What was noted of its target is forgotten.
  std::vector<std::string> TakeContradicted(const v1::TargetReady& ready);

 private:
  struct Run {
    std::string rollout, name, digest;
    std::vector<std::string> done, undone;  // keys of steps
  };
  absl::Status LookUp(const std::string* target);

  store::RolloutStore* const store_;
  std::map<std::string, std::vector<Run>> runs_;  // by target
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_ENDED_RUNS_H_
