#include "common/base/version.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error_detail.h"
#include "tests/support/status_matchers.h"

namespace curlew::base {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(VersionTest, ReadsThreeNumbersAndLeavesWhatFollows) {
  for (const char* text : {"1.12.3", "1.12.3-rc1", "1.12.3+git", "1.12.3~bpo12"}) {
    const auto version = ParseVersion(text);
    ASSERT_TRUE(version.has_value()) << text;
    EXPECT_EQ(version->major, 1);
    EXPECT_EQ(version->minor, 12);
    EXPECT_EQ(version->patch, 3);
  }
  for (const char* text : {"", "1", "1.2", "1.2.", "v1.2.3", "1.2.3.4", "1.x.3", "-1.2.3", "test",
                           "99999999999.0.0", "1..3", " 1.2.3"}) {
    EXPECT_FALSE(ParseVersion(text).has_value()) << text;
  }
}

TEST(VersionTest, OneMinorVersionEitherWayWorksTogether) {
  const struct {
    Version a, b;
    bool within;
  } kCases[] = {
      {{0, 1, 0}, {0, 1, 9}, true},  {{0, 1, 0}, {0, 2, 0}, true},  {{0, 2, 5}, {0, 1, 0}, true},
      {{0, 1, 0}, {0, 3, 0}, false}, {{0, 3, 0}, {0, 1, 7}, false}, {{1, 0, 0}, {0, 1, 0}, false},
      {{1, 0, 0}, {0, 9, 0}, false}, {{2, 4, 1}, {2, 5, 8}, true},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(WithinSkew(c.a, c.b), c.within) << c.a.major << "." << c.a.minor << " " << c.b.minor;
    EXPECT_EQ(WithinSkew(c.b, c.a), c.within);
  }
}

TEST(VersionTest, ARefusalNamesBothAndSaysWhichToChange) {
  const absl::Status old_agent = CheckSkew({"controller", "0.4.0"}, {"agent", "0.2.1"});
  EXPECT_THAT(old_agent,
              StatusIs(absl::StatusCode::kFailedPrecondition, AllOf(HasSubstr("controller is version 0.4.0"),
                                                                    HasSubstr("the agent version 0.2.1"))));
  EXPECT_EQ(Detail(old_agent, kReason), kVersionSkewReason);
  EXPECT_THAT(Detail(old_agent, kHint), HasSubstr("bring the agent to version 0.4.0"));
  EXPECT_THAT(Detail(CheckSkew({"controller", "0.4.0"}, {"agent", "0.6.0"}), kHint),
              HasSubstr("bring the controller to version 0.6.0"));
  EXPECT_THAT(Detail(CheckSkew({"controller", "1.0.0"}, {"agent", "0.6.0"}), kHint),
              HasSubstr("bring the agent to version 1.0.0"));
}

TEST(VersionTest, WhatCannotBeReadIsLetThrough) {
  EXPECT_THAT(CheckSkew({"controller", "0.4.0"}, {"agent", ""}), IsOk());
  EXPECT_THAT(CheckSkew({"controller", "0.4.0"}, {"agent", "test"}), IsOk());
  EXPECT_THAT(CheckSkew({"controller", "0.4.0"}, {"agent", "0.5.0-rc1"}), IsOk());
}

TEST(VersionTest, ThisProgramHasOneThatCanBeRead) { EXPECT_TRUE(ParseVersion(OwnVersion()).has_value()); }

}  // namespace
}  // namespace curlew::base
