#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/pg/connection.h"

namespace curlew::pg {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

Result One(std::optional<std::string> value) { return Result({"c"}, {{std::move(value)}}, 0); }

TEST(ResultTest, TakesNullForTheZeroOfEachType) {
  const Result null = One(std::nullopt);
  EXPECT_TRUE(null.IsNull(0, 0));
  EXPECT_EQ(null.Text(0, 0), "");
  EXPECT_EQ(null.Int(0, 0), 0);
  EXPECT_EQ(null.Double(0, 0), 0);
  EXPECT_FALSE(null.Bool(0, 0));
  EXPECT_THAT(null.Array(0, 0), IsEmpty());
}

TEST(ResultTest, ReadsNumbersAndBooleans) {
  EXPECT_EQ(One("-9223372036854775808").Int(0, 0), INT64_MIN);
  EXPECT_EQ(One("1.5e3").Double(0, 0), 1500);
  EXPECT_TRUE(One("t").Bool(0, 0));
  EXPECT_FALSE(One("f").Bool(0, 0));
}

TEST(ResultTest, ReadsArraysWithHostileElements) {
  EXPECT_THAT(One("{}").Array(0, 0), IsEmpty());
  EXPECT_THAT(One("{a,b}").Array(0, 0), ElementsAre("a", "b"));
  EXPECT_THAT(One(R"({"a,b","\"{}\\",NULL,"NULL",""})").Array(0, 0),
              ElementsAre("a,b", "\"{}\\", "", "NULL", ""));
}

TEST(ResultTest, WritesArraysThatItCanRead) {
  const std::vector<std::string> hostile = {"", "NULL", "a,b", "{}", "\"\\'", " x ", "ä\n"};
  EXPECT_EQ(One(ArrayParam(hostile)).Array(0, 0), hostile);
  EXPECT_EQ(ArrayParam({}), "{}");
}

TEST(ResultDeathTest, ANumberThatIsNoneIsAMistakeOfOurs) {
  EXPECT_DEATH(One("x").Int(0, 0), "no integer: x");
}

}  // namespace
}  // namespace curlew::pg
