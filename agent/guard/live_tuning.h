// What operators have set for the walks of a run, while it runs.
#ifndef CURLEW_AGENT_GUARD_LIVE_TUNING_H_
#define CURLEW_AGENT_GUARD_LIVE_TUNING_H_

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

// Holds the newest tuning of one attempt's run: the session sets it, walks look at it between two batches.
// Thread-safe.
class LiveTuning {
 public:
  // Replaces all that was set before.
  void Set(const v1::Tuning& tuning) {
    absl::MutexLock lock(&mutex_);
    tuning_ = tuning;
  }
  v1::Tuning Get() const {
    absl::MutexLock lock(&mutex_);
    return tuning_;
  }

 private:
  mutable absl::Mutex mutex_;
  v1::Tuning tuning_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_LIVE_TUNING_H_
