// How far standbys are behind, as the primary can tell.
#ifndef CURLEW_AGENT_GUARD_REPLICA_LAG_H_
#define CURLEW_AGENT_GUARD_REPLICA_LAG_H_

#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace curlew::agent {

// A standby that streams from the primary.
struct Standby {
  std::string name;     // application_name, and its address where there is one
  double replayed = 0;  // position in the WAL, in bytes
  // As the server measured it last. It keeps that value while nothing happens.
  absl::Duration measured;
};

struct ReplicaLag {
  // Whether there are standbys; else all is zero.
  bool any = false;
  absl::Duration time;
  std::string slowest_in_time;
  double bytes = 0;
  std::string slowest_in_bytes;
  // Standbys that were there a moment ago and are not now: what they lack cannot be known. Empty for none.
  std::string missing;
};

// Follows the standbys of one server from look to look. Its own record of how far the WAL was when makes it
// see a standby that says nothing any more, whose measured lag stands still. Pure; not thread-safe.
//
// A standby that vanishes is waited for: its lag is unknown for kGrace, in which one that restarts or loses
// its connection for a moment is back. After that it is given up: no walk waits for a server that is gone for
// good. What it misses then shows in the lag of its slot, and without a slot nobody knows it.
class ReplicaLagTracker {
 public:
  // Standbys try again every 5 s (wal_retrieve_retry_interval).
  static constexpr absl::Duration kGrace = absl::Seconds(15);

  // `flushed` is how far the WAL can have been sent by now, in bytes.
  ReplicaLag Look(absl::Time now, double flushed, const std::vector<Standby>& standbys);
  // WAL written for each second of about the last one, as far as looks tell.
  double BytesPerSecond() const;

 private:
  std::deque<std::pair<absl::Time, double>> history_;  // positions of the WAL, oldest first
  struct Known {
    int count = 0;  // several standbys may have one name
    absl::Time missing_since = absl::InfiniteFuture();
  };
  std::map<std::string, Known> known_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_REPLICA_LAG_H_
