// How long an agent may trust that it is the only one.
#ifndef CURLEW_AGENT_GUARD_LEASE_CLOCK_H_
#define CURLEW_AGENT_GUARD_LEASE_CLOCK_H_

#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace curlew::agent {

// The controller gives a target away `lease_time` after the last word that it heard from the agent. So the
// agent trusts its leases until `lease_time`, less a margin of a fifth, after the last word heard from the
// controller, measured on a clock that nobody sets. Past that it begins no step and no statement that cannot
// be fenced; transactions go on: the epoch in the journal protects those. Thread-safe.
class LeaseClock {
 public:
  // Time since some fixed instant, monotonic. The default is the system's steady clock.
  using Monotonic = std::function<absl::Duration()>;
  explicit LeaseClock(Monotonic now = nullptr);

  // The controller has spoken.
  void Heard();
  // What Welcome said.
  void SetLeaseTime(absl::Duration lease_time);
  bool Valid() const;

 private:
  const Monotonic now_;
  mutable absl::Mutex mutex_;
  absl::Duration heard_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  absl::Duration lease_time_ ABSL_GUARDED_BY(mutex_) = absl::ZeroDuration();
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_LEASE_CLOCK_H_
