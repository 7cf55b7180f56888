// What must be so before a rollout of a plan is created. Pure; thread-safe.
#ifndef CURLEW_CONTROLLER_SERVICE_ROLLOUT_RULES_H_
#define CURLEW_CONTROLLER_SERVICE_ROLLOUT_RULES_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/service/newest_rollouts.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::service {

// FAILED_PRECONDITION (base::kReason NO_ENVIRONMENTS) where there is nothing to roll out to.
absl::Status CheckPipeline(const std::vector<v1::Environment>& environments);

// The checks of kind `plan` that gates and health of the environments name are declared by the plan. Else
// FAILED_PRECONDITION (PLAN_CHECK_MISSING) with the place, as Gate.id or "production/health".
absl::Status CheckPlanChecks(const v1::Plan& plan, const std::vector<v1::Environment>& environments);

// Names of the plans that must have been rolled out before; never the plan's own.
std::set<std::string> PlansBefore(const v1::Plan& plan);

// What is allowed where a plan that comes before has not been rolled out.
enum class OutOfOrder { kRefused, kAllowed };

// Resource names of the rollouts that must have SUCCEEDED before one of `plan` begins: those of Plan.after
// that are still under way. FAILED_PRECONDITION (OUT_OF_ORDER) where one was never started, or ended
// otherwise. `newest` as FindNewestRollouts gives it. Only rollouts that exist are waited for, so that no two
// wait for each other.
absl::StatusOr<std::vector<std::string>> RolloutsBefore(const v1::Plan& plan, const NewestRollouts& newest,
                                                        OutOfOrder out_of_order);

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_ROLLOUT_RULES_H_
