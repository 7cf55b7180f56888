// Whether a thread gets anywhere.
#ifndef CURLEW_AGENT_GUARD_PULSE_H_
#define CURLEW_AGENT_GUARD_PULSE_H_

#include <atomic>
#include <chrono>
#include <cstdint>

#include "absl/time/time.h"

namespace curlew::agent {

// One thread says when it takes something up and when it has nothing to do; others see how long it has been
// at the same thing. Thread-safe.
class Pulse {
 public:
  // Takes up the next thing.
  void Works() { since_ = Now(); }
  // Waits for something to do.
  void Rests() { since_ = kResting; }
  // While it lives the thread waits for somebody else, the database, and rests therefore. On that thread
  // alone.
  class Elsewhere {
   public:
    // `pulse` must outlive it.
    explicit Elsewhere(Pulse* pulse) : pulse_(pulse), worked_(pulse->since_ != kResting) { pulse_->Rests(); }
    ~Elsewhere() {
      if (worked_) pulse_->Works();
    }
    Elsewhere(const Elsewhere&) = delete;
    Elsewhere& operator=(const Elsewhere&) = delete;

   private:
    Pulse* const pulse_;
    const bool worked_;
  };

  // For how long it has been at the same thing; zero while it rests.
  absl::Duration AtIt() const {
    const int64_t since = since_;
    return since == kResting ? absl::ZeroDuration() : absl::Nanoseconds(Now() - since);
  }

 private:
  static constexpr int64_t kResting = -1;
  // Monotonic.
  static int64_t Now() {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  std::atomic<int64_t> since_ = kResting;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_PULSE_H_
