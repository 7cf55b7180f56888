#include "controller/dispatch/thread_loop.h"

#include <chrono>

#include "absl/synchronization/notification.h"

namespace curlew::dispatch {
namespace {

// Not the wall clock: that may be set back, and a lease must not last longer for it.
int64_t MonotonicNanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

ThreadLoop::ThreadLoop() : thread_([this] { Work(); }) {}

ThreadLoop::~ThreadLoop() { Stop(); }

bool ThreadLoop::Post(Task task) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return false;
  tasks_.push_back(std::move(task));
  changed_.Signal();
  return true;
}

void ThreadLoop::PostAfter(absl::Duration delay, Task task) {
  if (delay == absl::InfiniteDuration()) return;
  // A year is for ever here, and far from the clock's end.
  const absl::Duration wait = std::min(std::max(delay, absl::ZeroDuration()), absl::Hours(24 * 365));
  absl::MutexLock lock(&mutex_);
  if (stopping_) return;
  timers_.emplace(std::make_pair(MonotonicNanoseconds() + absl::ToInt64Nanoseconds(wait), next_timer_++),
                  std::move(task));
  changed_.Signal();
}

bool ThreadLoop::Run(absl::FunctionRef<void()> task) {
  if (std::this_thread::get_id() == thread_.get_id()) {
    task();
    return true;
  }
  absl::Notification done;
  if (!Post([&] {
        task();
        done.Notify();
      })) {
    return false;
  }
  done.WaitForNotification();
  return true;
}

void ThreadLoop::Stop() {
  absl::MutexLock stop_lock(&stop_mutex_);
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

absl::Duration ThreadLoop::Elapsed() const { return absl::Nanoseconds(MonotonicNanoseconds()); }

void ThreadLoop::Work() {
  std::map<std::pair<int64_t, int64_t>, Task> dropped;
  mutex_.Lock();
  while (true) {
    if (const int64_t now = MonotonicNanoseconds(); !timers_.empty() && timers_.begin()->first.first <= now) {
      tasks_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
      continue;
    }
    if (!tasks_.empty()) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      mutex_.Unlock();
      task();
      task = nullptr;  // what it owns is destroyed without the lock: it may post
      mutex_.Lock();
      continue;
    }
    if (stopping_) break;
    changed_.WaitFor(&mutex_, timers_.empty()
                                  ? absl::InfiniteDuration()
                                  : absl::Nanoseconds(timers_.begin()->first.first - MonotonicNanoseconds()));
  }
  dropped.swap(timers_);
  mutex_.Unlock();
}

}  // namespace curlew::dispatch
