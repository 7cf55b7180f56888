#include "agent/attempt/row_finder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::StatusIs;

// Fails on ranges that hold one of `bad`; counts its calls.
struct Probe {
  std::set<TidNumber> bad;
  int calls = 0;
  absl::Status operator()(TidNumber from, TidNumber to) {
    ++calls;
    const auto it = bad.lower_bound(from);
    return it != bad.end() && *it < to ? absl::InvalidArgumentError(absl::StrCat("bad ", *it))
                                       : absl::OkStatus();
  }
};

TEST(RowFinderTest, FindsTheFirstBadRowByHalving) {
  Probe probe{.bad = {FirstTid(777) + 13, FirstTid(9000) + 1}};
  absl::Status failure;
  ASSERT_OK_AND_ASSIGN(const auto found,
                       FindFailingTid(FirstTid(0), FirstTid(10000), std::ref(probe), &failure));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(TidText(*found), "(777,13)");
  EXPECT_LT(probe.calls, 70);
  EXPECT_FALSE(failure.ok());
}

TEST(RowFinderTest, FindsTheOnlyRowOfARange) {
  Probe probe{.bad = {FirstTid(0)}};
  absl::Status failure;
  ASSERT_OK_AND_ASSIGN(const auto found,
                       FindFailingTid(FirstTid(0), FirstTid(0) + 1, std::ref(probe), &failure));
  EXPECT_EQ(found, std::optional<TidNumber>(0));
}

TEST(RowFinderTest, FindsNothingWhereEverythingPasses) {
  Probe probe;
  absl::Status failure;
  ASSERT_OK_AND_ASSIGN(const auto found, FindFailingTid(0, FirstTid(8), std::ref(probe), &failure));
  EXPECT_FALSE(found.has_value());
  EXPECT_EQ(probe.calls, 1);
}

TEST(RowFinderTest, FindsNothingWhereTheRowIsMendedMeanwhile) {
  int calls = 0;
  absl::Status failure;
  const auto probe = [&](TidNumber, TidNumber) {
    return ++calls == 1 ? absl::InvalidArgumentError("bad") : absl::OkStatus();
  };
  ASSERT_OK_AND_ASSIGN(const auto found, FindFailingTid(0, FirstTid(8), probe, &failure));
  EXPECT_FALSE(found.has_value());
}

TEST(RowFinderTest, PassesOnWhatIsNotTheRowsFault) {
  absl::Status failure;
  const auto probe = [](TidNumber, TidNumber) { return absl::UnavailableError("the connection broke"); };
  EXPECT_THAT(FindFailingTid(0, FirstTid(8), probe, &failure).status(),
              StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace curlew::agent
