// What the service makes of requests; who may call it, and what a token is then worth, is in access_test.cc.
#include "controller/service/token_service.h"

#include <gmock/gmock.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/bearer_token.h"
#include "common/base/error_detail.h"
#include "common/base/hash.h"
#include "common/base/proto_time.h"
#include "common/rpc/error.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::service {
namespace {

using ::curlew::testing::ControllerTest;
using ::curlew::testing::IsOk;
using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kDay = absl::Hours(24);

class TokenServiceTest : public ControllerTest {
 protected:
  TokenServiceTest() {
    options_.tokens = &table_;
    Restart();
  }
  ~TokenServiceTest() override { Stop(); }

  absl::StatusOr<v1::CreateTokenResponse> Create(const v1::CreateTokenRequest& request) {
    grpc::ClientContext context;
    v1::CreateTokenResponse response;
    const grpc::Status status =
        v1::TokenService::NewStub(Channel())->CreateToken(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }
  absl::StatusOr<v1::CreateTokenResponse> Create(const std::string& id, absl::Duration lifetime = kDay) {
    v1::CreateTokenRequest request;
    request.set_token_id(id);
    *request.mutable_lifetime() = base::ToProto(lifetime);
    request.set_purpose("deploys");
    request.set_actor("ada");
    return Create(request);
  }
  absl::StatusOr<v1::Token> Revoke(const std::string& name) {
    v1::RevokeTokenRequest request;
    request.set_name(name);
    request.set_reason("lost");
    request.set_actor("eve");
    grpc::ClientContext context;
    v1::Token token;
    const grpc::Status status = v1::TokenService::NewStub(Channel())->RevokeToken(&context, request, &token);
    if (!status.ok()) return rpc::FromGrpc(status);
    return token;
  }
  absl::StatusOr<v1::ListTokensResponse> List(int size = 0, const std::string& page = "") {
    v1::ListTokensRequest request;
    request.set_page_size(size);
    request.set_page_token(page);
    grpc::ClientContext context;
    v1::ListTokensResponse response;
    const grpc::Status status =
        v1::TokenService::NewStub(Channel())->ListTokens(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }

  access::TokenTable table_{&clock_};
};

TEST_F(TokenServiceTest, ATokenIsMadeToldOnceAndKeptWithoutItsText) {
  const absl::Time before = absl::Now();
  const auto made = Create("ci", 30 * kDay);
  ASSERT_THAT(made, IsOk());
  EXPECT_TRUE(base::IsBearerToken(made->secret()));
  EXPECT_EQ(made->token().name(), "tokens/ci");
  EXPECT_EQ(made->token().creator(), "ada");
  EXPECT_EQ(made->token().purpose(), "deploys");
  EXPECT_FALSE(made->token().has_revoke_time());
  EXPECT_GE(base::FromProto(made->token().create_time()), before);
  EXPECT_EQ(base::FromProto(made->token().expire_time()),
            base::FromProto(made->token().create_time()) + 30 * kDay);
  EXPECT_THAT(table_.IdentityOf(base::Sha256Hex(made->secret())), IsOkAndHolds("token:ci"));
  std::string next;
  const auto kept = store_.tokens().ListTokens({}, &next);
  ASSERT_THAT(kept, IsOk());
  ASSERT_EQ(kept->size(), 1u);
  EXPECT_EQ(kept->front().hash, base::Sha256Hex(made->secret()));
  EXPECT_THAT(kept->front().token.DebugString(), ::testing::Not(HasSubstr(made->secret())));
  const auto listed = List();
  ASSERT_THAT(listed, IsOk());
  EXPECT_THAT(listed->DebugString(), ::testing::Not(HasSubstr(kept->front().hash)));
  v1::CreateTokenRequest usual;
  usual.set_token_id("cd");
  const auto other = Create(usual);
  ASSERT_THAT(other, IsOk());
  EXPECT_NE(other->secret(), made->secret());
  EXPECT_EQ(base::FromProto(other->token().expire_time()) - base::FromProto(other->token().create_time()),
            90 * kDay);
  Restart();
  EXPECT_THAT(table_.IdentityOf(base::Sha256Hex(made->secret())), IsOkAndHolds("token:ci"));
  Stop();
  EXPECT_THAT(table_.IdentityOf(base::Sha256Hex(made->secret())),
              StatusIs(absl::StatusCode::kUnauthenticated))
      << "nothing is known between terms";
}

TEST_F(TokenServiceTest, WhatCannotBeMeantIsRefusedAndNothingIsKept) {
  const auto refused = [](const auto& result, const char* field) {
    EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument) << result.status();
    EXPECT_EQ(base::Detail(result.status(), base::kField), field);
  };
  for (const char* name : {"", "CI", "a b", "tokens/ci", "a.b", "*"}) refused(Create(name), "token_id");
  for (const absl::Duration lifetime : {absl::ZeroDuration(), -kDay, 366 * kDay + absl::Seconds(1)}) {
    refused(Create("ci", lifetime), "lifetime");
  }
  v1::CreateTokenRequest chatty;
  chatty.set_token_id("ci");
  chatty.set_purpose(std::string(1001, 'x'));
  refused(Create(chatty), "purpose");
  refused(Revoke(""), "name");
  refused(Revoke("plans/ci"), "name");
  EXPECT_THAT(Revoke("ci"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("tokens/ci")));
  EXPECT_THAT(List(-1), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(List(1, "forged"), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(List()->tokens_size(), 0);
  EXPECT_THAT(Create("ci", 366 * kDay), IsOk());
}

TEST_F(TokenServiceTest, RevokingIsOnceAndMakesTheNameFree) {
  const auto first = Create("ci");
  ASSERT_THAT(first, IsOk());
  EXPECT_THAT(Create("ci"), StatusIs(absl::StatusCode::kAlreadyExists,
                                     AllOf(HasSubstr("tokens/ci"), HasSubstr("revoke it first"))));
  const auto revoked = Revoke("ci");
  ASSERT_THAT(revoked, IsOk());
  EXPECT_EQ(revoked->revoker(), "eve");
  EXPECT_TRUE(revoked->has_revoke_time());
  EXPECT_THAT(table_.IdentityOf(base::Sha256Hex(first->secret())),
              StatusIs(absl::StatusCode::kUnauthenticated, HasSubstr("was revoked")));
  const auto again = Revoke("tokens/ci");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->revoke_time().DebugString(), revoked->revoke_time().DebugString());
  const auto second = Create("ci");
  ASSERT_THAT(second, IsOk());
  EXPECT_THAT(table_.IdentityOf(base::Sha256Hex(second->secret())), IsOkAndHolds("token:ci"));
  EXPECT_FALSE(table_.IdentityOf(base::Sha256Hex(first->secret())).ok());
  const auto page = List(1);
  ASSERT_THAT(page, IsOk());
  EXPECT_FALSE(page->tokens(0).has_revoke_time());
  const auto rest = List(1, page->next_page_token());
  ASSERT_THAT(rest, IsOk());
  EXPECT_TRUE(rest->tokens(0).has_revoke_time());
  EXPECT_EQ(rest->next_page_token(), "");
  const auto audit = store_.records().ListAudit(0, 10);
  ASSERT_THAT(audit, IsOk());
  std::vector<std::string> seen;
  for (const v1::AuditEntry& entry : *audit) {
    seen.push_back(absl::StrCat(entry.actor(), " ", entry.action(), " ", entry.resource(), " ",
                                entry.reason(), " ", entry.details().count("expires")));
  }
  EXPECT_THAT(seen, ElementsAre("ada token.create tokens/ci deploys 1", "eve token.revoke tokens/ci lost 0",
                                "ada token.create tokens/ci deploys 1"));
}

TEST_F(TokenServiceTest, WhereNoneAreTakenNoneAreMadeAndThoseThatThereAreCanBeRevoked) {
  ASSERT_THAT(Create("ci"), IsOk());
  options_.tokens = nullptr;
  Restart();
  const auto refused = Create("cd");
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("takes no tokens")));
  EXPECT_EQ(base::Detail(refused.status(), base::kReason), "TOKENS_OFF");
  EXPECT_EQ(List()->tokens_size(), 1);
  EXPECT_TRUE(Revoke("ci")->has_revoke_time());
}

TEST_F(TokenServiceTest, WhereTheStoreFailsNothingCounts) {
  store_.FailWith(absl::UnavailableError("the disk is full"));
  EXPECT_THAT(Create("ci"), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("the disk is full")));
  store_.FailWith(absl::OkStatus());
  EXPECT_EQ(List()->tokens_size(), 0);
  const auto made = Create("ci");
  ASSERT_THAT(made, IsOk());
  store_.FailWith(absl::UnavailableError("the disk is full"));
  EXPECT_THAT(Revoke("ci"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(table_.IdentityOf(base::Sha256Hex(made->secret())), IsOkAndHolds("token:ci"))
      << "who was told that it failed must not find it done half";
}

}  // namespace
}  // namespace curlew::service
