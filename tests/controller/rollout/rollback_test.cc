#include "controller/rollout/rollback.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/rollout/driver.h"

namespace curlew::rollout {
namespace {

using testing::Driver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::StatusCode kMisfit = absl::StatusCode::kFailedPrecondition;
const RollbackAsked kBack{"bob", "bad idea"};

Driver At(const std::string& step) {
  Driver driver(testing::Staging());
  driver.Start();
  driver.Compile("s");
  driver.RunTo("s", step);
  return driver;
}

TEST(RollbackTest, StopsThenAsksTheGateThenUndoesBackwards) {
  Driver driver = At("bind");
  driver.Ack("s");
  EXPECT_THAT(driver.Apply(kBack), ElementsAre("cancel s #6"));
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), ElementsAre("undo s rollback-gate #7"));
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("undo s bind #8"));
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("undo s dual #9"));
  EXPECT_EQ(driver.step("s", "fill").state(), v1::STEP_STATE_UNDONE);
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("undo s add #10"));
  EXPECT_THAT(driver.Succeed("s"), IsEmpty());
  EXPECT_EQ(driver.step("s", "look").state(), v1::STEP_STATE_UNDONE);
  EXPECT_EQ(driver.step("s", "drop").state(), v1::STEP_STATE_PENDING);
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_ROLLED_BACK);
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(driver.state().reason(), "rolled back by bob: bad idea");
  EXPECT_EQ(driver.Try(kBack).code(), kMisfit);
}

TEST(RollbackTest, ABeganStepIsUndoneThoughItNeverSucceeded) {
  Driver driver = At("add");
  driver.End("s", v1::ATTEMPT_STATE_FAILED, "x");
  EXPECT_THAT(driver.Apply(kBack), ElementsAre("undo s rollback-gate #3"));
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("undo s add #4"));
}

TEST(RollbackTest, AfterAFailedPreflightThereIsNothingToUndo) {
  Driver driver = At("look");
  driver.End("s", v1::ATTEMPT_STATE_FAILED, "3 rows are NULL");
  EXPECT_THAT(driver.Apply(kBack), IsEmpty());
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
}

TEST(RollbackTest, WhatWasNotStartedIsRolledBackAtOnce) {
  Driver driver;
  driver.Start();
  driver.Apply(kBack);
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(driver.run("p").state(), v1::RUN_STATE_ROLLED_BACK);
  EXPECT_THAT(driver.Compile("s"), IsEmpty());
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_ROLLED_BACK);
}

TEST(RollbackTest, AQueuedAttemptIsDroppedNotWaitedFor) {
  Driver driver = At("fill");
  driver.End("s", v1::ATTEMPT_STATE_ERRORED, "x");
  EXPECT_THAT(driver.Apply(kBack), ElementsAre("undo s rollback-gate #6"));
}

TEST(RollbackTest, WithALostAgentItWaitsForItAndTheJournalDecides) {
  Driver driver = At("fill");
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(kBack), IsEmpty());
  EXPECT_EQ(driver.state().waiting(0).cause(), v1::WAIT_CAUSE_AGENT);
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), ElementsAre("undo s rollback-gate #5"));
}

TEST(RollbackTest, AnAgentThatComesBackWithTheAttemptIsAskedToStopItFirst) {
  Driver driver = At("fill");
  driver.Apply(AgentLost{"s"});
  driver.Apply(kBack);
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 1, .held = {4}}), ElementsAre("cancel s #4"));
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), ElementsAre("undo s rollback-gate #5"));
}

TEST(RollbackTest, HoweverTheStoppedAttemptEndsTheUndoFollows) {
  for (const auto outcome : {v1::ATTEMPT_STATE_SUCCEEDED, v1::ATTEMPT_STATE_FAILED, v1::ATTEMPT_STATE_ERRORED,
                             v1::ATTEMPT_STATE_CANCELLED}) {
    Driver driver = At("dual");
    driver.Apply(kBack);
    EXPECT_THAT(driver.End("s", outcome, "x"), ElementsAre("undo s rollback-gate #4"));
    EXPECT_THAT(driver.Succeed("s"), ElementsAre("undo s dual #5"));
    EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLING_BACK);
  }
}

TEST(RollbackTest, ARefusalOfTheStoppedAttemptLetsTheUndoFollow) {
  Driver driver = At("dual");
  driver.Apply(kBack);
  EXPECT_THAT(driver.Apply(AttemptNacked{.target = "s", .attempt = 3, .message = "busy"}),
              ElementsAre("undo s rollback-gate #4"));
}

TEST(RollbackTest, TheGateBeforeDropHoldsNobodyBack) {
  Driver driver(testing::Staging());
  driver.ToDropGate();
  EXPECT_THAT(driver.Apply(kBack), ElementsAre("undo s rollback-gate #7"));
}

TEST(RollbackTest, StepsOfDropThatOnlyWaitAreNoPointOfNoReturn) {
  Driver driver(testing::Staging());
  driver.ToDropGate();
  driver.Apply(Approved{"", "carol"});
  EXPECT_EQ(driver.live("s").key(), "drain");
  EXPECT_THAT(driver.Apply(kBack), ElementsAre("cancel s #7"));
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), ElementsAre("undo s rollback-gate #8"));
  driver.Finish("s");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
}

// A driver whose only run has sent the step of no return.
Driver Dropping() {
  Driver driver(testing::Staging());
  driver.ToDropGate();
  driver.Apply(Approved{"", "carol"});
  driver.RunTo("s", "drop");
  return driver;
}

TEST(RollbackTest, IsRefusedWhereEveryRunIsPastNoReturn) {
  Driver driver = Dropping();
  EXPECT_THAT(driver.Try(kBack).message(), HasSubstr("s (drop may be done)"));
  driver.Apply(AgentLost{"s"});
  EXPECT_EQ(driver.Try(kBack).code(), kMisfit);
  driver.Apply(AgentReady{.target = "s", .epoch = 2});
  driver.Succeed("s");
  EXPECT_THAT(driver.Try(kBack).message(), HasSubstr("s (drop is done)"));
}

TEST(RollbackTest, IsRefusedWhereTheOthersWereNeverBegun) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"", "carol"});
  driver.RunTo("s", "drop");
  EXPECT_EQ(driver.Try(kBack).code(), kMisfit);
  driver.Succeed("s");
  EXPECT_THAT(driver.Try(kBack).message(), HasSubstr("`abort` ends it"));
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_SUCCEEDED);
}

TEST(RollbackTest, ADropThatIsKnownNotToBeDoneIsNoPointOfNoReturn) {
  Driver driver = Dropping();
  driver.Apply(PauseAsked{"bob"});
  EXPECT_EQ(driver.Try(kBack).code(), kMisfit);
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_THAT(driver.Apply(kBack), ElementsAre("undo s rollback-gate #9"));
}

TEST(RollbackTest, ADropWhoseOutcomeWasNeverLearntStaysAPointOfNoReturn) {
  Driver driver = Dropping();
  driver.Apply(AgentReady{.target = "s", .epoch = 2});
  driver.Apply(AttemptNacked{.target = "s", .attempt = 9, .message = "busy"});
  driver.Apply(PauseAsked{"bob"});
  EXPECT_EQ(driver.step("s", "drop").state(), v1::STEP_STATE_PENDING);
  EXPECT_EQ(driver.Try(kBack).code(), kMisfit);
}

TEST(RollbackTest, TheEndOfALaterAttemptSettlesTheDoubt) {
  Driver driver = Dropping();
  driver.Apply(AgentLost{"s"});
  driver.Apply(AgentReady{.target = "s", .epoch = 2});
  driver.Apply(PauseAsked{"bob"});
  EXPECT_TRUE(driver.step("s", "drop").in_doubt());
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_FALSE(driver.step("s", "drop").in_doubt());
  EXPECT_THAT(driver.Apply(kBack), ElementsAre("undo s rollback-gate #10"));
}

// production: p is past its point of no return, q has not dropped.
Driver HalfDropped() {
  Driver driver;
  driver.IntoProduction();
  driver.Finish("p");
  driver.Finish("q");
  driver.Apply(Approved{"", "carol"});
  driver.RunTo("p", "drop");
  return driver;
}

TEST(RollbackTest, RunsPastNoReturnAreStoppedNamedAndLeft) {
  Driver driver = HalfDropped();
  EXPECT_THAT(driver.Apply(kBack), ElementsAre("cancel p #8", "cancel q #7"));
  EXPECT_THAT(driver.state().reason(),
              HasSubstr("past the point of no return: s (drop is done), p (drop may be done)"));
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_EQ(driver.run("p").state(), v1::RUN_STATE_FAILED);
  EXPECT_THAT(driver.End("p", v1::ATTEMPT_STATE_SUCCEEDED), IsEmpty());
  driver.End("q", v1::ATTEMPT_STATE_CANCELLED);
  driver.Finish("q");
  EXPECT_EQ(driver.run("q").state(), v1::RUN_STATE_ROLLED_BACK);
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(driver.Try(kBack).code(), kMisfit);
}

TEST(RollbackTest, WhatTheAgentOfARunLeftBehindDoesNotHoldIsSettledWhenItIsBack) {
  Driver driver = HalfDropped();
  driver.Apply(AgentLost{"p"});
  driver.Apply(kBack);
  EXPECT_EQ(driver.step("p", "drop").attempt().state(), v1::ATTEMPT_STATE_UNKNOWN);
  driver.Apply(AgentReady{.target = "p", .epoch = 2});
  EXPECT_EQ(driver.step("p", "drop").attempt().state(), v1::ATTEMPT_STATE_ERRORED);
  EXPECT_TRUE(driver.step("p", "drop").in_doubt());
}

TEST(RollbackTest, WhatTheAgentOfARunLeftBehindDoesNotHoldIsSettledAtOnceWhereItIsThere) {
  Driver driver = HalfDropped();
  driver.Apply(PauseAsked{"bob"});
  driver.Apply(AgentLost{"p"});
  driver.Apply(AgentReady{.target = "p", .epoch = 2});
  EXPECT_EQ(driver.step("p", "drop").attempt().state(), v1::ATTEMPT_STATE_UNKNOWN);
  driver.Apply(kBack);
  EXPECT_EQ(driver.step("p", "drop").attempt().state(), v1::ATTEMPT_STATE_ERRORED);
  EXPECT_TRUE(driver.step("p", "drop").in_doubt());
}

TEST(RollbackTest, ARunThatTurnsOutNotToHaveDroppedCanStillBeRolledBack) {
  Driver driver = HalfDropped();
  driver.Apply(kBack);
  driver.End("p", v1::ATTEMPT_STATE_CANCELLED);
  driver.End("q", v1::ATTEMPT_STATE_CANCELLED);
  driver.Finish("q");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_THAT(driver.Apply(kBack), ElementsAre("undo p rollback-gate #9"));
  driver.Finish("p");
  EXPECT_EQ(driver.run("p").state(), v1::RUN_STATE_ROLLED_BACK);
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
}

TEST(RollbackTest, AFailedUndoFailsAndRollbackTriesAgainWithoutTheGate) {
  Driver driver = At("fill");
  driver.Apply(kBack);
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  driver.RunTo("s", "dual");
  driver.End("s", v1::ATTEMPT_STATE_FAILED, "view depends");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.state().reason(), HasSubstr("undo of dual: view depends"));
  EXPECT_THAT(driver.Try(ResumeAsked{"bob"}).message(), HasSubstr("`rollback` tries again"));
  EXPECT_THAT(driver.Apply(kBack), ElementsAre("undo s dual #7"));
  driver.Finish("s");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
}

TEST(RollbackTest, AnUndoThatErrorsIsTriedAgain) {
  Driver driver = At("add");
  driver.Apply(kBack);
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_ERRORED, "busy"), IsEmpty());
  EXPECT_THAT(driver.Pass(absl::Seconds(1)), ElementsAre("undo s rollback-gate #4"));
}

TEST(RollbackTest, SuccessOfAnOlderUndoCounts) {
  Driver driver = At("dual");
  driver.Apply(kBack);
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  driver.RunTo("s", "dual");
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), ElementsAre("undo s dual #6"));
  EXPECT_THAT(driver.Apply(AttemptEnded{.target = "s", .attempt = 5, .outcome = v1::ATTEMPT_STATE_SUCCEEDED}),
              ElementsAre("undo s add #7"));
}

TEST(RollbackTest, ALateSuccessOfTheDoingIsNoUndo) {
  Driver driver = At("dual");
  driver.Apply(kBack);
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  driver.RunTo("s", "dual");
  EXPECT_THAT(driver.Apply(AttemptEnded{.target = "s", .attempt = 3, .outcome = v1::ATTEMPT_STATE_SUCCEEDED}),
              IsEmpty());
  EXPECT_EQ(driver.live("s").attempt().number(), 5);
}

TEST(RollbackTest, CanBeAbortedAndTakenUpAgain) {
  Driver driver = At("fill");
  driver.Apply(kBack);
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  driver.RunTo("s", "dual");
  EXPECT_THAT(driver.Apply(AbortAsked{"bob"}), ElementsAre("cancel s #6"));
  EXPECT_EQ(driver.Try(PauseAsked{"bob"}).code(), kMisfit);
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_THAT(driver.Apply(kBack), ElementsAre("undo s dual #7"));
}

TEST(RollbackTest, TakenUpBeforeTheStopArrivedItWaitsForIt) {
  Driver driver = At("fill");
  driver.Apply(kBack);
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  driver.Apply(AbortAsked{"bob"});
  EXPECT_THAT(driver.Apply(kBack), IsEmpty());
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), IsEmpty());
  EXPECT_THAT(driver.Pass(absl::Seconds(1)), ElementsAre("undo s rollback-gate #6"));
}

TEST(RollbackTest, AReversibleRunOfAnEarlierStageIsUndoneToo) {
  std::vector<v1::Environment> environments = testing::Pipeline();
  Driver driver(environments);
  driver.Start();
  driver.Compile("s", testing::AddPlan());
  driver.Finish("s");
  driver.Apply(Approved{"", "carol"});
  driver.Pass(absl::Minutes(10));
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_THAT(driver.Apply(kBack), ElementsAre("undo s rollback-gate #7"));
  driver.Finish("s");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
}

}  // namespace
}  // namespace curlew::rollout
