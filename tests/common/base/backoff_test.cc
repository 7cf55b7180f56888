#include "common/base/backoff.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace curlew::base {
namespace {

TEST(BackoffTest, EachPauseLiesBetweenHalfAndTheWholeOfItsBound) {
  std::mt19937 random(1);
  const BackoffOptions options{.first = absl::Milliseconds(50), .longest = absl::Seconds(5), .factor = 2};
  for (int round = 0; round < 200; ++round) {
    Backoff backoff(options, random);
    absl::Duration bound = options.first;
    for (int n = 0; n < 12; ++n) {
      const absl::Duration pause = backoff.Next();
      EXPECT_GE(pause, bound / 2) << n;
      EXPECT_LE(pause, bound) << n;
      bound = std::min(bound * options.factor, options.longest);
    }
  }
}

TEST(BackoffTest, NeverExceedsTheLongestHoweverManyTriesThereWere) {
  std::mt19937 random(2);
  Backoff backoff({.first = absl::Milliseconds(1), .longest = absl::Seconds(2), .factor = 10}, random);
  for (int n = 0; n < 5000; ++n) EXPECT_LE(backoff.Next(), absl::Seconds(2));
  EXPECT_EQ(backoff.tries(), 5000);
}

TEST(BackoffTest, StartsAgainAfterAReset) {
  std::mt19937 random(3);
  Backoff backoff({.first = absl::Milliseconds(10), .longest = absl::Seconds(60), .factor = 2}, random);
  for (int n = 0; n < 10; ++n) backoff.Next();
  backoff.Reset();
  EXPECT_EQ(backoff.tries(), 0);
  EXPECT_LE(backoff.Next(), absl::Milliseconds(10));
}

TEST(BackoffTest, ManyThatFailTogetherDoNotComeBackTogether) {
  std::mt19937 random(4);
  std::set<absl::Duration> pauses;
  for (int peer = 0; peer < 100; ++peer) {
    Backoff backoff({}, random);
    pauses.insert(backoff.Next());
  }
  EXPECT_GT(pauses.size(), 90u);
}

}  // namespace
}  // namespace curlew::base
