#include "agent/guard/throttle.h"

#include <algorithm>

#include "common/base/status_macros.h"

namespace curlew::agent {

absl::StatusOr<Pressure> ReadPressure(pg::Connection* connection) {
  // pg_blocking_pids is asked for those only that do wait: it stops the lock manager for a moment.
  ASSIGN_OR_RETURN(
      const pg::Result waiting,
      connection->Execute("SELECT count(*) FROM (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted"
                          " AND pid IS NOT NULL AND pid <> pg_backend_pid()) AS waiters"
                          " WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"));
  return Pressure{.sessions_waiting_for_us = static_cast<int>(waiting.Int(0, 0))};
}

absl::Duration Throttle::PauseAfter(absl::Duration batch, const Pressure& pressure) {
  in_a_row_ = pressure.sessions_waiting_for_us > 0 ? std::min(in_a_row_ + 1, 10) : 0;
  const absl::Duration pause =
      in_a_row_ == 0 ? absl::ZeroDuration() : std::min(absl::Seconds(1), batch * (1 << (in_a_row_ - 1)));
  const absl::Duration whole = batch + pause;
  if (whole <= absl::ZeroDuration()) return pause;
  // A moving average over about five seconds.
  const double weight = std::min(1.0, absl::FDivDuration(whole, absl::Seconds(5)));
  share_ += weight * (absl::FDivDuration(pause, whole) - share_);
  return pause;
}

}  // namespace curlew::agent
