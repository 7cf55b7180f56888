#include "agent/guard/throttle.h"

#include <gtest/gtest.h>

namespace curlew::agent {
namespace {

constexpr absl::Duration kBatch = absl::Milliseconds(50);

TEST(ThrottleTest, DoesNotPauseWithoutPressure) {
  Throttle throttle;
  EXPECT_EQ(throttle.PauseAfter(kBatch, {}), absl::ZeroDuration());
  EXPECT_EQ(throttle.share(), 0);
}

TEST(ThrottleTest, PausesLongerWhilePressureLastsUpToASecond) {
  Throttle throttle;
  EXPECT_EQ(throttle.PauseAfter(kBatch, {.sessions_waiting_for_us = 1}), kBatch);
  EXPECT_EQ(throttle.PauseAfter(kBatch, {.sessions_waiting_for_us = 1}), 2 * kBatch);
  for (int i = 0; i < 20; ++i) throttle.PauseAfter(kBatch, {.sessions_waiting_for_us = 3});
  EXPECT_EQ(throttle.PauseAfter(kBatch, {.sessions_waiting_for_us = 1}), absl::Seconds(1));
  EXPECT_GT(throttle.share(), 0.8);
}

TEST(ThrottleTest, StartsFromTheShortestPauseAgainOnceThePressureIsGone) {
  Throttle throttle;
  for (int i = 0; i < 5; ++i) throttle.PauseAfter(kBatch, {.sessions_waiting_for_us = 1});
  EXPECT_EQ(throttle.PauseAfter(kBatch, {}), absl::ZeroDuration());
  EXPECT_EQ(throttle.PauseAfter(kBatch, {.sessions_waiting_for_us = 1}), kBatch);
}

}  // namespace
}  // namespace curlew::agent
