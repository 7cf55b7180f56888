#include "common/pki/identity.h"

#include "common/base/error_detail.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace curlew::pki {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;

TEST(IdentityTest, IsAUriAndBack) {
  const std::pair<Identity, std::string> all[] = {
      {{"curlew", Party::kController, ""}, "spiffe://curlew/controller"},
      {{"curlew", Party::kAgent, "staging-crm"}, "spiffe://curlew/agent/staging-crm"},
      {{"db.example.com", Party::kUser, "ann.lee"}, "spiffe://db.example.com/user/ann.lee"},
      {{"curlew", Party::kAgent, "controller"}, "spiffe://curlew/agent/controller"}};
  for (const auto& [identity, uri] : all) {
    EXPECT_EQ(Uri(identity), uri);
    EXPECT_THAT(ParseUri(uri), IsOkAndHolds(identity));
  }
}

TEST(IdentityTest, OtherUrisAreNone) {
  for (const char* uri :
       {"", "spiffe://", "spiffe://curlew", "spiffe://curlew/", "spiffe://curlew/controller/",
        "spiffe://curlew/controller/x", "spiffe://curlew/agent", "spiffe://curlew/agent/",
        "spiffe://curlew/agent/a/b", "spiffe://curlew/agent/A", "spiffe://curlew/agent/..",
        "spiffe://curlew/agent/a%2fb", "spiffe://curlew/robot/x", "spiffe:///agent/x",
        "https://curlew/agent/x", "SPIFFE://curlew/agent/x", "spiffe://curlew/agent/x?y"}) {
    EXPECT_THAT(ParseUri(uri), StatusIs(absl::StatusCode::kInvalidArgument)) << uri;
  }
}

TEST(IdentityTest, NamesAreThoseOfDns) {
  for (const char* name : {"a", "0", "staging-crm", "ann.lee", "a.b.c"}) EXPECT_OK(CheckName(name)) << name;
  EXPECT_OK(CheckName(std::string(63, 'a')));
  for (const std::string& name :
       {std::string(), std::string(64, 'a'), std::string("Crm"), std::string("a_b"), std::string("-a"),
        std::string("a-"), std::string("."), std::string(".."), std::string("../a"), std::string("a/b"),
        std::string("a..b"), std::string("a b"), std::string("a,DNS:b"), std::string("a\nb"),
        std::string("a\0b", 3), std::string("ä")}) {
    const absl::Status status = CheckName(name);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument)) << name;
    EXPECT_NE(base::Detail(status, base::kHint), "");
  }
}

}  // namespace
}  // namespace curlew::pki
