#include "agent/verify/signed_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error_detail.h"
#include "tests/agent/verify/signing_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kPlan[] = "name: p\noperations:\n  - add_column: {table: contacts, column: a, type: text}\n";
constexpr char kOther[] = "name: p\noperations:\n  - add_column: {table: contacts, column: b, type: text}\n";
constexpr char kRun[] = "rollouts/r1/runs/crm";

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);

// All that VerifyPlan looks at. Each test changes one thing of it.
struct Case {
  Trust trust = TestTrust();
  std::string target = "crm";
  v1::Plan plan = PlanOf(kPlan);
  PlanSignatures signatures;
  UsedSignatures used;
  absl::Time now = kNow;

  Case() { Add("alice", StatementOf(plan, kNow)); }
  void Add(const std::string& who, const v1::PlanStatement& statement) {
    *signatures.Add() = SignedBy(who, statement);
  }
  // The one signature, made anew from a statement that is another one.
  void Resign(const std::function<void(v1::PlanStatement&)>& change) {
    v1::PlanStatement statement = signatures[0].statement();
    change(statement);
    signatures.Clear();
    Add("alice", statement);
  }
  absl::StatusOr<v1::PlanSignature> Verify() const {
    return VerifyPlan(trust, target, plan, signatures, used, now);
  }
};

// Each condition, broken alone: then the plan is not run, and people are told why.
struct Broken {
  const char* name;
  std::function<void(Case&)> change;
  const char* message;
};

const std::vector<Broken>& AllBroken() {
  static const auto* const all = new std::vector<Broken>{
      {"NotSigned", [](Case& c) { c.signatures.Clear(); },
       "is not signed, and this agent runs signed plans alone"},
      {"SignatureChanged",
       [](Case& c) {
         std::string& text = *c.signatures[0].mutable_signature();
         text[10] = text[10] == 'A' ? 'B' : 'A';
       },
       "the signature is not that of key"},
      {"StatementChanged", [](Case& c) { c.signatures[0].mutable_statement()->add_targets("other"); },
       "the signature is not that of key"},
      {"AnotherKeyNamed", [](Case& c) { c.signatures[0].set_public_key(KeyOf("ann").public_key().text()); },
       "the signature is not that of key"},
      {"KeyIsNone", [](Case& c) { c.signatures[0].set_public_key("x"); }, "public_key"},
      {"StatementWithoutId", [](Case& c) { c.signatures[0].mutable_statement()->clear_id(); },
       "statement.id"},
      {"KeyNotTrusted",
       [](Case& c) {
         const v1::PlanStatement statement = c.signatures[0].statement();
         c.signatures.Clear();
         c.Add("mallory", statement);
       },
       "is none of plan_keys (alice, ann)"},
      {"KeyOfAnApprover",
       [](Case& c) {
         const v1::PlanStatement statement = c.signatures[0].statement();
         c.signatures.Clear();
         c.Add("bob", statement);
       },
       "is none of plan_keys"},
      {"KeyTakenOut", [](Case& c) { c.trust.plan_keys.erase("alice"); }, "is none of plan_keys (ann)"},
      {"AnotherPlan", [](Case& c) { c.plan = PlanOf(kOther); }, "is of another plan"},
      {"AnotherEnvironment", [](Case& c) { c.trust.environment = "staging"; },
       "is for environment production, not staging"},
      {"AnotherTarget", [](Case& c) { c.target = "crm2"; }, "is for other targets: crm"},
      {"NotYet", [](Case& c) { c.now = kNow - absl::Hours(1) - absl::Nanoseconds(1); },
       "does not hold before"},
      {"Expired", [](Case& c) { c.now = kNow + absl::Hours(1); }, "expired at"},
      {"Used", [](Case& c) { c.used[c.signatures[0].statement().id()] = "rollouts/r0/runs/crm"; },
       "was used already, by rollouts/r0/runs/crm"},
  };
  return *all;
}

TEST(SignedPlanTest, APlanThatATrustedKeyHasSignedIsRun) {
  const Case c;
  ASSERT_OK_AND_ASSIGN(const v1::PlanSignature signature, c.Verify());
  EXPECT_EQ(signature.statement().id(), c.signatures[0].statement().id());
}

TEST(SignedPlanTest, EachConditionStandsAlone) {
  for (const Broken& broken : AllBroken()) {
    SCOPED_TRACE(broken.name);
    Case c;
    broken.change(c);
    const absl::Status status = c.Verify().status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr(broken.message)));
    EXPECT_THAT(std::string(status.message()), HasSubstr(absl::StrCat("target ", c.target)));
    EXPECT_THAT(base::Detail(status, base::kHint),
                AllOf(HasSubstr(absl::StrCat("curlew plan sign plans/p-", plan::Digest(c.plan).substr(0, 12),
                                             " --key FILE --environment ", c.trust.environment)),
                      HasSubstr("curlew rollout resume")));
  }
}

TEST(SignedPlanTest, OneSignatureThatCountsIsEnough) {
  for (const Broken& broken : AllBroken()) {
    // What is wrong with the plan, the agent or the clock is wrong with every signature.
    Case c;
    broken.change(c);
    const Case fine;
    c.trust = fine.trust;
    c.target = fine.target;
    c.plan = fine.plan;
    c.now = fine.now;
    c.Add("ann", StatementOf(c.plan, kNow));
    EXPECT_THAT(c.Verify(), IsOk()) << broken.name;
  }
}

TEST(SignedPlanTest, HoldsFromItsFirstMomentToItsLast) {
  Case c;
  c.now = kNow - absl::Hours(1);
  EXPECT_THAT(c.Verify(), IsOk());
  c.now = kNow + absl::Hours(1) - absl::Nanoseconds(1);
  EXPECT_THAT(c.Verify(), IsOk());
}

TEST(SignedPlanTest, AnyOfTheTargetsMayRunIt) {
  Case c;
  c.Resign([](v1::PlanStatement& statement) { statement.add_targets("crm2"); });
  EXPECT_THAT(c.Verify(), IsOk());
  c.target = "crm2";
  EXPECT_THAT(c.Verify(), IsOk());
  c.target = "cr";
  EXPECT_FALSE(c.Verify().ok());
}

TEST(SignedPlanTest, WhatIsNoPlanIsNotRunWhoeverHasSignedIt) {
  Case c;
  c.plan.clear_operations();
  c.Resign([&](v1::PlanStatement& statement) { statement.set_plan_digest(plan::Digest(c.plan)); });
  EXPECT_THAT(c.Verify(), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(SignedPlanTest, AFloodOfSignaturesIsCut) {
  Case c;
  const v1::PlanSignature right = c.signatures[0];
  c.signatures.Clear();
  for (int i = 0; i < kMostSignatures; ++i) c.signatures.Add();
  *c.signatures.Add() = right;
  EXPECT_THAT(c.Verify(), StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("and 95 others")));
}

// --- Runs that were begun. ---

PinnedPlan Pinned() {
  PinnedPlan pinned;
  pinned.compiled.set_plan_digest(plan::Digest(PlanOf(kPlan)));
  pinned.signature = SignedBy("alice", StatementOf(PlanOf(kPlan), kNow));
  return pinned;
}

TEST(SignedPlanTest, ARunGoesOnByItsSignatureWhateverTheTime) {
  for (const absl::Duration later : {absl::ZeroDuration(), absl::Hours(24 * 365 * 100)}) {
    PinnedPlan pinned = Pinned();
    pinned.signature = SignedBy("alice", StatementOf(PlanOf(kPlan), kNow - later));
    ASSERT_OK_AND_ASSIGN(const signing::PublicKey key, VerifyPinned(TestTrust(), "crm", kRun, pinned));
    EXPECT_EQ(key, KeyOf("alice").public_key());
  }
}

TEST(SignedPlanTest, ARunStopsWhereItsSignatureDoesNotCountAnyMore) {
  const auto refusal = [](const Trust& trust, const std::string& target, const PinnedPlan& pinned) {
    const absl::Status status = VerifyPinned(trust, target, kRun, pinned).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
    EXPECT_THAT(base::Detail(status, base::kHint), HasSubstr("curlew rollout rollback"));
    return std::string(status.message());
  };
  PinnedPlan pinned = Pinned();
  pinned.signature.reset();
  EXPECT_THAT(refusal(TestTrust(), "crm", pinned), HasSubstr("was begun without a signature"));
  pinned = Pinned();
  pinned.signature->Clear();
  EXPECT_THAT(refusal(TestTrust(), "crm", pinned), HasSubstr("does not count any more"));
  pinned = Pinned();
  pinned.signature->mutable_statement()->add_targets("crm2");
  EXPECT_THAT(refusal(TestTrust(), "crm", pinned), HasSubstr("the signature is not that of key"));
  pinned = Pinned();
  pinned.compiled.set_plan_digest(plan::Digest(PlanOf(kOther)));
  EXPECT_THAT(refusal(TestTrust(), "crm", pinned), HasSubstr("is of another plan"));
  Trust trust = TestTrust();
  trust.plan_keys.erase("alice");
  EXPECT_THAT(refusal(trust, "crm", Pinned()), HasSubstr("is none of plan_keys (ann)"));
  trust = TestTrust();
  trust.environment = "staging";
  EXPECT_THAT(refusal(trust, "crm", Pinned()), HasSubstr("is for environment production, not staging"));
  EXPECT_THAT(refusal(TestTrust(), "crm2", Pinned()), HasSubstr("is for other targets"));
}

TEST(SignedPlanTest, RunsHaveNamesThatControllersMake) {
  EXPECT_THAT(RolloutOf("rollouts/r-1/runs/crm", "crm"), ::curlew::testing::IsOkAndHolds("rollouts/r-1"));
  for (const char* name : {"", "rollouts/r1/runs/other", "rollouts/r1", "rollouts//runs/crm",
                           "rollouts/../runs/crm", "r/r1/runs/crm", "rollouts/r1/run/crm",
                           "rollouts/r1/runs/crm/crm", "rollouts/a b/runs/crm", "rollouts/R/runs/crm"}) {
    EXPECT_THAT(RolloutOf(name, "crm").status(), StatusIs(absl::StatusCode::kPermissionDenied)) << name;
  }
  EXPECT_FALSE(RolloutOf(absl::StrCat("rollouts/", std::string(200, 'a'), "/runs/crm"), "crm").ok());
}

// --- Whom to trust. ---

TEST(TrustTest, SaysWhatIsMissing) {
  EXPECT_OK(CheckTrust(TestTrust()));
  const auto wrong = [](const std::function<void(Trust&)>& change) {
    Trust trust = TestTrust();
    change(trust);
    return std::string(CheckTrust(trust).message());
  };
  EXPECT_THAT(wrong([](Trust& t) { t.environment.clear(); }), HasSubstr("trust needs environment"));
  EXPECT_THAT(wrong([](Trust& t) { t.plan_keys.clear(); }), HasSubstr("trust needs plan_keys"));
  EXPECT_THAT(wrong([](Trust& t) { t.plan_keys.emplace("alias", KeyOf("alice").public_key()); }),
              HasSubstr("one key under two names, alias and alice"));
  EXPECT_THAT(wrong([](Trust& t) { t.approver_keys.emplace("robert", KeyOf("bob").public_key()); }),
              HasSubstr("approver_keys has one key under two names"));
  EXPECT_THAT(wrong([](Trust& t) { t.approver_keys.clear(); }), HasSubstr("trust needs approver_keys"));
  EXPECT_THAT(wrong([](Trust& t) { t.drop_approvals = 0; }), HasSubstr("drop_approvals is 0 although"));
  EXPECT_THAT(wrong([](Trust& t) { t.drop_approvals = 4; }), HasSubstr("no step of DROP could ever begin"));
  EXPECT_THAT(wrong([](Trust& t) { t.drop_approvals = -1; }), HasSubstr("drop_approvals is -1"));
  EXPECT_EQ(wrong([](Trust& t) { t.drop_approvals = 3; }), "");
  EXPECT_EQ(wrong([](Trust& t) {
              t.approver_keys.clear();
              t.drop_approvals = 0;
            }),
            "");
}

}  // namespace
}  // namespace curlew::agent
