#include "controller/rollout/gates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/rollout/driver.h"
#include "tests/controller/rollout/fleet.h"

namespace curlew::rollout {
namespace {

using testing::Driver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::StatusCode kMisfit = absl::StatusCode::kFailedPrecondition;

TEST(GatesTest, NoApprovalNeededMeansOpen) {
  Driver driver;
  EXPECT_TRUE(driver.state().stages(0).before().has_open_time());
  EXPECT_EQ(driver.state().stages(0).before().id(), "staging/before");
  EXPECT_FALSE(driver.state().stages(0).before_drop().has_open_time());
  EXPECT_EQ(driver.state().stages(0).before_drop().id(), "staging/before-drop");
}

TEST(GatesTest, ApprovalIsRecordedAndOpens) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"staging/before-drop", "bob", "looks good"});
  const v1::Gate& gate = driver.state().stages(0).before_drop();
  EXPECT_EQ(gate.approvals(0).actor(), "bob");
  EXPECT_EQ(gate.approvals(0).reason(), "looks good");
  EXPECT_TRUE(gate.has_open_time());
  EXPECT_EQ(driver.last().events[0].type(), v1::EVENT_TYPE_GATE_APPROVED);
  EXPECT_EQ(driver.last().events[0].actor(), "bob");
  EXPECT_EQ(driver.last().events[1].type(), v1::EVENT_TYPE_GATE_OPENED);
}

TEST(GatesTest, TwoApprovalsTakeTwoPeople) {
  std::vector<v1::Environment> environments = testing::Staging();
  environments[0].mutable_before_drop()->set_approvals(2);
  Driver driver(environments);
  driver.ToDropGate();
  EXPECT_THAT(driver.Apply(Approved{"", "bob"}), IsEmpty());
  EXPECT_THAT(driver.state().waiting(0).message(), HasSubstr("needs 1 more approval:"));
  const absl::Status again = driver.Try(Approved{"", "bob"});
  EXPECT_EQ(again.code(), kMisfit);
  EXPECT_THAT(again.message(), HasSubstr("other people"));
  EXPECT_THAT(driver.Apply(Approved{"", "carol"}), ElementsAre("do s drain #7"));
}

TEST(GatesTest, RefusesWhatDoesNotWait) {
  Driver driver;
  driver.Start();
  EXPECT_EQ(driver.Try(Approved{"", "bob"}).code(), kMisfit);
  EXPECT_THAT(driver.Try(Approved{"staging/before", "bob"}).message(), HasSubstr("is open already"));
  EXPECT_THAT(driver.Try(Approved{"staging/before-drop", "bob"}).message(), HasSubstr("not been reached"));
  const absl::Status unknown = driver.Try(Approved{"staging/after", "bob"});
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(unknown.message(), HasSubstr("staging/before-drop"));
  EXPECT_EQ(driver.Try(Approved{"", ""}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(GatesTest, ApprovalsWhilePausedCountWhenItIsResumed) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(PauseAsked{"bob", "lunch"});
  EXPECT_THAT(driver.Apply(Approved{"", "carol"}), IsEmpty());
  EXPECT_EQ(driver.state().stages(0).state(), v1::STAGE_STATE_AT_DROP_GATE);
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s drain #7"));
}

TEST(GatesTest, APausedSoakGoesOnButNothingFollows) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.Finish("s");
  driver.Apply(PauseAsked{"bob"});
  EXPECT_EQ(driver.last().wake, absl::InfiniteFuture());
  driver.Pass(absl::Minutes(11));
  EXPECT_EQ(driver.state().stages(0).state(), v1::STAGE_STATE_SOAKING);
  driver.Apply(ResumeAsked{"bob"});
  EXPECT_EQ(driver.state().stages(0).state(), v1::STAGE_STATE_DONE);
  driver.CompileAll({"p", "q"});
  EXPECT_EQ(driver.state().waiting(0).gate(), "production/before");
}

TEST(GatesTest, ADropStepIsNotSentWhereTheGateNoLongerHolds) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.Ack("s");
  v1::Rollout state = driver.state();
  state.mutable_stages(0)->mutable_before_drop()->clear_approvals();
  AttemptEnded ended{.target = "s", .attempt = 7, .outcome = v1::ATTEMPT_STATE_SUCCEEDED};
  absl::StatusOr<Transition> next = Advance(state, ended, driver.now());
  ASSERT_TRUE(next.ok());
  EXPECT_THAT(next->commands, IsEmpty());
  EXPECT_EQ(next->state.waiting(0).cause(), v1::WAIT_CAUSE_APPROVAL);
  next = Advance(next->state, Approved{"", "carol"}, driver.now());
  ASSERT_TRUE(next.ok());
  ASSERT_EQ(next->commands.size(), 1u);
  EXPECT_EQ(testing::Describe(next->commands[0]), "do s drop #8");
}

TEST(GatesTest, ASoakIsAWaitWithAnEnd) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.Finish("s");
  ASSERT_EQ(driver.state().waiting_size(), 1);
  EXPECT_EQ(driver.state().waiting(0).cause(), v1::WAIT_CAUSE_SOAK);
  EXPECT_EQ(driver.state().waiting(0).until().seconds(), absl::ToUnixSeconds(driver.now()) + 600);
}

TEST(GatesTest, ASoakCountsFromTheArrivalAndOnce) {
  Driver driver = testing::Started(testing::Fleet({"a"}, "before: {soak: 2h}"));
  EXPECT_THAT(testing::Waits(driver), ElementsAre("SOAK until 2027-01-15T10:00:00Z production/before"));
  EXPECT_EQ(driver.last().wake, driver.now() + absl::Hours(2));
  EXPECT_THAT(driver.Pass(absl::Hours(1)), IsEmpty());
  EXPECT_THAT(driver.Pass(absl::Hours(1)), ElementsAre("compile a"));
}

TEST(GatesTest, AWindowIsJudgedBeforeEveryStepAndStopsNothing) {
  Driver driver =
      testing::Started(testing::Fleet({"a"}, "before: {windows: [{cron: \"0 8 * * *\", duration: 1h}]}"));
  EXPECT_EQ(driver.live("a").key(), "look");
  EXPECT_THAT(driver.Pass(absl::Hours(1)), IsEmpty());
  EXPECT_THAT(driver.Succeed("a"), IsEmpty()) << "nothing new begins";
  EXPECT_THAT(testing::Waits(driver), ElementsAre("WINDOW until 2027-01-16T08:00:00Z production/before"));
  EXPECT_EQ(driver.last().wake, driver.now() + absl::Hours(23));
  EXPECT_EQ(testing::Told(driver, v1::EVENT_TYPE_GATE_TAKEN_BACK), 0) << "windows come and go";
  EXPECT_THAT(driver.Pass(absl::Hours(23)), ElementsAre("do a add #2"));
  // The same for what waits for another try.
  driver.End("a", v1::ATTEMPT_STATE_ERRORED, "busy");
  EXPECT_THAT(driver.Pass(absl::Hours(2)), IsEmpty());
  EXPECT_THAT(driver.Pass(absl::Hours(22)), ElementsAre("do a add #3"));
}

TEST(GatesTest, OneOfSeveralWindowsIsEnough) {
  Driver driver = testing::Started(testing::Fleet(
      {"a"},
      "before: {windows: [{cron: \"0 2 * * *\", duration: 1h}, {cron: \"0 6 * * 5\", duration: 3h}]}"));
  EXPECT_EQ(driver.live("a").key(), "look");
}

TEST(GatesTest, WhatIsCompiledWaitsForTheWindowAndIsCompiledOnceMore) {
  Driver driver =
      testing::Started(testing::Fleet({"a"}, "before: {windows: [{cron: \"0 2 * * *\", duration: 1h}]}"));
  EXPECT_EQ(testing::RunIs(driver, "a"), "COMPILED");
  EXPECT_THAT(driver.Pass(absl::Hours(18)), ElementsAre("compile a"));
  driver.Pass(absl::Hours(1));
  EXPECT_THAT(driver.Compile("a"), IsEmpty()) << "the window has closed meanwhile";
  EXPECT_EQ(testing::RunIs(driver, "a"), "COMPILED");
  EXPECT_THAT(driver.Pass(absl::Hours(23)), ElementsAre("compile a"));
  EXPECT_THAT(driver.Compile("a"), ElementsAre("do a look #1 +plan"));
}

TEST(GatesTest, AFreezeHoldsEveryNewAttemptButNoRollback) {
  Driver driver = testing::Started(testing::Fleet({"a"}, R"(
freezes: [{from: "2027-01-15T09:00:00Z", until: "2027-01-15T12:00:00Z", reason: "the sale"}]
)"));
  driver.Pass(absl::Hours(1));
  EXPECT_THAT(driver.Succeed("a"), IsEmpty());
  EXPECT_THAT(testing::Waits(driver), ElementsAre("FREEZE until 2027-01-15T12:00:00Z"));
  EXPECT_THAT(driver.state().waiting(0).message(), HasSubstr("the sale"));
  EXPECT_EQ(driver.last().wake, driver.now() + absl::Hours(3));
  Driver back = driver;
  EXPECT_THAT(driver.Pass(absl::Hours(3)), ElementsAre("do a add #2"));
  EXPECT_THAT(back.Apply(RollbackAsked{"bob"}), IsEmpty());
  EXPECT_EQ(back.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
}

TEST(GatesTest, AFreezeCannotBeSkipped) {
  Driver driver = testing::Started(testing::Fleet({"a"}, R"(
before: {soak: 1h}
freezes: [{from: "2027-01-15T00:00:00Z", until: "2027-01-16T00:00:00Z"}]
)"));
  driver.Apply(GateSkipped{"", "bob", "x"});
  EXPECT_EQ(testing::StageIs(driver), "RUNNING");
  EXPECT_EQ(testing::RunIs(driver, "a"), "COMPILED");
  EXPECT_THAT(testing::Waits(driver), ElementsAre("FREEZE until 2027-01-16T00:00:00Z"));
}

TEST(GatesTest, AnUnknownOutcomeIsSettledWhileTheGateIsClosed) {
  Driver driver =
      testing::Started(testing::Fleet({"a"}, "before: {windows: [{cron: \"0 8 * * *\", duration: 1h}]}"));
  driver.Ack("a");
  driver.Apply(AgentLost{"a"});
  driver.Pass(absl::Hours(1));
  EXPECT_THAT(driver.Apply(AgentReady{.target = "a", .epoch = 2}), IsEmpty());
  EXPECT_EQ(driver.step("a", "look").state(), v1::STEP_STATE_PENDING);
  EXPECT_TRUE(driver.step("a", "look").in_doubt());
}

}  // namespace
}  // namespace curlew::rollout
