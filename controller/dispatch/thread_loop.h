// One thread that runs closures, one after another.
#ifndef CURLEW_CONTROLLER_DISPATCH_THREAD_LOOP_H_
#define CURLEW_CONTROLLER_DISPATCH_THREAD_LOOP_H_

#include <cstdint>
#include <deque>
#include <map>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/steady_cond_var.h"
#include "controller/dispatch/loop.h"

namespace curlew::dispatch {

// The thread that owns the store and all state of rollouts, targets and sessions. Reactions of gRPC post to
// it and return. Thread-safe.
class ThreadLoop : public Loop {
 public:
  ThreadLoop();
  // Stops.
  ~ThreadLoop() override;
  ThreadLoop(const ThreadLoop&) = delete;
  ThreadLoop& operator=(const ThreadLoop&) = delete;

  bool Post(Task task) override;
  void PostAfter(absl::Duration delay, Task task) override;
  bool Run(absl::FunctionRef<void()> task) override;
  void Stop() override;
  absl::Duration Elapsed() const override;

 private:
  void Work();

  absl::Mutex mutex_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  // By due time and order of posting.
  std::map<std::pair<int64_t, int64_t>, Task> timers_ ABSL_GUARDED_BY(mutex_);
  int64_t next_timer_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  base::SteadyCondVar changed_;
  absl::Mutex stop_mutex_;  // serialises Stop; taken before mutex_
  std::thread thread_;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_THREAD_LOOP_H_
