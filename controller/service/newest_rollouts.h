// The newest rollout of a plan, whatever its id and the plan's digest.
#ifndef CURLEW_CONTROLLER_SERVICE_NEWEST_ROLLOUTS_H_
#define CURLEW_CONTROLLER_SERVICE_NEWEST_ROLLOUTS_H_

#include <functional>
#include <map>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "controller/dispatch/engine.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::service {

// "plans/rename-phone-0123456789ab" -> "rename-phone"; "" where it is no plan's resource name.
std::string PlanNameOf(absl::string_view plan);

// By the plan's bare name; without those that were never rolled out. Runs and stages are left out.
using NewestRollouts = std::map<std::string, v1::Rollout>;

// Looks for the newest rollout of each of `plans` (bare names), newest first, page by page: others have their
// turn on the loop in between. On the loop's thread; calls back there exactly once, at once where `plans` is
// empty. Fails as the store does; UNAVAILABLE where the controller ends. `engine` must outlive it.
void FindNewestRollouts(dispatch::Engine* engine, std::set<std::string> plans,
                        std::function<void(absl::StatusOr<NewestRollouts>)> callback);

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_NEWEST_ROLLOUTS_H_
