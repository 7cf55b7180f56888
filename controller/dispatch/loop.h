// One thread that runs closures, one after another.
#ifndef CURLEW_CONTROLLER_DISPATCH_LOOP_H_
#define CURLEW_CONTROLLER_DISPATCH_LOOP_H_

#include <cstdint>
#include <deque>
#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace curlew::dispatch {

// The thread that owns the store and all state of rollouts, targets and sessions: what only it touches needs
// no lock. Reactions of gRPC post to it and return. Thread-safe.
class Loop {
 public:
  using Task = absl::AnyInvocable<void()>;

  Loop();
  // Stops.
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs `task` after those that were posted before. False, and `task` is destroyed, once the loop has
  // stopped.
  bool Post(Task task);

  // Runs `task` not before `delay` (monotonic time) has passed. Dropped when the loop stops.
  void PostAfter(absl::Duration delay, Task task);

  // Runs `task` on the loop and waits for it; on the loop's own thread at once. Never from a reaction of
  // gRPC. False, and nothing is done, once the loop has stopped.
  bool Run(absl::FunctionRef<void()> task);

  // Runs what has been posted so far, drops the timers and ends the thread. Idempotent; not from the loop's
  // thread.
  void Stop();

 private:
  void Work();

  absl::Mutex mutex_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  // By due time and order of posting.
  std::map<std::pair<int64_t, int64_t>, Task> timers_ ABSL_GUARDED_BY(mutex_);
  int64_t next_timer_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::CondVar changed_;
  absl::Mutex stop_mutex_;  // serialises Stop; taken before mutex_
  std::thread thread_;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_LOOP_H_
