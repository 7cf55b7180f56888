// Checks as an environments file has them: what is allowed, and what holds where nothing is said.
#ifndef CURLEW_COMMON_PLAN_HEALTH_CHECKS_H_
#define CURLEW_COMMON_PLAN_HEALTH_CHECKS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"
#include "google/protobuf/repeated_ptr_field.h"

namespace curlew::plan {

// What a check does where its environment says nothing else.
inline constexpr absl::Duration kCheckInterval = absl::Seconds(30);
inline constexpr absl::Duration kCheckTimeout = absl::Seconds(10);
inline constexpr int kCheckFailures = 3;

// Where a list of checks stands: `hold` is for gates, `failure_threshold` for the health of an environment.
enum class ChecksOf { kGate, kHealth };

// At most 20; names that are ids and stand once; exactly one kind, complete; addresses of http and https
// without credentials, in which {target} and {environment} are the only placeholders; durations in range.
// INVALID_ARGUMENT; base::kField is below `path`, that of the list.
absl::Status ValidateChecks(const google::protobuf::RepeatedPtrField<v1::HealthCheck>& checks, ChecksOf of,
                            const std::string& path);

}  // namespace curlew::plan

#endif  // CURLEW_COMMON_PLAN_HEALTH_CHECKS_H_
