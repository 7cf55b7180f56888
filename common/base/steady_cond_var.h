// Waiting with a time limit, whatever happens to the wall clock.
#ifndef CURLEW_COMMON_BASE_STEADY_COND_VAR_H_
#define CURLEW_COMMON_BASE_STEADY_COND_VAR_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace curlew::base {

// A condition variable beside an absl::Mutex. The time limits of absl's own go by the wall clock: where that
// is set back by an hour, they last an hour longer. These go by the steady one. Thread-safe.
class SteadyCondVar {
 public:
  // Wakes all that wait. The mutex may be held or not.
  void Signal() { changed_.notify_all(); }

  // Gives `mutex` up until Signal is called or `timeout` has passed (a year at most); may return earlier for
  // no reason, as all of its kind.
  void WaitFor(absl::Mutex* mutex, absl::Duration timeout) ABSL_SHARED_LOCKS_REQUIRED(mutex) {
    Held held{mutex};
    changed_.wait_for(held, absl::ToChronoNanoseconds(std::clamp(timeout, absl::ZeroDuration(), kLongest)));
  }

 private:
  static constexpr absl::Duration kLongest = absl::Hours(24 * 365);

  // The mutex, in the words of the standard library.
  struct Held {
    void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex->Lock(); }
    void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mutex->Unlock(); }
    absl::Mutex* mutex;
  };

  std::condition_variable_any changed_;
};

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_STEADY_COND_VAR_H_
