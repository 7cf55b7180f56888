#include "common/lint/allow.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace curlew::lint {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(AllowTest, ReadsHazardsAndReason) {
  const auto allow = ParseAllow("-- curlew:allow rewrites-table the table is empty");
  ASSERT_TRUE(allow.has_value());
  EXPECT_EQ(allow->scope, Allow::Scope::kStatement);
  EXPECT_THAT(allow->hazards, ElementsAre("rewrites-table"));
  EXPECT_EQ(allow->reason, "the table is empty");
}

TEST(AllowTest, ReadsSeveralHazardsHoweverTheCommasStand) {
  for (const char* comment :
       {"-- curlew:allow a,b,c why", "--curlew:allow a, b ,c  why", "/* curlew:allow a , b,\n c\n why */"}) {
    const auto allow = ParseAllow(comment);
    ASSERT_TRUE(allow.has_value()) << comment;
    EXPECT_THAT(allow->hazards, ElementsAre("a", "b", "c")) << comment;
    EXPECT_EQ(allow->reason, "why") << comment;
  }
}

TEST(AllowTest, ReadsWhatHoldsForTheFile) {
  const auto allow = ParseAllow("-- curlew:allow-file a why, indeed");
  ASSERT_TRUE(allow.has_value());
  EXPECT_EQ(allow->scope, Allow::Scope::kFile);
  EXPECT_EQ(allow->reason, "why, indeed");
}

TEST(AllowTest, TellsWhatIsMissing) {
  EXPECT_THAT(ParseAllow("-- curlew:allow")->hazards, IsEmpty());
  EXPECT_EQ(ParseAllow("-- curlew:allow a")->reason, "");
  EXPECT_EQ(ParseAllow("-- curlew:allow a, b")->reason, "");
}

TEST(AllowTest, OtherCommentsAllowNothing) {
  for (const char* comment : {"-- see curlew:allow a b", "-- curlew:allowed a b", "-- curlew: allow a b",
                              "--", "/**/", "/*", "-- curlew:allow-files a b"}) {
    EXPECT_FALSE(ParseAllow(comment).has_value()) << comment;
  }
}

}  // namespace
}  // namespace curlew::lint
