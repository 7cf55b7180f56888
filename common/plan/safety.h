// What a plan says beyond its operations and settings: the plans before it, backups, verifications, checks.
#ifndef CURLEW_COMMON_PLAN_SAFETY_H_
#define CURLEW_COMMON_PLAN_SAFETY_H_

#include "absl/status/status.h"
#include "curlew/v1/plan.pb.h"

namespace curlew::plan {

// Checks `after`, `backup`, `verify` and `checks` beyond what the descriptor says of their fields, which are
// right by themselves. INVALID_ARGUMENT; base::kField holds the path. Thread-safe.
absl::Status ValidateSafety(const v1::Plan& plan);

}  // namespace curlew::plan

#endif  // CURLEW_COMMON_PLAN_SAFETY_H_
