// What a rollout waits for, and why it stands: derived from its state, in words for people. Internal to
// controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_DESCRIBE_H_
#define CURLEW_CONTROLLER_ROLLOUT_DESCRIBE_H_

#include <string>

#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::rollout {

// Sets `waiting` to all that the rollout waits for at `now`; what was there before keeps its `since`. Empty
// unless it is RUNNING or ROLLING_BACK: else the reason says what it stands for. Of causes that single
// targets have, no more than 100 are named. Returns when something may go on by itself; InfiniteFuture for
// never.
absl::Time DescribeWaiting(v1::Rollout& rollout, absl::Time now);

// Resource name of the one environment whose runs are undone, or are to be; "" where there are others, too.
std::string EnvironmentThatGoesBack(const v1::Rollout& rollout);

// Why the rollout has FAILED: each failed run with its error, and what can be done.
std::string DescribeFailure(const v1::Rollout& rollout);

// "has a backup: dump /backups/x.dump, 1234 bytes, SHA-256 ab12…".
std::string BackupText(const v1::BackupResult& backup);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_DESCRIBE_H_
