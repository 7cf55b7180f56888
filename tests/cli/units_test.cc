#include "cli/units.h"

#include "gtest/gtest.h"

namespace curlew::cli {
namespace {

constexpr Style kAscii;
constexpr Style kUnicode = {Style::Colour::kOff, Style::Glyphs::kUnicode};

TEST(UnitsTest, DurationsGetCoarserAsTheyGrow) {
  EXPECT_EQ(ShortDuration(absl::ZeroDuration()), "0s");
  EXPECT_EQ(ShortDuration(-absl::Seconds(3)), "0s");
  EXPECT_EQ(ShortDuration(absl::Microseconds(3)), "1ms");
  EXPECT_EQ(ShortDuration(absl::Milliseconds(850)), "850ms");
  EXPECT_EQ(ShortDuration(absl::Milliseconds(4250)), "4.2s");
  EXPECT_EQ(ShortDuration(absl::Seconds(42)), "42s");
  EXPECT_EQ(ShortDuration(absl::Seconds(187)), "3m07s");
  EXPECT_EQ(ShortDuration(absl::Minutes(125)), "2h05m");
  EXPECT_EQ(ShortDuration(absl::Hours(76)), "3d4h");
  EXPECT_EQ(ShortDuration(absl::InfiniteDuration()), "forever");
}

TEST(UnitsTest, WholeDurationsHaveNoTenths) {
  EXPECT_EQ(WholeDuration(absl::Milliseconds(4250)), "4s");
  EXPECT_EQ(WholeDuration(absl::Milliseconds(850)), "0s");
  EXPECT_EQ(WholeDuration(-absl::Seconds(3)), "0s");
  EXPECT_EQ(WholeDuration(absl::Milliseconds(187'900)), "3m07s");
}

TEST(UnitsTest, CountsHaveThousandsApart) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatCount(-1234), "-1,234");
  EXPECT_EQ(FormatCount(-123), "-123");
  EXPECT_EQ(FormatRate(43210.4), "43,210 rows/s");
}

TEST(UnitsTest, PercentIsRoundedDownSoThatAHundredMeansAll) {
  EXPECT_EQ(FormatPercent(0.999), "99%");
  EXPECT_EQ(FormatPercent(1), "100%");
  EXPECT_EQ(FormatPercent(0.29), "29%");
  EXPECT_EQ(FormatPercent(-1), "0%");
  EXPECT_EQ(FormatPercent(7), "100%");
}

TEST(UnitsTest, BarsAreAsWideAsAsked) {
  for (double fraction : {-1.0, 0.0, 0.01, 0.33, 0.5, 0.999, 1.0, 2.0}) {
    EXPECT_EQ(DisplayWidth(Bar(fraction, 20, kUnicode)), 20) << fraction;
    EXPECT_EQ(DisplayWidth(Bar(fraction, 20, kAscii)), 20) << fraction;
  }
  EXPECT_EQ(Bar(0.5, 12, kAscii), "[#####.....]");
  EXPECT_EQ(Bar(0.5, 4, kUnicode), "██░░");
  EXPECT_EQ(Bar(0.3125, 4, kUnicode), "█▎░░");
}

TEST(UnitsTest, TimesThatWereNeverSetAreDashes) {
  const absl::TimeZone utc = absl::UTCTimeZone();
  EXPECT_EQ(ShortTime(absl::UnixEpoch(), utc), "-");
  EXPECT_EQ(ShortTime(absl::FromUnixSeconds(1'000'000'000), utc), "2001-09-09 01:46:40");
  EXPECT_EQ(FormatClock(absl::FromUnixSeconds(1'000'000'000), utc), "01:46:40");
  EXPECT_EQ(FormatAge(absl::UnixEpoch(), absl::FromUnixSeconds(5)), "-");
  EXPECT_EQ(FormatAge(absl::FromUnixSeconds(5), absl::FromUnixMillis(8'700)), "3s");
}

}  // namespace
}  // namespace curlew::cli
