// What a rollout waits for, in typed causes and in words. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_DESCRIBE_H_
#define CURLEW_CONTROLLER_ROLLOUT_DESCRIBE_H_

#include <string>

#include "absl/time/time.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::rollout {

// Replaces the rollout's `waiting`; a cause that was there before keeps its `since`. Empty unless it is
// RUNNING or ROLLING_BACK: else the reason says what it stands for.
void DescribeWaiting(v1::Rollout& rollout, absl::Time now);

// When the first of the causes ends by itself; InfiniteFuture where none does.
absl::Time NextWake(const v1::Rollout& rollout);

// Why the rollout has FAILED: each failed run with its error, and what can be done.
std::string DescribeFailure(const v1::Rollout& rollout);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_DESCRIBE_H_
