#include "agent/guard/lease_clock.h"

#include <gtest/gtest.h>

namespace curlew::agent {
namespace {

class LeaseClockTest : public ::testing::Test {
 protected:
  absl::Duration now_ = absl::Hours(1);
  LeaseClock lease_{[this] { return now_; }};
};

TEST_F(LeaseClockTest, IsNotValidBeforeTheControllerHasSpoken) {
  lease_.SetLeaseTime(absl::Seconds(15));
  EXPECT_FALSE(lease_.Valid());
}

TEST_F(LeaseClockTest, EndsAFifthBeforeTheControllerWouldGiveTheTargetAway) {
  lease_.SetLeaseTime(absl::Seconds(15));
  lease_.Heard();
  now_ += absl::Milliseconds(11999);
  EXPECT_TRUE(lease_.Valid());
  now_ += absl::Milliseconds(1);
  EXPECT_FALSE(lease_.Valid());
}

TEST_F(LeaseClockTest, GoesOnWithEveryWordHeard) {
  lease_.SetLeaseTime(absl::Seconds(15));
  for (int i = 0; i < 5; ++i) {
    lease_.Heard();
    now_ += absl::Seconds(10);
    EXPECT_TRUE(lease_.Valid());
  }
}

}  // namespace
}  // namespace curlew::agent
