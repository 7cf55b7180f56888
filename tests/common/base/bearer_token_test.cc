#include "common/base/bearer_token.h"

#include <gtest/gtest.h>

namespace curlew::base {
namespace {

TEST(BearerTokenTest, HasItsFormAndIsNeverTheSame) {
  const std::string one = NewBearerToken(), two = NewBearerToken();
  EXPECT_NE(one, two);
  EXPECT_EQ(one.size(), 50u);
  EXPECT_TRUE(IsBearerToken(one)) << one.size();
  for (const std::string& bad :
       {std::string(), std::string("curlew_"), one.substr(1), one + "a", one.substr(0, 49),
        one.substr(0, 49) + "=", one.substr(0, 49) + " ", std::string("Curlew_") + one.substr(7),
        one.substr(0, 49) + std::string(1, '\0')}) {
    EXPECT_FALSE(IsBearerToken(bad));
  }
}

}  // namespace
}  // namespace curlew::base
