#include "agent/executor/quiet_time.h"

#include <gtest/gtest.h>

namespace curlew::agent {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'800'000'000);
absl::Time At(int seconds) { return kStart + absl::Seconds(seconds); }

class QuietTimeTest : public ::testing::Test {
 protected:
  QuietTime quiet_{absl::Seconds(10)};
};

TEST_F(QuietTimeTest, IsEnoughOnceNothingWasSeenForSoLong) {
  quiet_.Look(At(0), Seen::kNobody, {});
  EXPECT_FALSE(quiet_.enough());
  quiet_.Look(At(9), Seen::kNobody, {});
  EXPECT_FALSE(quiet_.enough());
  EXPECT_EQ(quiet_.quiet(), absl::Seconds(9));
  quiet_.Look(At(10), Seen::kNobody, {});
  EXPECT_TRUE(quiet_.enough());
}

TEST_F(QuietTimeTest, OneLookIsNeverEnough) {
  QuietTime short_one(absl::Nanoseconds(1));
  short_one.Look(At(0), Seen::kNobody, {5});
  EXPECT_FALSE(short_one.enough()) << "a counter must be seen twice";
  short_one.Look(At(1), Seen::kNobody, {5});
  EXPECT_TRUE(short_one.enough());
}

TEST_F(QuietTimeTest, ASessionBeginsItAnew) {
  quiet_.Look(At(0), Seen::kNobody, {});
  quiet_.Look(At(8), Seen::kSomebody, {});
  EXPECT_EQ(quiet_.quiet(), absl::ZeroDuration());
  quiet_.Look(At(17), Seen::kNobody, {});
  EXPECT_FALSE(quiet_.enough());
  quiet_.Look(At(18), Seen::kNobody, {});
  EXPECT_TRUE(quiet_.enough());
}

TEST_F(QuietTimeTest, ACounterThatMovesBeginsItAnewAndIsCounted) {
  quiet_.Look(At(0), Seen::kNobody, {100, 5});
  EXPECT_EQ(quiet_.writes(), 0) << "what was written before anybody looked does not count";
  quiet_.Look(At(4), Seen::kNobody, {103, 5});
  EXPECT_EQ(quiet_.writes(), 3);
  EXPECT_EQ(quiet_.window(), absl::Seconds(4));
  EXPECT_EQ(quiet_.quiet(), absl::ZeroDuration());
  quiet_.Look(At(6), Seen::kNobody, {103, 9});
  EXPECT_EQ(quiet_.writes(), 7);
  quiet_.Look(At(13), Seen::kNobody, {103, 9});
  EXPECT_EQ(quiet_.writes(), 7);
  EXPECT_EQ(quiet_.window(), absl::Seconds(10));
  EXPECT_FALSE(quiet_.enough());
  quiet_.Look(At(14), Seen::kNobody, {103, 9});
  EXPECT_EQ(quiet_.writes(), 4) << "three of them are too long ago";
  quiet_.Look(At(16), Seen::kNobody, {103, 9});
  EXPECT_EQ(quiet_.writes(), 0);
  EXPECT_TRUE(quiet_.enough());
}

TEST_F(QuietTimeTest, ACounterThatThereIsNotIsNoUse) {
  quiet_.Look(At(0), Seen::kNobody, {std::nullopt, 7});
  quiet_.Look(At(5), Seen::kNobody, {42, std::nullopt});
  EXPECT_EQ(quiet_.writes(), 0);
  quiet_.Look(At(10), Seen::kNobody, {42, std::nullopt});
  EXPECT_TRUE(quiet_.enough());
  quiet_.Look(At(11), Seen::kNobody, {43, std::nullopt});
  EXPECT_EQ(quiet_.writes(), 1);
  EXPECT_FALSE(quiet_.enough());
}

TEST_F(QuietTimeTest, ACounterThatWasSetBackHasMovedToo) {
  quiet_.Look(At(0), Seen::kNobody, {100});
  quiet_.Look(At(5), Seen::kNobody, {1});
  EXPECT_EQ(quiet_.writes(), 1);
  EXPECT_EQ(quiet_.quiet(), absl::ZeroDuration());
}

}  // namespace
}  // namespace curlew::agent
