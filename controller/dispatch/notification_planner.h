// Who is to be told of what, as somebody else decides.
#ifndef CURLEW_CONTROLLER_DISPATCH_NOTIFICATION_PLANNER_H_
#define CURLEW_CONTROLLER_DISPATCH_NOTIFICATION_PLANNER_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::dispatch {

// What is to be told of a transition of a rollout; stored in its transaction, so that none is lost and none
// is told of what never was. Pure. Called on the loop's thread. Null: nothing ever is.
using NotificationPlanner = std::function<std::vector<v1::Notification>(
    const v1::Rollout& before, const v1::Rollout& after, const std::vector<v1::Event>& events)>;

// The same of a target (bare name) whose schema has begun to differ from what is on record, or does no more.
using DriftPlanner = std::function<std::vector<v1::Notification>(const std::string& target,
                                                                 const std::string& message, absl::Time now)>;

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_NOTIFICATION_PLANNER_H_
