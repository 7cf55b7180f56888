#include "agent/executor/words.h"

#include <gtest/gtest.h>

namespace curlew::agent {
namespace {

TEST(WordsTest, CountsAreGroupedByThousands) {
  EXPECT_EQ(CountOf(0, "row"), "0 rows");
  EXPECT_EQ(CountOf(1, "row"), "1 row");
  EXPECT_EQ(CountOf(999, "row"), "999 rows");
  EXPECT_EQ(CountOf(1000, "row"), "1,000 rows");
  EXPECT_EQ(CountOf(1234567, "row"), "1,234,567 rows");
}

TEST(WordsTest, SizesHaveTwoDigitsThatMatter) {
  EXPECT_EQ(SizeOf(0), "0 kB");
  EXPECT_EQ(SizeOf(640 << 10), "640 kB");
  EXPECT_EQ(SizeOf(66 << 20), "66 MB");
  EXPECT_EQ(SizeOf(1288490188), "1.2 GB");
}

TEST(WordsTest, TimesAreSecondsUntilAMinute) {
  EXPECT_EQ(TimeOf(absl::Milliseconds(420)), "0.4 s");
  EXPECT_EQ(TimeOf(absl::Seconds(12)), "12 s");
  EXPECT_EQ(TimeOf(absl::Seconds(3723)), "1h2m3s");
}

}  // namespace
}  // namespace curlew::agent
