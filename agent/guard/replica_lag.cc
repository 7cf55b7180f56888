#include "agent/guard/replica_lag.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace curlew::agent {
namespace {

// Lags beyond this are all the same to whoever judges them.
constexpr absl::Duration kRemembered = absl::Minutes(2);

}  // namespace

ReplicaLag ReplicaLagTracker::Look(absl::Time now, double flushed, const std::vector<Standby>& standbys) {
  history_.emplace_back(now, flushed);
  while (history_.size() > 1 && now - history_.front().first > kRemembered) history_.pop_front();

  ReplicaLag lag;
  lag.any = !standbys.empty();
  std::map<std::string, int> counts;
  for (const Standby& standby : standbys) {
    ++counts[standby.name];
    if (standby.replayed >= flushed) continue;
    // It has lacked something since the first look at which the WAL was further than it is; only what is
    // older than all looks must be taken from the server.
    const auto since =
        std::upper_bound(history_.begin(), history_.end(), standby.replayed,
                         [](double position, const auto& look) { return position < look.second; });
    absl::Duration time = now - since->first;
    if (since == history_.begin()) time = std::max(time, standby.measured);
    if (time > lag.time) {
      lag.time = time;
      lag.slowest_in_time = standby.name;
    }
    if (flushed - standby.replayed > lag.bytes) {
      lag.bytes = flushed - standby.replayed;
      lag.slowest_in_bytes = standby.name;
    }
  }
  for (const auto& [name, count] : counts) {
    Known& known = known_[name];
    known.count = std::max(known.count, count);
  }
  for (auto it = known_.begin(); it != known_.end();) {
    Known& known = it->second;
    const auto seen = counts.find(it->first);
    const int count = seen == counts.end() ? 0 : seen->second;
    if (count >= known.count) {
      known.missing_since = absl::InfiniteFuture();
    } else if (known.missing_since == absl::InfiniteFuture()) {
      known.missing_since = now;
    } else if (now - known.missing_since >= kGrace) {
      known = {.count = count};
    }
    if (known.missing_since != absl::InfiniteFuture()) {
      absl::StrAppend(&lag.missing, lag.missing.empty() ? "" : ", ", it->first);
    }
    it = known.count == 0 ? known_.erase(it) : std::next(it);
  }
  return lag;
}

double ReplicaLagTracker::BytesPerSecond() const {
  if (history_.size() < 2) return 0;
  const auto& [now, position] = history_.back();
  auto from = std::prev(history_.end(), 2);
  while (from != history_.begin() && now - from->first < absl::Seconds(1)) --from;
  const double seconds = absl::ToDoubleSeconds(now - from->first);
  return seconds <= 0 ? 0 : std::max(0.0, position - from->second) / seconds;
}

}  // namespace curlew::agent
