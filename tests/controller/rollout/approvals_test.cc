#include "controller/rollout/approvals.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error_detail.h"
#include "controller/rollout/gate_named.h"
#include "tests/controller/rollout/fleet.h"
#include "tests/support/status_matchers.h"

namespace curlew::rollout {
namespace {

using curlew::testing::StatusIs;
using testing::Driver;
using ::testing::ElementsAre;
using testing::Fleet;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::RunIs;
using testing::StageIs;
using testing::Told;
using testing::Waits;

constexpr absl::StatusCode kMisfit = absl::StatusCode::kFailedPrecondition;

Driver AtGate(const std::string& before = "before: {approvals: 1}") {
  return testing::Started(Fleet({"a", "b"}, before));
}

const v1::Gate& Before(const Driver& driver) { return driver.state().stages(0).before(); }

v1::CompiledPlan Moved() {
  v1::CompiledPlan plan = testing::RenamePlan();
  plan.set_schema_fingerprint("moved");
  return plan;
}

TEST(ApprovalsTest, AnApprovalKeepsWhatItCovers) {
  Driver driver = AtGate();
  EXPECT_EQ(Before(driver).cover().size(), 64u);
  driver.Apply(Approved{"production/before", "bob", "fine", Before(driver).cover()});
  EXPECT_EQ(Before(driver).approvals(0).cover(), Before(driver).cover());
  EXPECT_EQ(StageIs(driver), "RUNNING");
}

v1::DecisionSignature Signature(const std::string& id) {
  v1::DecisionSignature signature;
  signature.mutable_statement()->set_id(id);
  return signature;
}

Approved Signs(const std::string& actor, const std::string& id, const std::string& gate = "") {
  return {.gate = gate, .actor = actor, .signature = Signature(id)};
}

const v1::Gate& BeforeDrop(const Driver& driver) { return driver.state().stages(0).before_drop(); }

TEST(ApprovalsTest, ASignatureIsKeptWithTheApprovalThatOpensTheGate) {
  Driver driver;
  driver.ToDropGate();
  EXPECT_EQ(EnvironmentToApprove(driver.state(), "", Signed::kYes, driver.now()).value(), "staging");
  EXPECT_THAT(driver.Apply(Signs("bob", "1")), ElementsAre("do s drain #7"));
  ASSERT_EQ(BeforeDrop(driver).approvals_size(), 1);
  EXPECT_EQ(BeforeDrop(driver).approvals(0).signature().statement().id(), "1");
  EXPECT_THAT(driver.last().events[0].message(), HasSubstr("approved, signed, by bob"));
}

// An agent says what it lacks when DROP begins, which is behind the gate.
TEST(ApprovalsTest, SignedApprovalsMayComeWhenTheGateIsOpen) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.Apply(AttemptNacked{.target = "s", .attempt = 7, .invalid = true, .message = "not signed"});
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_TRUE(BeforeDrop(driver).has_open_time()) << "a refusal is not what an approval was wrong about";
  EXPECT_THAT(driver.Try(Approved{"", "carol"}), StatusIs(kMisfit));
  // By who has approved before, the same approval is signed, also once more; by another it is one more.
  driver.Apply(Signs("bob", "1"));
  EXPECT_THAT(driver.last().events[0].message(), HasSubstr("the approval was signed by bob"));
  EXPECT_EQ(driver.last().events[0].type(), v1::EVENT_TYPE_GATE_APPROVED);
  driver.Apply(Signs("bob", "2", "staging/before-drop"));
  driver.Apply(Signs("carol", "3"));
  ASSERT_EQ(BeforeDrop(driver).approvals_size(), 2);
  EXPECT_EQ(BeforeDrop(driver).approvals(0).signature().statement().id(), "2");
  EXPECT_EQ(BeforeDrop(driver).approvals(1).signature().statement().id(), "3");
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s drain #8"));
  // Neither by who started it.
  EXPECT_THAT(driver.Try(Signs("alice", "4")), StatusIs(kMisfit, HasSubstr("somebody else")));
}

TEST(ApprovalsTest, OnlyApprovalsBeforeDropAreSigned) {
  Driver driver = AtGate();
  for (const char* gate : {"", "production/before"}) {
    const absl::Status status = driver.Try(Signs("bob", "1", gate));
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("before DROP")));
    EXPECT_EQ(base::Detail(status, base::kField), "signature");
  }
  EXPECT_THAT(driver.Try(Signs("bob", "1", "production/before-drop")),
              StatusIs(kMisfit, HasSubstr("has not been reached")));
  EXPECT_THAT(driver.Try(Signs("bob", "1", "production/none")), StatusIs(absl::StatusCode::kNotFound));
  Driver begun;
  begun.Start();
  EXPECT_THAT(begun.Try(Signs("bob", "1")), StatusIs(kMisfit, HasSubstr("no gate before DROP")));
  Driver done(testing::Staging());
  done.ToDropGate();
  done.Apply(Approved{"", "bob"});
  done.Finish("s");
  EXPECT_THAT(done.Try(Signs("bob", "1", "staging/before-drop")), StatusIs(kMisfit));
}

TEST(ApprovalsTest, WhatCoversSomethingElseIsRefused) {
  Driver driver = AtGate();
  const absl::Status status = driver.Try(Approved{"", "bob", "", "abc"});
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAborted, HasSubstr("look at it again")));
  EXPECT_EQ(base::Detail(status, base::kReason), "COVER_CHANGED");
}

TEST(ApprovalsTest, TheCoverIsOfTargetsSchemasPlanAndPolicy) {
  const std::string cover = Before(AtGate()).cover();
  EXPECT_EQ(Before(AtGate()).cover(), cover);
  EXPECT_NE(Before(AtGate("before: {approvals: 1}\nmax_failed: 1")).cover(), cover);
  EXPECT_NE(Before(testing::Started(Fleet({"a", "c"}, "before: {approvals: 1}"))).cover(), cover);
  // The order of the list is not what matters, but it is part of the policy.
  Driver moved({Fleet({"a", "b"}, "before: {approvals: 1}")});
  moved.Start();
  moved.Compile("a");
  moved.Compile("b", Moved());
  EXPECT_NE(Before(moved).cover(), cover);
}

TEST(ApprovalsTest, NeitherWhoStartedItNorWhoWroteThePlanMayApprove) {
  Driver driver = AtGate("before: {approvals: 2}");
  for (const char* author : {"alice", "Alice", " alice "}) {
    const absl::Status status = driver.Try(Approved{"", author});
    EXPECT_THAT(status, StatusIs(kMisfit, HasSubstr("somebody else has to approve")));
    EXPECT_EQ(base::Detail(status, base::kReason), "APPROVAL_BY_AUTHOR");
  }
  EXPECT_THAT(driver.Try(Approved{"", "paul"}), StatusIs(kMisfit, HasSubstr("paul wrote the plan")));
  EXPECT_THAT(Before(driver).approvals(), IsEmpty());
}

TEST(ApprovalsTest, TheSamePersonIsNotTwo) {
  Driver driver = AtGate("before: {approvals: 2}");
  driver.Apply(Approved{"", "bob"});
  EXPECT_THAT(driver.Try(Approved{"", "Bob"}), StatusIs(kMisfit, HasSubstr("has approved")));
  driver.Apply(Approved{"", "carol"});
  EXPECT_EQ(StageIs(driver), "RUNNING");
}

TEST(ApprovalsTest, AnApprovalThatExpiresBeforeTheGateOpensIsVoid) {
  Driver driver = AtGate("before: {approvals: 2, approval_expires: 1h}");
  driver.Apply(Approved{"", "bob"});
  EXPECT_EQ(driver.last().wake, driver.now() + absl::Hours(1));
  driver.Pass(absl::Minutes(59));
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_APPROVAL_VOID), 0);
  driver.Pass(absl::Minutes(1));
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_APPROVAL_VOID), 1);
  EXPECT_THAT(Before(driver).approvals(0).void_reason(), HasSubstr("expired"));
  driver.Apply(Approved{"", "carol"});
  EXPECT_EQ(StageIs(driver), "PREPARING");
  driver.Apply(Approved{"", "bob"});
  EXPECT_EQ(StageIs(driver), "RUNNING");
}

TEST(ApprovalsTest, AnApprovalThatHasOpenedTheGateDoesNotExpire) {
  Driver driver = AtGate("before: {approvals: 1, approval_expires: 1h}");
  driver.Apply(Approved{"", "bob"});
  driver.Pass(absl::Hours(2));
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_APPROVAL_VOID), 0);
  EXPECT_TRUE(Before(driver).has_open_time());
}

TEST(ApprovalsTest, AnApprovalThatIsGivenDuringAPauseExpiresAsAnyOther) {
  Driver driver = AtGate("before: {approvals: 1, approval_expires: 1h}");
  driver.Apply(PauseAsked{"carol", ""});
  driver.Apply(Approved{"", "bob"});
  driver.Pass(absl::Hours(2));
  driver.Apply(ResumeAsked{"carol"});
  EXPECT_EQ(StageIs(driver), "PREPARING");
  EXPECT_THAT(Before(driver).approvals(0).void_reason(), HasSubstr("expired"));
  driver.Apply(Approved{"", "bob"});
  EXPECT_EQ(StageIs(driver), "RUNNING");
}

TEST(ApprovalsTest, ASchemaThatHasChangedSinceFailsTheRunAndResumeNeedsAnotherApproval) {
  Driver driver = AtGate();
  EXPECT_THAT(driver.Apply(Approved{"", "bob"}), ElementsAre("compile a", "compile b"));
  driver.Compile("b");
  driver.Apply(Compiled{.target = "a", .plan = Moved(), .digest = "other"});
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.run("a").error().message(), HasSubstr("its schema has changed since it was approved"));
  EXPECT_THAT(driver.run("a").error().message(), HasSubstr("fingerprint moved, not fingerprint"));
  EXPECT_EQ(Before(driver).approvals(0).void_reason(), "");

  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("compile a"));
  const std::string cover = Before(driver).cover();
  driver.Apply(Compiled{.target = "a", .plan = Moved(), .digest = "other"});
  EXPECT_EQ(RunIs(driver, "a"), "COMPILED");
  EXPECT_NE(Before(driver).cover(), cover);
  EXPECT_THAT(Before(driver).approvals(0).void_reason(), HasSubstr("schema"));
  EXPECT_FALSE(Before(driver).has_open_time());
  EXPECT_THAT(Waits(driver), ElementsAre("APPROVAL production/before"));
  // What has begun goes on.
  EXPECT_THAT(driver.Succeed("b"), ElementsAre("do b add #2"));
  EXPECT_THAT(driver.Apply(Approved{"", "bob"}), ElementsAre("compile a"));
  EXPECT_THAT(driver.Apply(Compiled{.target = "a", .plan = Moved(), .digest = "other"}),
              ElementsAre("do a look #1 +plan"));
}

TEST(ApprovalsTest, TheSameSchemaAgainNeedsNone) {
  Driver driver = AtGate();
  driver.Apply(Approved{"", "bob"});
  driver.Compile("b");
  driver.Apply(Compiled{.target = "a", .plan = Moved(), .digest = "other"});
  driver.Apply(ResumeAsked{"bob"});
  // Somebody has put it right.
  EXPECT_THAT(driver.Compile("a"), ElementsAre("do a look #1 +plan"));
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_APPROVAL_VOID), 0);
}

TEST(ApprovalsTest, WithoutApprovalsASchemaThatHasChangedStopsItAllTheSame) {
  Driver driver({Fleet({"a", "b"})});
  driver.Start();
  driver.Compile("a");
  driver.Compile("b");
  EXPECT_EQ(RunIs(driver, "a"), "COMPILING");
  EXPECT_EQ(driver.run("a").compiled_digest(), "compiled");
  driver.Apply(Compiled{.target = "a", .plan = Moved(), .digest = "other"});
  EXPECT_EQ(RunIs(driver, "a"), "FAILED");
  driver.Apply(ResumeAsked{"bob"});
  EXPECT_THAT(driver.Apply(Compiled{.target = "a", .plan = Moved(), .digest = "other"}),
              ElementsAre("do a look #1 +plan"));
}

TEST(ApprovalsTest, AVerificationBeforeDropThatFailsTakesThemBack) {
  v1::CompiledPlan plan = testing::AddPlan();
  v1::Step& verify = *plan.add_steps();
  verify.set_key("verify");
  verify.set_phase(v1::PHASE_DROP);
  verify.set_preflight(true);
  verify.mutable_action()->mutable_verify();
  Driver driver({Fleet({"a"}, "before_drop: {approvals: 1}")});
  driver.Start();
  driver.CompileAll({"a"}, plan);
  driver.Finish("a");
  driver.Apply(Approved{"", "bob"});
  driver.End("a", v1::ATTEMPT_STATE_FAILED, "12 rows differ");
  const v1::Gate& gate = driver.state().stages(0).before_drop();
  EXPECT_THAT(gate.approvals(0).void_reason(), HasSubstr("verify failed on a"));
  EXPECT_FALSE(gate.has_open_time());
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_GATE_TAKEN_BACK), 1);
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), IsEmpty());
  EXPECT_THAT(Waits(driver), ElementsAre("APPROVAL production/before-drop"));
  EXPECT_THAT(driver.Apply(Approved{"", "bob", "looked at them"}), ElementsAre("do a verify #8"));
}

TEST(ApprovalsTest, SkippingAGatePassesSoakWindowsAndChecksButNoApproval) {
  Driver driver = AtGate(R"(
before:
  approvals: 1
  soak: 24h
  windows: [{cron: "0 2 * * *", duration: 1h}]
  checks: [{name: deployed, reported: {}}]
)");
  EXPECT_THAT(Waits(driver),
              ElementsAre("APPROVAL production/before", "SOAK until 2027-01-16T08:00:00Z production/before",
                          "CHECK production/before", "WINDOW until 2027-01-16T02:00:00Z production/before"));
  EXPECT_THAT(driver.Try(GateSkipped{"", "", "x"}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(driver.Try(GateSkipped{"", "bob", " "}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(driver.Try(GateSkipped{"production/after", "bob", "x"}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(driver.Try(GateSkipped{"production/before-drop", "bob", "x"}),
              StatusIs(kMisfit, HasSubstr("asks for nothing")));
  driver.Apply(GateSkipped{"", "alice", "an emergency"});
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_GATE_SKIPPED), 1);
  EXPECT_EQ(Before(driver).skip().reason(), "an emergency");
  EXPECT_THAT(Waits(driver), ElementsAre("APPROVAL production/before"));
  EXPECT_THAT(driver.Try(GateSkipped{"production/before", "bob", "x"}),
              StatusIs(kMisfit, HasSubstr("was skipped already by alice")));
  EXPECT_THAT(driver.Apply(Approved{"", "bob"}), ElementsAre("compile a", "compile b"));
}

TEST(ApprovalsTest, NothingIsSkippedWhereOnlyApprovalsAreMissing) {
  Driver driver = AtGate();
  EXPECT_THAT(driver.Try(GateSkipped{"", "bob", "x"}),
              StatusIs(kMisfit, HasSubstr("no gate of r waits for a")));
  EXPECT_THAT(driver.Try(GateSkipped{"production/before", "bob", "x"}),
              StatusIs(kMisfit, HasSubstr("approvals only, which cannot be skipped")));
}

}  // namespace
}  // namespace curlew::rollout
