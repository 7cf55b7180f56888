#include "agent/executor/quiet_time.h"

#include <algorithm>

namespace curlew::agent {

void QuietTime::Look(absl::Time now, Seen sessions, const std::vector<std::optional<int64_t>>& counters) {
  int64_t writes = 0;
  for (size_t i = 0; i < std::min(counters.size(), counters_.size()); ++i) {
    if (!counters[i].has_value() || !counters_[i].has_value() || *counters[i] == *counters_[i]) continue;
    // One that stands lower was set by hand, or is another one of that name: that it moved is all that is
    // known.
    writes += std::max<int64_t>(*counters[i] - *counters_[i], 1);
  }
  counters_ = counters;
  looked_ = now;
  if (!began_.has_value()) {
    began_ = now;
    used_ = now;
  }
  if (writes > 0) writes_.push_back({now, writes});
  if (writes > 0 || sessions == Seen::kSomebody) used_ = now;
  while (!writes_.empty() && now - writes_.front().time >= needed_) writes_.pop_front();
}

int64_t QuietTime::writes() const {
  int64_t sum = 0;
  for (const Writes& writes : writes_) sum += writes.count;
  return sum;
}

absl::Duration QuietTime::window() const { return std::min(needed_, looked_ - *began_); }

}  // namespace curlew::agent
