// Where everything that belongs to an engine happens, one thing after another.
#ifndef CURLEW_CONTROLLER_DISPATCH_LOOP_H_
#define CURLEW_CONTROLLER_DISPATCH_LOOP_H_

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"

namespace curlew::dispatch {

// Runs closures, never two at a time: what only they touch needs no lock. ThreadLoop does it on a thread of
// its own; a simulation steps through one by hand. Thread-safe where its implementation has threads.
class Loop {
 public:
  using Task = absl::AnyInvocable<void()>;

  virtual ~Loop() = default;

  // Runs `task` after those that were posted before, never within the call. False, and `task` is destroyed,
  // once the loop has stopped.
  virtual bool Post(Task task) = 0;

  // Runs `task` not before `delay` (monotonic time) has passed; never where it is infinite. Dropped when the
  // loop stops.
  virtual void PostAfter(absl::Duration delay, Task task) = 0;

  // Runs `task` on the loop and waits for it; on the loop's own thread at once. Never from a reaction of
  // gRPC. False, and nothing is done, once the loop has stopped.
  virtual bool Run(absl::FunctionRef<void()> task) = 0;

  // Runs what has been posted so far, drops the timers and ends. Idempotent; not from the loop's thread.
  virtual void Stop() = 0;

  // Monotonic time, since a moment of the loop's own: what timers go by, whatever is done to the wall clock.
  virtual absl::Duration Elapsed() const = 0;
};

}  // namespace curlew::dispatch

#endif  // CURLEW_CONTROLLER_DISPATCH_LOOP_H_
