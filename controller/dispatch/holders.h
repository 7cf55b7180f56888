// Which rollouts have to end before another may begin on a target.
#ifndef CURLEW_CONTROLLER_DISPATCH_HOLDERS_H_
#define CURLEW_CONTROLLER_DISPATCH_HOLDERS_H_

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::dispatch {

// The targets that a rollout occupies: all of them while it is active; afterwards those where an attempt of
// it may be at work still.
std::set<std::string> OccupiedTargets(const v1::Rollout& rollout);

// Whether steps of the run were begun, ever. What is only compiled can be compiled again.
bool HasBegun(const v1::Run& run);

// Whether the target's schema may be other than before and after the run: steps were begun, and it is not at
// an end.
bool IsAtWork(const v1::Run& run);

// The queues of all targets, at one moment. On each target, whoever has begun there comes before all others;
// then who was created first (create_time, then name). A value.
class Holders {
 public:
  // `rollouts` are all that occupy anything.
  explicit Holders(const std::vector<const v1::Rollout*>& rollouts);

  // What holds `rollout`, by target, for HoldersChanged: another that comes before it on the target; on all
  // other targets the first of Rollout.after that `succeeded` denies. Fails as `succeeded` does.
  absl::StatusOr<std::map<std::string, std::string>> Of(
      const v1::Rollout& rollout,
      absl::FunctionRef<absl::StatusOr<bool>(const std::string& name)> succeeded) const;

  // The rollouts that occupy `target`, in order.
  std::vector<std::string> On(const std::string& target) const;
  // One that has begun on `target`, other than `name`; "" where there is none.
  std::string BegunOn(const std::string& target, const std::string& name) const;

 private:
  using Place = std::pair<absl::Time, std::string>;  // create_time and name
  struct Queue {
    std::set<Place> all, begun;
  };
  std::map<std::string, Queue> queues_;  // by target
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_HOLDERS_H_
