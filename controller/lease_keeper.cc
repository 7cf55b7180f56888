#include "controller/lease_keeper.h"

#include <time.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace curlew::controller {
namespace {

constexpr double kRenewalsPerTerm = 5;
constexpr double kTriesPerTerm = 10;
constexpr absl::Duration kLongestWait = absl::Milliseconds(500);
// A lease that ends with the process needs no renewal; whether it is still there is seen by a look.
constexpr absl::Duration kLook = absl::Seconds(10);
// Ceases to act so much before the lease ends: a fifth of it.
constexpr double kMargin = 0.2;

absl::Duration BootClock() {
  timespec now = {};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return absl::DurationFromTimespec(now);
}

// What waits go by. It stands still while the machine sleeps, and so do they.
absl::Duration Steady() { return absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()); }

}  // namespace

LeaseKeeper::LeaseKeeper(std::unique_ptr<store::LeaderLease> lease, std::function<void()> changed,
                         Monotonic now)
    : lease_(std::move(lease)),
      changed_(std::move(changed)),
      now_(now ? std::move(now) : BootClock),
      thread_([this] { Work(); }) {}

LeaseKeeper::~LeaseKeeper() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  called_.Signal();
  thread_.join();
}

LeaseKeeper::View LeaseKeeper::First() const {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(&asked_));
  return LookLocked();
}

LeaseKeeper::View LeaseKeeper::Look() const {
  absl::MutexLock lock(&mutex_);
  return LookLocked();
}

LeaseKeeper::View LeaseKeeper::LookLocked() const {
  return {leadership_, leadership_.mine ? valid_until_ - now_() : absl::ZeroDuration(), status_};
}

void LeaseKeeper::Yield(absl::Duration pause) {
  absl::MutexLock lock(&mutex_);
  leadership_ = {};
  yield_ = pause;
  called_.Signal();
}

void LeaseKeeper::Work() {
  while (true) {
    const absl::Duration wait = Try();
    absl::MutexLock lock(&mutex_);
    absl::Duration end = Steady() + wait;
    while (true) {
      if (stopping_ || yield_ > absl::ZeroDuration()) {
        end = Steady() + std::exchange(yield_, absl::ZeroDuration());
        mutex_.Unlock();
        lease_->Release();
        mutex_.Lock();
        if (stopping_) return;
      }
      const absl::Duration left = end - Steady();
      if (yield_ > absl::ZeroDuration()) continue;
      if (left <= absl::ZeroDuration()) break;
      called_.WaitFor(&mutex_, left);
    }
  }
}

absl::Duration LeaseKeeper::Try() {
  const absl::Duration begin = now_();
  const auto held = lease_->Hold();
  const absl::Duration term = lease_->term();
  bool changed = false;
  absl::Duration wait;
  {
    absl::MutexLock lock(&mutex_);
    changed = !asked_ || held.ok() != status_.ok();
    status_ = held.status();
    if (yield_ > absl::ZeroDuration()) return absl::ZeroDuration();  // given up meanwhile
    if (held.ok()) {
      changed = changed || held->mine != leadership_.mine || held->epoch != leadership_.epoch ||
                held->address != leadership_.address;
      leadership_ = *held;
      if (held->mine) valid_until_ = begin + term * (1 - kMargin);
    }
    asked_ = true;
    if (leadership_.mine && held.ok()) {
      wait = std::min(term / kRenewalsPerTerm, kLook);
    } else {
      wait = std::min(term / kTriesPerTerm, kLongestWait);
    }
  }
  if (changed) changed_();
  return wait;
}

}  // namespace curlew::controller
