#include "agent/backfill/progress.h"

#include <gtest/gtest.h>

#include "common/base/proto_time.h"

namespace curlew::agent {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'000'000);
using Pace = WalkProgress::Pace;

RangeQueue::Totals Totals(int64_t rows, double done, double total) {
  return {.rows = rows, .blocks_done = done, .blocks_total = total, .leaves_known = 1, .leaves = 1};
}

TEST(WalkProgressTest, TellsShareRateAndTimeLeft) {
  WalkProgress progress(1000, kStart);
  progress.Report(Totals(0, 0, 100), Pace::kWorks, kStart);
  const v1::Progress report = progress.Report(Totals(250, 25, 100), Pace::kWorks, kStart + absl::Seconds(1));
  EXPECT_EQ(report.rows_done(), 250);
  EXPECT_EQ(report.rows_total(), 1000);
  EXPECT_EQ(report.blocks_done(), 25);
  EXPECT_EQ(report.blocks_total(), 100);
  EXPECT_DOUBLE_EQ(report.fraction(), 0.25);
  EXPECT_DOUBLE_EQ(report.rows_per_second(), 250);
  EXPECT_EQ(base::FromProto(report.eta()), absl::Seconds(3));
}

TEST(WalkProgressTest, RowsOfEarlierAttemptsAreNoRate) {
  WalkProgress progress(1000, kStart);
  progress.Report(Totals(900, 90, 100), Pace::kWorks, kStart);
  const v1::Progress report = progress.Report(Totals(910, 91, 100), Pace::kWorks, kStart + absl::Seconds(1));
  EXPECT_DOUBLE_EQ(report.rows_per_second(), 10);
}

TEST(WalkProgressTest, CountsHeapsThatWereNotReachedYet) {
  WalkProgress progress(0, kStart);
  RangeQueue::Totals totals = Totals(10, 100, 100);
  totals.leaves = 4;
  EXPECT_DOUBLE_EQ(progress.Report(totals, Pace::kWorks, kStart).fraction(), 0.25);
}

TEST(WalkProgressTest, AnEmptyTableIsDone) {
  WalkProgress progress(0, kStart);
  EXPECT_DOUBLE_EQ(progress.Report(Totals(0, 0, 0), Pace::kWorks, kStart).fraction(), 1);
}

TEST(WalkProgressTest, AWalkByKeyGoesByRows) {
  WalkProgress progress(200, kStart);
  RangeQueue::Totals totals = Totals(50, 0, 0);
  totals.by_key = true;
  EXPECT_DOUBLE_EQ(progress.Report(totals, Pace::kWorks, kStart).fraction(), 0.25);
}

TEST(WalkProgressTest, TellsTheShareOfTimeSpentInPauses) {
  WalkProgress progress(1000, kStart);
  absl::Time now = kStart;
  for (int i = 0; i < 100; ++i)
    progress.Report(Totals(1, 1, 100), Pace::kPauses, now += absl::Milliseconds(500));
  EXPECT_GT(progress.Report(Totals(1, 1, 100), Pace::kPauses, now).throttle(), 0.9);
  for (int i = 0; i < 100; ++i)
    progress.Report(Totals(1, 1, 100), Pace::kWorks, now += absl::Milliseconds(500));
  EXPECT_LT(progress.Report(Totals(1, 1, 100), Pace::kWorks, now).throttle(), 0.1);
}

}  // namespace
}  // namespace curlew::agent
