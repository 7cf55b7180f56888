#include "agent/verify/decisions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "common/base/error_detail.h"
#include "tests/agent/verify/signing_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
const std::string kPlanDigest(64, 'a');
const std::string kCompiledDigest(64, 'c');
const std::string kOtherDigest(64, 'e');

// All that VerifyDrop and VerifyOverride look at. Each test changes one thing of it.
struct Case {
  Trust trust = TestTrust();
  DecidedRun run{.target = "crm",
                 .rollout = "rollouts/r1",
                 .plan_digest = kPlanDigest,
                 .compiled_digest = kCompiledDigest,
                 .plan_key = KeyOf("alice").public_key().text()};
  std::string step;
  std::string who = "bob";
  v1::DecisionStatement statement;
  std::function<void(v1::DecisionSignature&)> forge = [](v1::DecisionSignature&) {};
  absl::Time now = kNow;

  explicit Case(v1::DecisionKind kind) : step(kind == v1::DECISION_KIND_DROP ? "drop-1" : "add-2") {
    statement.set_id(NewId());
    statement.set_kind(kind);
    statement.set_rollout("rollouts/r1");
    statement.set_plan_digest(kPlanDigest);
    (*statement.mutable_compiled_digests())["crm"] = kCompiledDigest;
    (*statement.mutable_compiled_digests())["crm2"] = kOtherDigest;
    if (kind == v1::DECISION_KIND_OVERRIDE) statement.set_step("add-2");
    *statement.mutable_expire_time() = base::ToProto(kNow + absl::Hours(1));
  }
  v1::DecisionSignature Signature() const {
    v1::DecisionSignature signature = SignedBy(who, statement);
    forge(signature);
    return signature;
  }
  absl::Status Drop() const { return VerifyDrop(trust, run, step, {}, {Signature()}, now).status(); }
  absl::Status Override() const {
    v1::Override override;
    override.set_actor("bob");
    *override.mutable_signature() = Signature();
    return VerifyOverride(trust, run, step, override, now);
  }
  absl::Status Verify() const { return statement.kind() == v1::DECISION_KIND_OVERRIDE ? Override() : Drop(); }
};

struct Broken {
  const char* name;
  std::function<void(Case&)> change;
  const char* message;
};

const std::vector<Broken>& AllBroken() {
  static const auto* const all = new std::vector<Broken>{
      {"SignatureChanged",
       [](Case& c) {
         c.forge = [](v1::DecisionSignature& s) {
           std::string& text = *s.mutable_signature();
           text[10] = text[10] == 'A' ? 'B' : 'A';
         };
       },
       "the signature is not that of key"},
      {"StatementChanged",
       [](Case& c) {
         c.forge = [](v1::DecisionSignature& s) {
           (*s.mutable_statement()->mutable_compiled_digests())["crm3"] = kOtherDigest;
         };
       },
       "the signature is not that of key"},
      {"StatementWithoutId",
       [](Case& c) { c.forge = [](v1::DecisionSignature& s) { s.mutable_statement()->clear_id(); }; },
       "statement.id"},
      {"KeyNotTrusted", [](Case& c) { c.who = "mallory"; }, "is none of approver_keys (ann, bob, carol)"},
      {"KeyOfAnAuthor",
       [](Case& c) {
         c.who = "alice";
         c.run.plan_key = "";
       },
       "is none of approver_keys"},
      {"KeyTakenOut", [](Case& c) { c.trust.approver_keys.erase("bob"); },
       "is none of approver_keys (ann, carol)"},
      {"SignedThePlanItself",
       [](Case& c) {
         c.who = "ann";
         c.run.plan_key = KeyOf("ann").public_key().text();
       },
       "key \"ann\" has signed the plan itself"},
      {"AnotherRollout", [](Case& c) { c.run.rollout = "rollouts/r2"; },
       "is about another rollout, rollouts/r1"},
      {"AnotherPlan", [](Case& c) { c.run.plan_digest = kOtherDigest; }, "is about another plan"},
      {"AnotherTarget", [](Case& c) { c.run.target = "crm9"; }, "is about other targets"},
      {"AnotherTargetsDigest", [](Case& c) { c.run.target = "crm2"; }, "is about another compiled plan"},
      {"AnotherCompiledPlan", [](Case& c) { c.run.compiled_digest = kOtherDigest; },
       "is about another compiled plan"},
      {"Expired", [](Case& c) { c.now = kNow + absl::Hours(1); }, "expired at"},
  };
  return *all;
}

class BothKindsTest : public ::testing::TestWithParam<v1::DecisionKind> {};

TEST_P(BothKindsTest, WhatAnApproverHasSignedCounts) {
  Case c(GetParam());
  EXPECT_OK(c.Verify());
  c.now = kNow + absl::Hours(1) - absl::Nanoseconds(1);
  EXPECT_OK(c.Verify());
  // Ann may do both, but not for the same plan.
  c.who = "ann";
  EXPECT_OK(c.Verify());
}

TEST_P(BothKindsTest, EachConditionStandsAlone) {
  for (const Broken& broken : AllBroken()) {
    SCOPED_TRACE(broken.name);
    Case c(GetParam());
    broken.change(c);
    const absl::Status status = c.Verify();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(broken.message)));
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr(absl::StrCat("target ", c.run.target)), HasSubstr(c.run.rollout)));
    EXPECT_THAT(base::Detail(status, base::kHint),
                AllOf(HasSubstr("--sign-key FILE"), HasSubstr("rollout resume")));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, BothKindsTest,
                         ::testing::Values(v1::DECISION_KIND_DROP, v1::DECISION_KIND_OVERRIDE),
                         [](const auto& info) {
                           return info.param == v1::DECISION_KIND_DROP ? "Drop" : "Override";
                         });

TEST(DecisionsTest, OneKindIsNotTheOther) {
  const Case drop(v1::DECISION_KIND_DROP), override(v1::DECISION_KIND_OVERRIDE);
  EXPECT_THAT(override.Drop(),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("decides something else")));
  EXPECT_THAT(drop.Override(),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("decides something else")));
}

TEST(DecisionsTest, AnOverrideIsAboutOneStep) {
  Case c(v1::DECISION_KIND_OVERRIDE);
  c.step = "add-3";
  EXPECT_THAT(c.Override(), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("another step, add-2")));
  v1::Override unsigned_override;
  unsigned_override.set_actor("bob");
  EXPECT_THAT(VerifyOverride(c.trust, c.run, "add-2", unsigned_override, kNow),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("it is not signed")));
}

class DropTest : public ::testing::Test {
 protected:
  static v1::DecisionSignature By(const std::string& who) {
    Case c(v1::DECISION_KIND_DROP);
    c.who = who;
    return c.Signature();
  }
  absl::StatusOr<Decisions> Verify(const Decisions& noted, const Decisions& offered, absl::Time now = kNow) {
    return VerifyDrop(trust_, run_, "drop-1", noted, offered, now);
  }
  Trust trust_ = TestTrust();
  DecidedRun run_ = Case(v1::DECISION_KIND_DROP).run;
};

TEST_F(DropTest, NobodyIsNotEnough) {
  EXPECT_THAT(
      Verify({}, {}).status(),
      StatusIs(
          absl::StatusCode::kPermissionDenied,
          HasSubstr("step drop-1 of rollouts/r1 changes what cannot be brought back: 1 signed approval is "
                    "needed, and 0 count")));
}

TEST_F(DropTest, SoManyDifferentApproversAreNeededAsTheConfigurationSays) {
  trust_.drop_approvals = 2;
  EXPECT_THAT(Verify({}, {By("bob")}).status(),
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("1 counts")));
  // Twice is not two.
  EXPECT_FALSE(Verify({}, {By("bob"), By("bob")}).ok());
  const v1::DecisionSignature bobs = By("bob");
  EXPECT_FALSE(Verify({bobs}, {bobs}).ok());
  ASSERT_OK_AND_ASSIGN(Decisions fresh, Verify({}, {By("bob"), By("bob"), By("carol")}));
  EXPECT_THAT(fresh, SizeIs(2));
  ASSERT_OK_AND_ASSIGN(fresh, Verify({bobs}, {bobs, By("carol")}));
  EXPECT_THAT(fresh, SizeIs(1));
  trust_.drop_approvals = 3;
  EXPECT_FALSE(Verify({bobs}, {By("carol")}).ok());
  EXPECT_TRUE(Verify({bobs}, {By("carol"), By("ann")}).ok());
}

TEST_F(DropTest, WhatWasNotedCountsUntilTheRunEnds) {
  const Decisions noted = {By("bob")};
  ASSERT_OK_AND_ASSIGN(const Decisions fresh, Verify(noted, {}, kNow + absl::Hours(24 * 365)));
  EXPECT_THAT(fresh, IsEmpty());
  // As long as the key is trusted, and it is about this run.
  trust_.approver_keys.erase("bob");
  EXPECT_FALSE(Verify(noted, {}).ok());
  trust_ = TestTrust();
  run_.compiled_digest = kOtherDigest;
  EXPECT_FALSE(Verify(noted, {}).ok());
}

TEST_F(DropTest, WithoutApproversThePlansSignatureIsEnough) {
  trust_.approver_keys.clear();
  trust_.drop_approvals = 0;
  EXPECT_THAT(Verify({}, {}), IsOk());
}

TEST_F(DropTest, AFloodOfDecisionsIsCut) {
  Decisions offered(100);
  offered.push_back(By("bob"));
  EXPECT_FALSE(Verify({}, offered).ok());
}

// --- Which steps. ---

TEST(NeedsDecisionsTest, WhatMayChangeSomethingInDrop) {
  const auto* kinds = v1::Action::descriptor()->oneof_decl(0);
  const std::set<std::string> looks = {"measure", "wait", "verify", "analyze"};
  for (int i = 0; i < kinds->field_count(); ++i) {
    v1::Step step;
    step.mutable_action()->GetReflection()->MutableMessage(step.mutable_action(), kinds->field(i));
    const bool changes = looks.count(kinds->field(i)->name()) == 0;
    step.set_phase(v1::PHASE_DROP);
    EXPECT_EQ(NeedsDecisions(step), changes) << kinds->field(i)->name();
    step.set_preflight(true);
    EXPECT_EQ(NeedsDecisions(step), changes) << kinds->field(i)->name();
    step.set_phase(v1::PHASE_CONSTRAIN);
    EXPECT_FALSE(NeedsDecisions(step));
  }
  v1::Step step;
  step.set_phase(v1::PHASE_DROP);
  EXPECT_TRUE(NeedsDecisions(step));
  step.mutable_action()->mutable_analyze()->set_vacuum(true);
  EXPECT_TRUE(NeedsDecisions(step));
  step.mutable_action()->mutable_analyze()->set_vacuum(false);
  EXPECT_FALSE(NeedsDecisions(step));
  step.mutable_action()->mutable_analyze()->set_vacuum_if_bloated(true);
  EXPECT_TRUE(NeedsDecisions(step));
  step.mutable_action()->mutable_verify()->add_scans();
  EXPECT_FALSE(NeedsDecisions(step));
  step.mutable_action()->mutable_verify()->mutable_scans(0)->mutable_repair();
  EXPECT_TRUE(NeedsDecisions(step));
}

}  // namespace
}  // namespace curlew::agent
