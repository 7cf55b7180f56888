#include "controller/access/token_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "tests/support/status_matchers.h"

namespace curlew::access {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class FixedClock : public base::Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1000);
};

v1::Token Made(const std::string& name, int64_t made, int64_t ends) {
  v1::Token token;
  token.set_name(absl::StrCat("tokens/", name));
  token.mutable_create_time()->set_seconds(made);
  token.mutable_expire_time()->set_seconds(ends);
  return token;
}

class TokenTableTest : public ::testing::Test {
 protected:
  // The reason and all words of a refusal.
  std::string Refused(const std::string& hash) {
    const absl::Status status = table_.IdentityOf(hash).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
    return absl::StrCat(base::Detail(status, base::kReason), ": ", status.message(), "; ",
                        base::Detail(status, base::kHint));
  }

  FixedClock clock_;
  TokenTable table_{&clock_};
};

TEST_F(TokenTableTest, KnowsWhoShowsATokenUntilItExpires) {
  table_.Load({{"hash-ci", Made("ci", 900, 1100)}, {"hash-cd", Made("cd", 900, 1000)}});
  EXPECT_THAT(table_.IdentityOf("hash-ci"), IsOkAndHolds("token:ci"));
  EXPECT_THAT(Refused("hash-cd"), AllOf(HasSubstr("TOKEN_EXPIRED: "), HasSubstr("the token cd expired at "),
                                        HasSubstr("1970-01-01T00:16:40Z"), HasSubstr("curlew token create")));
  clock_.now = absl::FromUnixSeconds(1100) - absl::Nanoseconds(1);
  EXPECT_THAT(table_.IdentityOf("hash-ci"), IsOkAndHolds("token:ci"));
  clock_.now = absl::FromUnixSeconds(1100);
  EXPECT_THAT(Refused("hash-ci"), HasSubstr("TOKEN_EXPIRED"));
}

TEST_F(TokenTableTest, WhatIsNotKnownIsRefusedWithoutAWordOfIt) {
  EXPECT_THAT(Refused("hash-ci"), AllOf(HasSubstr("TOKEN_UNKNOWN"), Not(HasSubstr("hash-ci"))));
  table_.Add("hash-ci", Made("ci", 900, 1100));
  EXPECT_THAT(table_.IdentityOf("hash-ci"), IsOkAndHolds("token:ci"));
  EXPECT_THAT(Refused(""), HasSubstr("TOKEN_UNKNOWN"));
  table_.Clear();
  EXPECT_THAT(Refused("hash-ci"), HasSubstr("TOKEN_UNKNOWN"));
}

// Also where the name has come again: what was revoked never counts again.
TEST_F(TokenTableTest, OfOneNameTheNewestIsRevokedAndTheOldOneStaysSo) {
  v1::Token revoked = Made("ci", 900, 1100);
  revoked.mutable_revoke_time()->set_seconds(950);
  table_.Load({{"new", Made("ci", 960, 1200)}, {"old", revoked}});
  EXPECT_THAT(Refused("old"),
              AllOf(HasSubstr("TOKEN_REVOKED"), HasSubstr("revoked at 1970-01-01T00:15:50Z")));
  EXPECT_THAT(table_.IdentityOf("new"), IsOkAndHolds("token:ci"));
  v1::Token again = Made("ci", 960, 1200);
  again.mutable_revoke_time()->set_seconds(999);
  table_.Update(again);
  EXPECT_THAT(Refused("new"), HasSubstr("revoked at 1970-01-01T00:16:39Z"));
  EXPECT_THAT(Refused("old"), HasSubstr("revoked at 1970-01-01T00:15:50Z"));
  table_.Add("newest", Made("ci", 1000, 1200));
  EXPECT_THAT(table_.IdentityOf("newest"), IsOkAndHolds("token:ci"));
  EXPECT_THAT(Refused("new"), HasSubstr("TOKEN_REVOKED"));
}

TEST_F(TokenTableTest, MayBeAskedWhileItChanges) {
  std::thread asks([this] {
    for (int i = 0; i < 2000; ++i) {
      const auto identity = table_.IdentityOf("hash");
      EXPECT_TRUE(!identity.ok() || *identity == "token:ci");
    }
  });
  for (int i = 0; i < 500; ++i) {
    table_.Load({{"hash", Made("ci", 900, 1100)}});
    table_.Update(Made("ci", 900, 1100));
    table_.Clear();
  }
  asks.join();
}

TEST(TokenNameTest, HasLettersDigitsAndDashes) {
  for (const std::string& good : {std::string("ci"), std::string("nightly-report-2"), std::string(63, 'a')}) {
    EXPECT_OK(CheckTokenName(good)) << good;
  }
  for (const std::string& bad : {std::string(), std::string("CI"), std::string("a.b"), std::string("-a"),
                                 std::string("a-"), std::string("a/b"), std::string("a b"), std::string("*"),
                                 std::string(64, 'a'), std::string("a:b"), std::string("\xc3\xbc")}) {
    EXPECT_THAT(CheckTokenName(bad), curlew::testing::StatusIs(absl::StatusCode::kInvalidArgument)) << bad;
  }
}

}  // namespace
}  // namespace curlew::access
