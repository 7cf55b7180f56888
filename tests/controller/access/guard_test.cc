// Who a call is from, whatever it shows. Over real connections: tests/controller/service/access_test.cc.
#include "controller/access/guard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/bearer_token.h"
#include "common/base/clock.h"
#include "common/base/error_detail.h"
#include "common/base/hash.h"
#include "common/base/proto_time.h"
#include "tests/support/status_matchers.h"

namespace curlew::access {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;
using Authorization = Credential::Authorization;

constexpr char kList[] = "curlew.v1.PlanService.ListPlans", kCreate[] = "curlew.v1.TokenService.CreateToken",
               kSession[] = "curlew.v1.AgentService.Session";

// A connection without a certificate.
class Nobody : public grpc::AuthContext {
 public:
  bool IsPeerAuthenticated() const override { return false; }
  std::vector<grpc::string_ref> GetPeerIdentity() const override { return {}; }
  std::string GetPeerIdentityPropertyName() const override { return ""; }
  std::vector<grpc::string_ref> FindPropertyValues(const std::string&) const override { return {}; }
  grpc::AuthPropertyIterator begin() const override { return Nothing(); }
  grpc::AuthPropertyIterator end() const override { return Nothing(); }
  void AddProperty(const std::string&, const grpc::string_ref&) override {}
  bool SetPeerIdentityPropertyName(const std::string&) override { return false; }

 private:
  struct Nothing : grpc::AuthPropertyIterator {};
};

// What is read of a call with these values of "authorization".
Credential With(const std::vector<std::string>& values, const std::string& identity = "") {
  std::multimap<grpc::string_ref, grpc::string_ref> metadata;
  metadata.emplace("user-agent", "test");
  for (const std::string& value : values) metadata.emplace("authorization", value);
  Credential credential = Credential::Of(metadata, Nobody(), "ipv4:10.0.0.7:4711");
  credential.identity = identity;
  return credential;
}

class GuardTest : public ::testing::Test {
 protected:
  GuardTest() {
    std::ofstream(path_) << "roles:\n"
                            "  - {role: admin, users: [\"token:root\"]}\n"
                            "  - {role: viewer, users: [\"*\"]}\n"
                            "  - {role: viewer, users: [\"token:ci\"], environments: [staging]}\n";
    for (const char* name : {"root", "ci", "other"}) {
      v1::Token token;
      token.set_name(absl::StrCat("tokens/", name));
      *token.mutable_expire_time() = base::ToProto(absl::Now() + absl::Hours(1));
      text_[name] = base::NewBearerToken();
      table_.Add(base::Sha256Hex(text_[name]), token);
    }
    auto guard = Guard::Load(path_, "curlew", &table_);
    EXPECT_OK(guard);
    guard_ = *std::move(guard);
    auto strict = Guard::Load(path_, "curlew");
    EXPECT_OK(strict);
    strict_ = *std::move(strict);
  }
  ~GuardTest() override { std::filesystem::remove(path_); }

  Credential Showing(const std::string& name, const std::string& identity = "") {
    return With({absl::StrCat("Bearer ", text_[name])}, identity);
  }
  // The reason of a refusal.
  std::string Refused(const Guard& guard, const Credential& credential, absl::StatusCode code,
                      const char* method = kList) {
    const absl::Status status = guard.Enter(credential, method).status();
    EXPECT_EQ(status.code(), code) << status;
    for (const auto& [name, text] : text_) {
      EXPECT_THAT(status.ToString(), Not(HasSubstr(text)));
      EXPECT_THAT(status.ToString(), Not(HasSubstr(base::Sha256Hex(text))));
    }
    return base::Detail(status, base::kReason);
  }

  const std::string path_ = absl::StrCat(::testing::TempDir(), "curlew-guard-", getpid(), ".yaml");
  const base::SystemClock clock_;
  TokenTable table_{&clock_};
  std::map<std::string, std::string> text_;
  std::unique_ptr<Guard> guard_, strict_;
};

TEST_F(GuardTest, ATokenIsSomebodyOfItsOwnAndEveryoneIsNot) {
  const auto ci = guard_->Enter(Showing("ci"), kList);
  ASSERT_OK(ci);
  EXPECT_TRUE(ci->known());
  EXPECT_EQ(ci->Actor("mallory"), "token:ci");
  EXPECT_OK(ci->InAll({"staging"}));
  EXPECT_THAT(ci->InAll({"production"}),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("token:ci may not do this")));
  ASSERT_OK(guard_->Enter(Showing("root"), kCreate));
  // "*" is all people, and no token.
  EXPECT_EQ(Refused(*guard_, Showing("other"), absl::StatusCode::kPermissionDenied), "ROLE_MISSING");
  EXPECT_EQ(Refused(*guard_, Showing("ci"), absl::StatusCode::kPermissionDenied, kCreate), "ROLE_MISSING");
}

TEST_F(GuardTest, OfACertificateAndATokenTheTokenCounts) {
  const auto caller = guard_->Enter(Showing("root", "spiffe://curlew/user/alice"), kCreate);
  ASSERT_OK(caller);
  EXPECT_EQ(caller->Actor(""), "token:root");
  // Also where it is worth less.
  EXPECT_EQ(
      Refused(*guard_, Showing("other", "spiffe://curlew/user/alice"), absl::StatusCode::kPermissionDenied),
      "ROLE_MISSING");
  EXPECT_EQ(Refused(*guard_, With({"Bearer " + base::NewBearerToken()}, "spiffe://curlew/user/alice"),
                    absl::StatusCode::kUnauthenticated),
            "TOKEN_UNKNOWN");
  ASSERT_OK(guard_->Enter(With({}, "spiffe://curlew/user/alice"), kList));
}

TEST_F(GuardTest, AgentsUseNoTokensAndTokensAreNoAgents) {
  for (const char* method : {kList, kSession}) {
    EXPECT_THAT(guard_->Enter(Showing("root", "spiffe://curlew/agent/crm"), method),
                StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("tokens are for people")))
        << method;
  }
  EXPECT_THAT(guard_->Enter(Showing("root"), kSession),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("token:root is no agent")));
}

TEST_F(GuardTest, WhatIsNoTokenIsRefusedAndNeverTakenForNone) {
  const std::string text = text_["root"];
  for (const std::vector<std::string>& values :
       std::vector<std::vector<std::string>>{{""},
                                             {"Bearer"},
                                             {"Bearer "},
                                             {text},
                                             {"Basic " + text},
                                             {"Bearer  " + text},
                                             {"Bearer " + text + " "},
                                             {"Bearer " + text, "Bearer " + text},
                                             {"Bearer " + text + "," + text},
                                             {"Bearer " + text.substr(1)}}) {
    EXPECT_EQ(Refused(*guard_, With(values), absl::StatusCode::kUnauthenticated), "TOKEN_MALFORMED");
    // A certificate does not make up for it.
    EXPECT_EQ(
        Refused(*guard_, With(values, "spiffe://curlew/user/alice"), absl::StatusCode::kUnauthenticated),
        "TOKEN_MALFORMED");
  }
  EXPECT_OK(guard_->Enter(With({"bearer " + text}), kList)) << "the scheme is of any case";
}

TEST_F(GuardTest, WithoutTokensTheyAreRefusedWithAReason) {
  EXPECT_EQ(Refused(*strict_, Showing("root"), absl::StatusCode::kUnauthenticated), "TOKENS_OFF");
  EXPECT_EQ(
      Refused(*strict_, Showing("root", "spiffe://curlew/user/alice"), absl::StatusCode::kUnauthenticated),
      "TOKENS_OFF");
  EXPECT_EQ(Refused(*strict_, With({}), absl::StatusCode::kUnauthenticated), "NOBODY");
  EXPECT_EQ(Refused(*guard_, With({}), absl::StatusCode::kUnauthenticated), "NOBODY");
  EXPECT_EQ(Refused(Guard::Open(), Showing("root"), absl::StatusCode::kUnauthenticated),
            "TOKEN_IN_PLAIN_TEXT");
  EXPECT_EQ(Refused(Guard::Open(), With({"Basic x"}), absl::StatusCode::kUnauthenticated),
            "TOKEN_IN_PLAIN_TEXT");
  EXPECT_OK(Guard::Open().Enter(With({}), kCreate));
}

TEST_F(GuardTest, CallsAreCountedByWhoeverMakesThem) {
  EXPECT_EQ(guard_->AccountOf(Showing("ci")), "token:ci");
  EXPECT_EQ(guard_->AccountOf(Showing("ci", "spiffe://curlew/user/alice")), "token:ci");
  EXPECT_EQ(guard_->AccountOf(With({}, "spiffe://curlew/user/alice")), "spiffe://curlew/user/alice");
  // Strangers share the account of their host, whatever they show.
  EXPECT_EQ(guard_->AccountOf(With({})), "ipv4:10.0.0.7");
  EXPECT_EQ(guard_->AccountOf(With({"Bearer " + base::NewBearerToken()})), "ipv4:10.0.0.7");
  EXPECT_EQ(guard_->AccountOf(With({"rubbish"}, "spiffe://curlew/user/alice")), "ipv4:10.0.0.7");
  EXPECT_EQ(Guard::Open().AccountOf(With({})), "ipv4:10.0.0.7");
}

TEST(IdentityOfCertificateTest, IsTheOnlyUriNameElseTheOnlyCommonName) {
  EXPECT_EQ(IdentityOfCertificate({"spiffe://curlew/user/alice"}, {"bob"}), "spiffe://curlew/user/alice");
  EXPECT_EQ(IdentityOfCertificate({}, {"bob"}), "cn:bob");
  EXPECT_EQ(IdentityOfCertificate({"spiffe://a/user/b", "spiffe://a/user/c"}, {"bob"}), "");
  EXPECT_EQ(IdentityOfCertificate({}, {"bob", "eve"}), "");
  EXPECT_EQ(IdentityOfCertificate({}, {""}), "");
  EXPECT_EQ(IdentityOfCertificate({}, {}), "");
}

// A CA that signs any URI name must not make somebody's token, or his common name, by that.
TEST(IdentityOfCertificateTest, NoCertificateHasTheIdentityOfATokenOrOfACommonName) {
  EXPECT_EQ(IdentityOfCertificate({"token:ci"}, {}), "");
  EXPECT_EQ(IdentityOfCertificate({"cn:alice"}, {"bob"}), "");
  EXPECT_EQ(IdentityOfCertificate({}, {"token:ci"}), "cn:token:ci");
}

}  // namespace
}  // namespace curlew::access
