#include "agent/guard/batch_sizer.h"

#include <gtest/gtest.h>

namespace curlew::agent {
namespace {

constexpr absl::Duration kTarget = absl::Milliseconds(50);

TEST(BatchSizerTest, RaisesByHalfAtMost) {
  BatchSizer sizer(kTarget, 16);
  sizer.Took(16, absl::Milliseconds(1));
  EXPECT_EQ(sizer.blocks(), 24);
  sizer.Took(24, absl::Milliseconds(40));
  EXPECT_EQ(sizer.blocks(), 30);
}

TEST(BatchSizerTest, CutsToWhatFitsAtOnce) {
  BatchSizer sizer(kTarget, 100);
  sizer.Took(100, absl::Milliseconds(80));
  EXPECT_EQ(sizer.blocks(), 62);
}

TEST(BatchSizerTest, CutsASpikeToHalfOfWhatFits) {
  BatchSizer sizer(kTarget, 1000);
  sizer.Took(1000, absl::Seconds(5));
  EXPECT_EQ(sizer.blocks(), 5);
}

TEST(BatchSizerTest, NeverGoesBelowOneBlock) {
  BatchSizer sizer(kTarget, 2);
  sizer.Took(2, absl::Minutes(1));
  EXPECT_EQ(sizer.blocks(), 1);
  sizer.Contended();
  EXPECT_EQ(sizer.blocks(), 1);
  sizer.Took(1, absl::Milliseconds(1));
  EXPECT_EQ(sizer.blocks(), 2);
}

TEST(BatchSizerTest, LearnsNothingUpwardsFromAShortLastBatch) {
  BatchSizer sizer(kTarget, 100);
  sizer.Took(3, absl::Milliseconds(1));
  EXPECT_EQ(sizer.blocks(), 100);
}

TEST(BatchSizerTest, StaysStoppableHoweverFastTheServerIs) {
  BatchSizer sizer(kTarget, 16);
  for (int i = 0; i < 100; ++i) sizer.Took(sizer.blocks(), absl::ZeroDuration());
  EXPECT_EQ(sizer.blocks(), 16384);
}

TEST(BatchSizerTest, TakesAQuarterAfterContention) {
  BatchSizer sizer(kTarget, 100);
  sizer.Contended();
  EXPECT_EQ(sizer.blocks(), 25);
}

}  // namespace
}  // namespace curlew::agent
