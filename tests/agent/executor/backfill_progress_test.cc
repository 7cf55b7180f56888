#include "agent/executor/backfill_progress.h"

#include <gtest/gtest.h>

#include "absl/time/clock.h"

namespace curlew::agent {
namespace {

TEST(BackfillProgressTest, TellsShareRateAndTimeLeft) {
  const absl::Time start = absl::FromUnixSeconds(1000);
  BackfillProgress progress(1000, start);
  progress.SetLeaf({.leaf = 1, .leaf_name = "public.t", .blocks = 100});
  progress.Report(0, start);
  progress.SetLeaf({.leaf = 1, .leaf_name = "public.t", .blocks = 100, .next_block = 25, .rows = 250});
  const v1::Progress report = progress.Report(0.25, start + absl::Seconds(1));
  EXPECT_EQ(report.rows_done(), 250);
  EXPECT_EQ(report.rows_total(), 1000);
  EXPECT_DOUBLE_EQ(report.fraction(), 0.25);
  EXPECT_DOUBLE_EQ(report.rows_per_second(), 250);
  EXPECT_EQ(report.eta().seconds(), 3);
  EXPECT_DOUBLE_EQ(report.throttle(), 0.25);
  EXPECT_EQ(report.message(), "public.t: block 25 of 100");
}

TEST(BackfillProgressTest, RowsOfEarlierAttemptsAreNoRate) {
  const absl::Time start = absl::FromUnixSeconds(1000);
  BackfillProgress progress(0, start);
  progress.SetLeaf({.leaf = 1, .leaf_name = "public.t", .blocks = 100, .next_block = 50, .rows = 5000});
  progress.Report(0, start);
  progress.SetLeaf({.leaf = 1, .leaf_name = "public.t", .blocks = 100, .next_block = 51, .rows = 5100});
  const v1::Progress report = progress.Report(0, start + absl::Seconds(1));
  EXPECT_DOUBLE_EQ(report.rows_per_second(), 100);
  EXPECT_EQ(report.rows_total(), 5100);
}

TEST(BackfillProgressTest, CountsPartitionsThatWereNotReachedYet) {
  BackfillProgress progress(0, absl::FromUnixSeconds(0));
  progress.SetLeafCount(4);
  progress.SetLeaf({.leaf = 1, .blocks = 100, .next_block = 100});
  EXPECT_DOUBLE_EQ(progress.Report(0, absl::FromUnixSeconds(0)).fraction(), 0.25);
}

TEST(BackfillProgressTest, AnEmptyTableIsDone) {
  BackfillProgress progress(0, absl::FromUnixSeconds(0));
  EXPECT_DOUBLE_EQ(progress.Report(0, absl::FromUnixSeconds(0)).fraction(), 1);
}

}  // namespace
}  // namespace curlew::agent
