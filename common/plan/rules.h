// What single operations demand beyond what the descriptor says of their fields.
#ifndef CURLEW_COMMON_PLAN_RULES_H_
#define CURLEW_COMMON_PLAN_RULES_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "curlew/v1/plan.pb.h"

namespace curlew::plan {

// Checks the fields of `operation` against each other. Each of them is right by itself. INVALID_ARGUMENT;
// base::kField holds the path, which begins with `path`.
absl::Status CheckRules(const v1::Operation& operation, absl::string_view path);

}  // namespace curlew::plan

#endif  // CURLEW_COMMON_PLAN_RULES_H_
