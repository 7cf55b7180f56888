#include "agent/guard/batch_sizer.h"

#include <gtest/gtest.h>

namespace curlew::agent {
namespace {

constexpr absl::Duration kTarget = absl::Milliseconds(50);

TEST(BatchSizerTest, RaisesByHalfAtMost) {
  BatchSizer sizer(kTarget, 16, 1 << 20);
  sizer.Took(16, absl::Milliseconds(1));
  EXPECT_EQ(sizer.size(), 24);
  sizer.Took(24, absl::Milliseconds(40));
  EXPECT_EQ(sizer.size(), 30);
}

TEST(BatchSizerTest, CutsToWhatFitsAtOnce) {
  BatchSizer sizer(kTarget, 100, 1 << 20);
  sizer.Took(100, absl::Milliseconds(80));
  EXPECT_EQ(sizer.size(), 62);
}

TEST(BatchSizerTest, CutsASpikeToHalfOfWhatFits) {
  BatchSizer sizer(kTarget, 1000, 1 << 20);
  sizer.Took(1000, absl::Seconds(5));
  EXPECT_EQ(sizer.size(), 5);
}

TEST(BatchSizerTest, NeverGoesBelowOneUnit) {
  BatchSizer sizer(kTarget, 2, 1 << 20);
  sizer.Took(2, absl::Minutes(1));
  EXPECT_EQ(sizer.size(), 1);
  sizer.Cut();
  EXPECT_EQ(sizer.size(), 1);
  sizer.Took(1, absl::Milliseconds(1));
  EXPECT_EQ(sizer.size(), 2);
}

TEST(BatchSizerTest, LearnsNothingUpwardsFromAShortLastBatch) {
  BatchSizer sizer(kTarget, 100, 1 << 20);
  sizer.Took(3, absl::Milliseconds(1));
  EXPECT_EQ(sizer.size(), 100);
}

TEST(BatchSizerTest, DoesNotShrinkBecauseCommitsAreSlow) {
  BatchSizer sizer(kTarget, 100, 1 << 20);
  for (int i = 0; i < 100; ++i) sizer.Took(100, absl::Milliseconds(25), absl::Milliseconds(200));
  EXPECT_EQ(sizer.size(), 100);
  // What is left of the target is the rows'.
  sizer.Took(100, absl::Milliseconds(40), absl::Milliseconds(20));
  EXPECT_EQ(sizer.size(), 75);
}

TEST(BatchSizerTest, StaysStoppableHoweverFastTheServerIs) {
  BatchSizer sizer(kTarget, 16, 16384);
  for (int i = 0; i < 100; ++i) sizer.Took(sizer.size(), absl::ZeroDuration());
  EXPECT_EQ(sizer.size(), 16384);
}

TEST(BatchSizerTest, TakesAQuarterAfterContention) {
  BatchSizer sizer(kTarget, 100, 1 << 20);
  sizer.Cut();
  EXPECT_EQ(sizer.size(), 25);
}

}  // namespace
}  // namespace curlew::agent
