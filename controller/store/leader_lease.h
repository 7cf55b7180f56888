// Which of several controllers on one store may act.
#ifndef CURLEW_CONTROLLER_STORE_LEADER_LEASE_H_
#define CURLEW_CONTROLLER_STORE_LEADER_LEASE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace curlew::store {

// Who leads, as the store has it.
struct Leadership {
  // Whether it is this process.
  bool mine = false;
  // Counts the leaders; a store that is opened for an epoch refuses commits once there is a newer one.
  int64_t epoch = 0;
  // Where the leader can be reached, as it says itself: "10.0.0.7:7441"; empty where nobody leads or it is
  // not known.
  std::string address;
};

// The lease of a store. One process has it at a time: that one leads, the others stand by. It ends by itself
// when it is not renewed for term(), judged by one clock: the store's. Not thread-safe.
class LeaderLease {
 public:
  virtual ~LeaderLease() = default;

  // Takes the lease where nobody has it or its time has run out; renews it where this process has it. Never
  // waits for another holder. UNAVAILABLE where the store cannot be reached: a lease that this process has
  // goes on until term() after the BEGIN of the last successful call, by the process's monotonic clock.
  virtual absl::StatusOr<Leadership> Hold() = 0;

  // Gives the lease up, so that another process need not wait for its end. Best effort.
  virtual void Release() = 0;

  // How long a lease lasts after it was taken or renewed; infinite where it ends with the process.
  virtual absl::Duration term() const = 0;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_LEADER_LEASE_H_
