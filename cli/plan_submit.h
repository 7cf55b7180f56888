// Storing a plan with the controller.
#ifndef CURLEW_CLI_PLAN_SUBMIT_H_
#define CURLEW_CLI_PLAN_SUBMIT_H_

#include <string>

#include "absl/status/statusor.h"
#include "cli/context.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::cli {

// Reads a plan and stores it. `digest` is checked where it is not empty; else the digest that this program
// computes is, so that both sides mean the same plan. Errors of ReadPlanFile and of CreatePlan.
absl::StatusOr<v1::StoredPlan> SubmitPlanFile(Context& context, const std::string& file,
                                              const std::string& digest);

// Stores a plan with that digest. Errors of CreatePlan.
absl::StatusOr<v1::StoredPlan> SubmitPlan(Context& context, const v1::Plan& plan, const std::string& digest);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_PLAN_SUBMIT_H_
