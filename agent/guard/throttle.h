// How much a backfill yields to the application.
#ifndef CURLEW_AGENT_GUARD_THROTTLE_H_
#define CURLEW_AGENT_GUARD_THROTTLE_H_

#include "absl/time/time.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// What the application feels of us now.
struct Pressure {
  // Sessions that wait for locks that our own transaction holds.
  int sessions_waiting_for_us = 0;
};

// Reads the pressure that the open transaction of `connection` causes. Errors as in common/pg/error.h.
absl::StatusOr<Pressure> ReadPressure(pg::Connection* connection);

// Turns pressure into pauses between batches, and keeps account of the share of time spent so. Not
// thread-safe.
class Throttle {
 public:
  // The pause after a batch that took `batch`: none without pressure; else as long as the batch, doubled each
  // time in a row, at most a second.
  absl::Duration PauseAfter(absl::Duration batch, const Pressure& pressure);
  // Share of the time spent in pauses lately, 0 to 1.
  double share() const { return share_; }

 private:
  int in_a_row_ = 0;
  double share_ = 0;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_THROTTLE_H_
