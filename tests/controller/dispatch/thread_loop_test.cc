#include "controller/dispatch/thread_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"

namespace curlew::dispatch {
namespace {

using ::testing::ElementsAre;

TEST(ThreadLoopTest, RunsTasksInTheOrderInWhichTheyWerePosted) {
  std::vector<int> ran;
  ThreadLoop loop;
  for (int i = 0; i < 3; ++i) loop.Post([&ran, i] { ran.push_back(i); });
  loop.Run([] {});
  EXPECT_THAT(ran, ElementsAre(0, 1, 2));
}

TEST(ThreadLoopTest, RunsTimersByTheirTimeAndNotBefore) {
  std::vector<int> ran;
  absl::Notification done;
  ThreadLoop loop;
  const absl::Time begin = absl::Now();
  loop.PostAfter(absl::Milliseconds(60), [&] { done.Notify(); });
  loop.PostAfter(absl::Milliseconds(30), [&] { ran.push_back(2); });
  loop.PostAfter(absl::Milliseconds(10), [&] { ran.push_back(1); });
  loop.PostAfter(-absl::Seconds(1), [&] { ran.push_back(0); });
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_GE(absl::Now() - begin, absl::Milliseconds(55));
  EXPECT_THAT(ran, ElementsAre(0, 1, 2));
}

TEST(ThreadLoopTest, StopRunsWhatWasPostedAndDropsTimers) {
  int ran = 0;
  const auto held = std::make_shared<int>();
  ThreadLoop loop;
  loop.PostAfter(absl::Hours(1), [&ran, held] { ran += 100; });
  loop.PostAfter(absl::InfiniteDuration(), [&ran, held] { ran += 100; });
  for (int i = 0; i < 10; ++i) loop.Post([&] { ++ran; });
  loop.Stop();
  EXPECT_EQ(ran, 10);
  EXPECT_EQ(held.use_count(), 1) << "a dropped timer is destroyed";
  loop.Stop();
}

TEST(ThreadLoopTest, TakesNothingAfterStop) {
  ThreadLoop loop;
  loop.Stop();
  EXPECT_FALSE(loop.Post([] { FAIL(); }));
  EXPECT_FALSE(loop.Run([] { FAIL(); }));
  loop.PostAfter(absl::ZeroDuration(), [] { FAIL(); });
}

TEST(ThreadLoopTest, RunOnItsOwnThreadDoesNotWaitForItself) {
  ThreadLoop loop;
  bool inner = false;
  loop.Run([&] { loop.Run([&] { inner = true; }); });
  EXPECT_TRUE(inner);
}

TEST(ThreadLoopTest, ATaskMayPostWhenItIsDestroyed) {
  absl::Notification done;
  ThreadLoop loop;
  const auto post = [&](int*) { loop.Post([&] { done.Notify(); }); };
  static int something;
  loop.Post([guard = std::unique_ptr<int, decltype(post)>(&something, post)] {});
  EXPECT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(10)));
}

}  // namespace
}  // namespace curlew::dispatch
