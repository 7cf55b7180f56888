// What the bearer tokens of every RolloutStore promise. Each implementation passes all of it: a test that
// includes this says
//   INSTANTIATE_TYPED_TEST_SUITE_P(Name, TokenStoreTest, Implementation);
// with an Implementation as RolloutStoreTest wants it.
#ifndef CURLEW_TESTS_CONTROLLER_STORE_TOKEN_STORE_SUITE_H_
#define CURLEW_TESTS_CONTROLLER_STORE_TOKEN_STORE_SUITE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/store/rollout_store.h"
#include "tests/controller/store/builders.h"
#include "tests/support/status_matchers.h"

namespace curlew::store {

template <typename Implementation>
class TokenStoreTest : public ::testing::Test {
 protected:
  RolloutStore& store() { return implementation_.store(); }
  TokenStore& tokens() { return implementation_.store().tokens(); }
  TokenStore& other() { return implementation_.other().tokens(); }

  // "ci a" of each, or "ci a revoked", in the order of the list.
  std::vector<std::string> Listed(TokenStore& tokens, const Page& page = {}, std::string* next = nullptr) {
    std::string ignored;
    const auto entries = tokens.ListTokens(page, next == nullptr ? &ignored : next);
    EXPECT_OK(entries);
    std::vector<std::string> listed;
    if (!entries.ok()) return listed;
    for (const TokenEntry& entry : *entries) {
      listed.push_back(absl::StrCat(entry.token.name(), " ", entry.hash.substr(0, 1),
                                    entry.token.has_revoke_time() ? " revoked" : ""));
    }
    return listed;
  }
  std::vector<std::string> Actions() {
    std::vector<std::string> actions;
    const auto entries = store().records().ListAudit(0, 100);
    EXPECT_OK(entries);
    for (const v1::AuditEntry& entry : *entries) actions.push_back(entry.action());
    return actions;
  }

 private:
  Implementation implementation_;
};
TYPED_TEST_SUITE_P(TokenStoreTest);

TYPED_TEST_P(TokenStoreTest, KeepsWhatIsAddedWithItsRecordNewestFirst) {
  using ::testing::ElementsAre;
  std::string next = "left over";
  EXPECT_THAT(this->Listed(this->tokens(), {}, &next), ::testing::IsEmpty());
  EXPECT_EQ(next, "");
  ASSERT_OK(this->tokens().AddToken(MakeToken("tokens/ci", 'a', 1000), MakeRecord({"token.create"})));
  ASSERT_OK(this->tokens().AddToken(MakeToken("tokens/cd", 'b', 1000), {}));
  ASSERT_OK(this->tokens().AddToken(MakeToken("tokens/report", 'c', 900), {}));
  EXPECT_THAT(this->Listed(this->tokens()), ElementsAre("tokens/report c", "tokens/cd b", "tokens/ci a"));
  EXPECT_THAT(this->Listed(this->other()), ElementsAre("tokens/report c", "tokens/cd b", "tokens/ci a"));
  EXPECT_THAT(this->Listed(this->tokens(), {.size = 2}, &next),
              ElementsAre("tokens/report c", "tokens/cd b"));
  EXPECT_THAT(this->Listed(this->tokens(), {.size = 2, .token = next}, &next), ElementsAre("tokens/ci a"));
  EXPECT_EQ(next, "");
  EXPECT_THAT(this->tokens().ListTokens({.token = "forged"}, &next),
              curlew::testing::StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(this->Actions(), ElementsAre("token.create"));
  ASSERT_OK_AND_ASSIGN(const auto entries, this->tokens().ListTokens({.size = 1}, &next));
  EXPECT_TRUE(SameProto(entries[0].token, MakeToken("tokens/report", 'c', 900).token));
}

TYPED_TEST_P(TokenStoreTest, ANameIsFreeAgainOnceItsTokenDoesNotCountAnyMore) {
  using ::curlew::testing::StatusIs;
  using ::testing::ElementsAre;
  ASSERT_OK(this->tokens().AddToken(MakeToken("tokens/ci", 'a', 1000), {}));
  EXPECT_THAT(this->other().AddToken(MakeToken("tokens/ci", 'b', 1099), MakeRecord({"token.create"})),
              StatusIs(absl::StatusCode::kAlreadyExists,
                       ::testing::AllOf(::testing::HasSubstr("tokens/ci"),
                                        ::testing::HasSubstr("counts until 1970-01-01T00:18:20Z"))));
  // It has expired by then.
  ASSERT_OK(this->tokens().AddToken(MakeToken("tokens/ci", 'b', 1100), {}));
  ASSERT_OK(this->tokens().RevokeToken(MakeRevocation("tokens/ci", 1110), MakeRecord({"token.revoke"})));
  ASSERT_OK(this->tokens().AddToken(MakeToken("tokens/ci", 'c', 1111), {}));
  EXPECT_THAT(this->Listed(this->other()), ElementsAre("tokens/ci c", "tokens/ci b revoked", "tokens/ci a"));
  EXPECT_THAT(this->Actions(), ElementsAre("token.revoke"));
}

TYPED_TEST_P(TokenStoreTest, NoTwoHaveTheSameHash) {
  ASSERT_OK(this->tokens().AddToken(MakeToken("tokens/ci", 'a', 1000), {}));
  const auto refused = curlew::testing::StatusIs(absl::StatusCode::kAlreadyExists);
  EXPECT_THAT(this->tokens().AddToken(MakeToken("tokens/cd", 'a', 1000), {}), refused);
  ASSERT_OK(this->tokens().RevokeToken(MakeRevocation("tokens/ci", 1001), {}));
  EXPECT_THAT(this->tokens().AddToken(MakeToken("tokens/ci", 'a', 2000), {}), refused);
  EXPECT_THAT(this->Listed(this->tokens()), ::testing::ElementsAre("tokens/ci a revoked"));
}

TYPED_TEST_P(TokenStoreTest, TheNewestOfANameIsRevokedOnceAndWithItsRecord) {
  using ::curlew::testing::StatusIs;
  EXPECT_THAT(this->tokens().RevokeToken(MakeRevocation("tokens/ci", 1), MakeRecord({"token.revoke"})),
              StatusIs(absl::StatusCode::kNotFound, ::testing::HasSubstr("tokens/ci")));
  ASSERT_OK(this->tokens().AddToken(MakeToken("tokens/ci", 'a', 1000), {}));
  ASSERT_OK(this->tokens().AddToken(MakeToken("tokens/ci", 'b', 1100), {}));
  ASSERT_OK_AND_ASSIGN(const v1::Token revoked,
                       this->tokens().RevokeToken(MakeRevocation("tokens/ci", 1150), MakeRecord({"first"})));
  EXPECT_EQ(revoked.revoke_time().seconds(), 1150);
  EXPECT_EQ(revoked.revoker(), "eve");
  EXPECT_EQ(revoked.purpose(), "deploys") << "all else stays";
  EXPECT_EQ(revoked.create_time().seconds(), 1100);
  v1::Token again = MakeRevocation("tokens/ci", 1160);
  again.set_revoker("mallory");
  ASSERT_OK_AND_ASSIGN(const v1::Token same, this->other().RevokeToken(again, MakeRecord({"second"})));
  EXPECT_TRUE(SameProto(same, revoked));
  EXPECT_THAT(this->Actions(), ::testing::ElementsAre("first"));
  EXPECT_THAT(this->Listed(this->tokens()), ::testing::ElementsAre("tokens/ci b revoked", "tokens/ci a"));
}

TYPED_TEST_P(TokenStoreTest, WhatCannotBeKeptIsRefusedWholly) {
  const auto refused = curlew::testing::StatusIs(absl::StatusCode::kInvalidArgument);
  for (const std::string& hash : {std::string(), std::string(63, 'a'), std::string(64, 'A'),
                                  std::string(64, 'g'), std::string("curlew_") + std::string(57, 'a')}) {
    TokenEntry bad = MakeToken("tokens/ci", 'a', 1000);
    bad.hash = hash;
    EXPECT_THAT(this->tokens().AddToken(bad, MakeRecord({"x"})), refused) << hash;
  }
  EXPECT_THAT(this->tokens().AddToken(MakeToken("", 'a', 1000), MakeRecord({"x"})), refused);
  EXPECT_THAT(this->tokens().AddToken(MakeToken(std::string("a\0b", 3), 'a', 1000), {}), refused);
  TokenEntry purpose = MakeToken("tokens/ci", 'a', 1000);
  purpose.token.set_purpose("\xff");
  EXPECT_THAT(this->tokens().AddToken(purpose, {}), refused);
  EXPECT_THAT(this->tokens().AddToken(MakeToken("tokens/ci", 'a', 1000), MakeRecord({"\xff"})), refused);
  EXPECT_THAT(this->Listed(this->tokens()), ::testing::IsEmpty());
  ASSERT_OK(this->tokens().AddToken(MakeToken("tokens/ci", 'a', 1000), {}));
  EXPECT_THAT(this->tokens().RevokeToken(MakeRevocation("tokens/ci", 1), MakeRecord({"\xff"})), refused);
  EXPECT_THAT(this->Listed(this->tokens()), ::testing::ElementsAre("tokens/ci a"));
  EXPECT_THAT(this->Actions(), ::testing::IsEmpty());
}

REGISTER_TYPED_TEST_SUITE_P(TokenStoreTest, KeepsWhatIsAddedWithItsRecordNewestFirst,
                            ANameIsFreeAgainOnceItsTokenDoesNotCountAnyMore, NoTwoHaveTheSameHash,
                            TheNewestOfANameIsRevokedOnceAndWithItsRecord, WhatCannotBeKeptIsRefusedWholly);

}  // namespace curlew::store

#endif  // CURLEW_TESTS_CONTROLLER_STORE_TOKEN_STORE_SUITE_H_
