// Something done again and again beside a statement that blocks.
#ifndef CURLEW_AGENT_GUARD_PERIODIC_H_
#define CURLEW_AGENT_GUARD_PERIODIC_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace curlew::agent {

// Calls `task` every `period` on a thread of its own until destroyed; the destructor waits for a call that
// runs.
class Periodic {
 public:
  Periodic(absl::Duration period, std::function<void()> task)
      : thread_([this, period, task = std::move(task)] {
          while (!Stopped(period)) task();
        }) {}
  ~Periodic() {
    {
      absl::MutexLock lock(&mutex_);
      stopped_ = true;
    }
    thread_.join();
  }
  Periodic(const Periodic&) = delete;
  Periodic& operator=(const Periodic&) = delete;

 private:
  bool Stopped(absl::Duration wait) {
    absl::MutexLock lock(&mutex_);
    return mutex_.AwaitWithTimeout(absl::Condition(&stopped_), wait);
  }

  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_PERIODIC_H_
