#include "common/signing/statements.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "common/base/error_detail.h"
#include "tests/support/status_matchers.h"

namespace curlew::signing {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

SigningKey NewKey() { return *SigningKey::Generate(); }

v1::PlanStatement APlan() {
  v1::PlanStatement statement;
  statement.set_id("0123456789abcdef0123456789abcdef");
  statement.set_plan_digest(std::string(64, 'a'));
  statement.set_environment("production");
  statement.add_targets("a");
  statement.add_targets("b");
  statement.mutable_not_before()->set_seconds(1000);
  statement.mutable_expire_time()->set_seconds(2000);
  return statement;
}

v1::DecisionStatement ADecision() {
  v1::DecisionStatement statement;
  statement.set_id("0123456789abcdef");
  statement.set_kind(v1::DECISION_KIND_DROP);
  statement.set_rollout("rollouts/r");
  statement.set_plan_digest(std::string(64, 'a'));
  (*statement.mutable_compiled_digests())["a"] = std::string(64, 'b');
  statement.mutable_expire_time()->set_seconds(2000);
  return statement;
}

TEST(StatementsTest, WhatIsSignedIsVerifiedAndTellsTheKey) {
  const SigningKey key = NewKey();
  ASSERT_OK_AND_ASSIGN(const PublicKey of_plan, Verify(Sign(key, APlan())));
  EXPECT_EQ(of_plan, key.public_key());
  ASSERT_OK_AND_ASSIGN(const PublicKey of_decision, Verify(Sign(key, ADecision())));
  EXPECT_EQ(of_decision, key.public_key());
}

// Whoever checks without this program, checks this.
TEST(StatementsTest, SignedIsTheKindAndTheCanonicalForm) {
  const SigningKey key = NewKey();
  EXPECT_EQ(Sign(key, APlan()).signature(),
            key.Sign(absl::StrCat("curlew-plan\n{\"environment\":\"production\",\"expire_time\":"
                                  "\"1970-01-01T00:33:20Z\",\"id\":\"0123456789abcdef0123456789abcdef\","
                                  "\"not_before\":\"1970-01-01T00:16:40Z\",\"plan_digest\":\"",
                                  std::string(64, 'a'), "\",\"targets\":[\"a\",\"b\"]}")));
  EXPECT_EQ(Sign(key, ADecision()).signature(),
            key.Sign(absl::StrCat("curlew-decision\n", base::CanonicalJson(ADecision()))));
}

TEST(StatementsTest, AChangeOfAnyFieldIsFound) {
  const std::vector<std::function<void(v1::PlanStatement&)>> plan_changes = {
      [](auto& s) { s.set_id("0123456789abcdef0123456789abcdee"); },
      [](auto& s) { s.set_plan_digest(std::string(63, 'a') + "b"); },
      [](auto& s) { s.set_environment("productioN"); },
      [](auto& s) { s.set_targets(0, "`"); },
      [](auto& s) { s.add_targets("c"); },
      [](auto& s) { s.mutable_targets()->RemoveLast(); },
      [](auto& s) { s.mutable_not_before()->set_seconds(1001); },
      [](auto& s) { s.mutable_expire_time()->set_nanos(1); },
  };
  const v1::PlanSignature plan = Sign(NewKey(), APlan());
  for (size_t i = 0; i < plan_changes.size(); ++i) {
    v1::PlanSignature changed = plan;
    plan_changes[i](*changed.mutable_statement());
    EXPECT_THAT(Verify(changed), StatusIs(absl::StatusCode::kDataLoss)) << i;
  }
  const std::vector<std::function<void(v1::DecisionStatement&)>> decision_changes = {
      [](auto& s) { s.set_id("0123456789abcdee"); },
      [](auto& s) { s.set_kind(v1::DECISION_KIND_OVERRIDE), s.set_step("x"); },
      [](auto& s) { s.set_rollout("rollouts/s"); },
      [](auto& s) { s.set_plan_digest(std::string(64, 'b')); },
      [](auto& s) { (*s.mutable_compiled_digests())["a"] = std::string(64, 'c'); },
      [](auto& s) { (*s.mutable_compiled_digests())["b"] = std::string(64, 'b'); },
      [](auto& s) { s.mutable_expire_time()->set_seconds(2001); },
  };
  const v1::DecisionSignature decision = Sign(NewKey(), ADecision());
  for (size_t i = 0; i < decision_changes.size(); ++i) {
    v1::DecisionSignature changed = decision;
    decision_changes[i](*changed.mutable_statement());
    EXPECT_THAT(Verify(changed), StatusIs(absl::StatusCode::kDataLoss)) << i;
  }
}

TEST(StatementsTest, AChangeOfAnyBitOfKeyOrSignatureIsFound) {
  const v1::PlanSignature right = Sign(NewKey(), APlan());
  for (size_t bit = 0; bit < right.public_key().size() * 8; ++bit) {
    v1::PlanSignature changed = right;
    (*changed.mutable_public_key())[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_THAT(Verify(changed), Not(IsOk())) << bit;
  }
  for (size_t bit = 0; bit < right.signature().size() * 8; ++bit) {
    v1::PlanSignature changed = right;
    (*changed.mutable_signature())[bit / 8] ^= static_cast<char>(1 << bit % 8);
    EXPECT_THAT(Verify(changed), StatusIs(absl::StatusCode::kDataLoss)) << bit;
  }
  // Somebody else's key beside it.
  v1::PlanSignature other = right;
  other.set_public_key(NewKey().public_key().text());
  EXPECT_THAT(Verify(other), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(StatementsTest, ASignatureOfOneKindIsNoneOfAnother) {
  const SigningKey key = NewKey();
  v1::DecisionSignature decision = Sign(key, ADecision());
  decision.set_signature(key.Sign(absl::StrCat("curlew-plan\n", base::CanonicalJson(ADecision()))));
  EXPECT_THAT(Verify(decision), StatusIs(absl::StatusCode::kDataLoss));
  decision.set_signature(key.Sign(base::CanonicalJson(ADecision())));
  EXPECT_THAT(Verify(decision), StatusIs(absl::StatusCode::kDataLoss));
  v1::PlanSignature plan = Sign(key, APlan());
  plan.set_signature(key.Sign(absl::StrCat("curlew-decision\n", base::CanonicalJson(APlan()))));
  EXPECT_THAT(Verify(plan), StatusIs(absl::StatusCode::kDataLoss));
  plan.set_signature(key.Sign(absl::StrCat("curlew-audit-head\n", base::CanonicalJson(APlan()))));
  EXPECT_THAT(Verify(plan), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(StatementsTest, AnIncompleteStatementIsRefusedWithItsField) {
  const SigningKey key = NewKey();
  const auto plan = [&](const char* field, const std::function<void(v1::PlanStatement&)>& change) {
    v1::PlanStatement statement = APlan();
    change(statement);
    const absl::Status status = CheckForm(statement);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(field)));
    EXPECT_EQ(base::Detail(status, base::kField), absl::StrCat("statement.", field));
    // Though it is signed.
    EXPECT_THAT(Verify(Sign(key, statement)), StatusIs(absl::StatusCode::kInvalidArgument));
  };
  plan("id", [](auto& s) { s.clear_id(); });
  plan("id", [](auto& s) { s.set_id("0123456789ABCDEF"); });
  plan("id", [](auto& s) { s.set_id(std::string(65, 'a')); });
  plan("plan_digest", [](auto& s) { s.set_plan_digest("aa"); });
  plan("environment", [](auto& s) { s.clear_environment(); });
  plan("targets", [](auto& s) { s.clear_targets(); });
  plan("targets", [](auto& s) { s.add_targets("b"); });
  plan("targets", [](auto& s) { s.set_targets(0, "c"); });
  plan("targets", [](auto& s) { s.set_targets(0, ""); });
  plan("not_before", [](auto& s) { s.clear_not_before(); });
  plan("expire_time", [](auto& s) { s.clear_expire_time(); });
  plan("expire_time", [](auto& s) { s.mutable_expire_time()->set_seconds(1000); });
  plan("expire_time", [](auto& s) { s.mutable_expire_time()->set_seconds(253402300800); });
  plan("expire_time", [](auto& s) { s.mutable_expire_time()->set_nanos(1'000'000'000); });
  plan("not_before", [](auto& s) { s.mutable_not_before()->set_seconds(-62135596801); });

  const auto decision = [&](const char* field, const std::function<void(v1::DecisionStatement&)>& change) {
    v1::DecisionStatement statement = ADecision();
    change(statement);
    const absl::Status status = CheckForm(statement);
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(field)));
    EXPECT_EQ(base::Detail(status, base::kField), absl::StrCat("statement.", field));
    EXPECT_THAT(Verify(Sign(key, statement)), StatusIs(absl::StatusCode::kInvalidArgument));
  };
  decision("id", [](auto& s) { s.clear_id(); });
  decision("kind", [](auto& s) { s.clear_kind(); });
  decision("kind", [](auto& s) { s.set_kind(static_cast<v1::DecisionKind>(7)); });
  decision("step", [](auto& s) { s.set_step("x"); });
  decision("step", [](auto& s) { s.set_kind(v1::DECISION_KIND_OVERRIDE); });
  decision("rollout", [](auto& s) { s.clear_rollout(); });
  decision("plan_digest", [](auto& s) { s.clear_plan_digest(); });
  decision("compiled_digests", [](auto& s) { s.clear_compiled_digests(); });
  decision("compiled_digests", [](auto& s) { (*s.mutable_compiled_digests())["a"] = "b"; });
  decision("compiled_digests", [](auto& s) { (*s.mutable_compiled_digests())[""] = std::string(64, 'b'); });
  decision("expire_time", [](auto& s) { s.clear_expire_time(); });
  decision("expire_time", [](auto& s) { s.mutable_expire_time()->set_nanos(-1); });
}

}  // namespace
}  // namespace curlew::signing
