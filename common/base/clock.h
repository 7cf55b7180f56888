// Time, injected, so that tests need no sleep.
#ifndef CURLEW_COMMON_BASE_CLOCK_H_
#define CURLEW_COMMON_BASE_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace curlew::base {

// A source of wall-clock time. Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

// The system's.
class SystemClock : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_CLOCK_H_
