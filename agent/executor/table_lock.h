// Waiting for a table that somebody has locked.
#ifndef CURLEW_AGENT_EXECUTOR_TABLE_LOCK_H_
#define CURLEW_AGENT_EXECUTOR_TABLE_LOCK_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/attempt/run_context.h"
#include "common/pg/connection.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

// Whether a statement ended because a lock did not come within lock_timeout.
bool IsLockTimeout(const absl::Status& status);

// `why` was the lock time-out of a statement that wants `mode` on some of `tables`: whom it waits for, since
// `since`, as progress. DEADLINE_EXCEEDED with base::kHint where settings.lock_retry_deadline has passed;
// errors as in common/pg/error.h.
absl::StatusOr<v1::Progress> StillLocked(const RunContext& context, pg::Connection* connection,
                                         const std::vector<std::string>& tables, const std::string& mode,
                                         absl::Time since, const absl::Status& why);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_TABLE_LOCK_H_
