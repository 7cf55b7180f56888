#include "common/base/id.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "absl/strings/ascii.h"

namespace curlew::base {
namespace {

TEST(RandomIdTest, IsALetterAndThenLettersAndDigits) {
  for (int i = 0; i < 500; ++i) {
    const std::string id = RandomId(12);
    ASSERT_EQ(id.size(), 12u);
    EXPECT_TRUE(absl::ascii_islower(id[0])) << id;
    for (char c : id) EXPECT_TRUE(absl::ascii_islower(c) || absl::ascii_isdigit(c)) << id;
  }
}

TEST(RandomIdTest, IsAnotherEachTime) {
  std::set<std::string> ids;
  for (int i = 0; i < 2000; ++i) ids.insert(RandomId(12));
  EXPECT_EQ(ids.size(), 2000u);
}

}  // namespace
}  // namespace curlew::base
