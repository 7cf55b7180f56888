// Holds the lease of a store, or tries to, on a thread of its own.
#ifndef CURLEW_CONTROLLER_LEASE_KEEPER_H_
#define CURLEW_CONTROLLER_LEASE_KEEPER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/base/steady_cond_var.h"
#include "controller/store/leader_lease.h"

namespace curlew::controller {

// Renews a lease five times a term, and tries for one that another has ten times a term, at least twice a
// second. A renewal that takes long, as the store is slow or gone, holds up nobody: how long this process may
// still act is counted from the begin of the last one that succeeded. Thread-safe.
class LeaseKeeper {
 public:
  // Time since some fixed instant; goes on while the process, or the machine, sleeps.
  using Monotonic = std::function<absl::Duration()>;

  // How things stand.
  struct View {
    store::Leadership leadership;  // as the store said last
    absl::Duration valid_for;      // how much longer this process may act; not above zero: not at all
    absl::Status status;           // of the last try
  };

  // `changed` is called on the thread when another leads, or the last try went otherwise, than before; it
  // must not call back. The default of `now` is the system's boot clock.
  LeaseKeeper(std::unique_ptr<store::LeaderLease> lease, std::function<void()> changed,
              Monotonic now = nullptr);
  // Gives the lease up.
  ~LeaseKeeper();
  LeaseKeeper(const LeaseKeeper&) = delete;
  LeaseKeeper& operator=(const LeaseKeeper&) = delete;

  // Waits until the store has been asked once.
  View First() const;
  View Look() const;
  // Gives the lease up, and does not try for it until `pause` has passed.
  void Yield(absl::Duration pause);

 private:
  void Work();
  // One try. Returns after which time to try again.
  absl::Duration Try();
  View LookLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::unique_ptr<store::LeaderLease> lease_;  // of the thread
  const std::function<void()> changed_;
  const Monotonic now_;
  mutable absl::Mutex mutex_;
  store::Leadership leadership_ ABSL_GUARDED_BY(mutex_);
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  absl::Duration valid_until_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
  absl::Duration yield_ ABSL_GUARDED_BY(mutex_);
  bool asked_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  base::SteadyCondVar called_;  // to give up, or to stop
  std::thread thread_;
};

}  // namespace curlew::controller

#endif  // CURLEW_CONTROLLER_LEASE_KEEPER_H_
