#include "agent/guard/lease_clock.h"

#include <chrono>

namespace curlew::agent {

LeaseClock::LeaseClock(Monotonic now)
    : now_(now ? std::move(now)
               : [] { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }) {}

void LeaseClock::Heard() {
  const absl::Duration now = now_();
  absl::MutexLock lock(&mutex_);
  heard_ = now;
}

void LeaseClock::SetLeaseTime(absl::Duration lease_time) {
  absl::MutexLock lock(&mutex_);
  lease_time_ = lease_time;
}

bool LeaseClock::Valid() const {
  const absl::Duration now = now_();
  absl::MutexLock lock(&mutex_);
  return now < heard_ + lease_time_ - lease_time_ / 5;
}

}  // namespace curlew::agent
