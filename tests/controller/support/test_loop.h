// A loop whose time passes when a test says so.
#ifndef CURLEW_TESTS_CONTROLLER_SUPPORT_TEST_LOOP_H_
#define CURLEW_TESTS_CONTROLLER_SUPPORT_TEST_LOOP_H_

#include <algorithm>
#include <map>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "controller/dispatch/loop.h"

namespace curlew::testing {

// For the loop and for the clock. One thread.
class TestLoop : public dispatch::Loop, public base::Clock {
 public:
  bool Post(Task task) override {
    PostAfter(absl::ZeroDuration(), std::move(task));
    return true;
  }
  void PostAfter(absl::Duration delay, Task task) override {
    if (delay < absl::InfiniteDuration()) tasks_.emplace(elapsed_ + delay, std::move(task));
  }
  bool Run(absl::FunctionRef<void()> task) override {
    task();
    return true;
  }
  void Stop() override { tasks_.clear(); }
  absl::Duration Elapsed() const override { return elapsed_; }
  absl::Time Now() const override { return absl::UnixEpoch() + elapsed_ + offset_; }

  // Lets `duration` pass.
  void Pass(absl::Duration duration) {
    const absl::Duration end = elapsed_ + duration;
    while (!tasks_.empty() && tasks_.begin()->first <= end) {
      elapsed_ = std::max(elapsed_, tasks_.begin()->first);
      Task task = std::move(tasks_.begin()->second);
      tasks_.erase(tasks_.begin());
      ++ran_;
      task();
    }
    elapsed_ = end;
  }
  // Runs what is due now, and what comes of it at once.
  void RunReady() { Pass(absl::ZeroDuration()); }
  // Sets the wall clock; monotonic time goes on as it was.
  void SetClockBy(absl::Duration offset) { offset_ += offset; }

  int ran() const { return ran_; }
  bool idle() const { return tasks_.empty(); }

 private:
  absl::Duration elapsed_, offset_;
  std::multimap<absl::Duration, Task> tasks_;
  int ran_ = 0;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_CONTROLLER_SUPPORT_TEST_LOOP_H_
