#include "controller/rollout/attempt.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/rollout/driver.h"

namespace curlew::rollout {
namespace {

using testing::Driver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A driver whose run on s has sent `step`.
Driver At(const std::string& step) {
  Driver driver;
  driver.Start();
  driver.Compile("s");
  driver.RunTo("s", step);
  return driver;
}

AttemptEnded Ended(int attempt, v1::AttemptState outcome) {
  return {.target = "s", .attempt = attempt, .outcome = outcome};
}

TEST(AttemptTest, ThePlanGoesWithTheFirstAttemptOnly) {
  Driver driver;
  driver.Start();
  EXPECT_THAT(driver.Compile("s"), ElementsAre("do s look #1 +plan"));
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("do s add #2"));
}

TEST(AttemptTest, StartedIsToldOnceAndBeforeTheEnd) {
  Driver driver = At("add");
  driver.Ack("s");
  EXPECT_THAT(driver.events(), ElementsAre(v1::EVENT_TYPE_STEP_STARTED));
  driver.Apply(AttemptAcked{"s", 2});
  EXPECT_THAT(driver.events(), IsEmpty());
  driver.End("s", v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_THAT(driver.events(), ElementsAre(v1::EVENT_TYPE_STEP_SUCCEEDED));
  // An acknowledgement that was lost.
  driver.End("s", v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_THAT(driver.events(), ElementsAre(v1::EVENT_TYPE_STEP_STARTED, v1::EVENT_TYPE_STEP_SUCCEEDED));
}

TEST(AttemptTest, AgentThatLacksThePlanGetsItAtOnceAndThenAfterAPause) {
  Driver driver = At("add");
  const AttemptNacked nack{.target = "s", .attempt = 2, .need_plan = true, .message = "no plan"};
  EXPECT_THAT(driver.Apply(nack), ElementsAre("do s add #2 +plan"));
  EXPECT_THAT(driver.Apply(nack), IsEmpty());
  EXPECT_EQ(driver.last().wake, driver.now() + absl::Seconds(1));
  EXPECT_THAT(driver.Pass(absl::Seconds(1)), ElementsAre("do s add #2 +plan"));
}

TEST(AttemptTest, RefusedForNowIsSentAgainAfterAPause) {
  Driver driver = At("add");
  EXPECT_THAT(driver.Apply(AttemptNacked{.target = "s", .attempt = 2, .message = "busy"}), IsEmpty());
  ASSERT_EQ(driver.state().waiting_size(), 1);
  EXPECT_EQ(driver.state().waiting(0).cause(), v1::WAIT_CAUSE_BACKOFF);
  EXPECT_THAT(driver.state().waiting(0).message(), HasSubstr("busy"));
  EXPECT_THAT(driver.Pass(absl::Milliseconds(999)), IsEmpty());
  EXPECT_THAT(driver.Pass(absl::Milliseconds(1)), ElementsAre("do s add #2"));
  EXPECT_EQ(driver.step("s", "add").errors(), 0);
}

TEST(AttemptTest, RefusedAsInvalidFails) {
  Driver driver = At("add");
  driver.Apply(AttemptNacked{.target = "s", .attempt = 2, .invalid = true, .message = "out of order"});
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.state().reason(), HasSubstr("out of order"));
}

// As by an agent that runs signed plans alone.
TEST(AttemptTest, ARunWhoseFirstStepIsRefusedHasNotBegunAndIsCompiledAnewWhenResumed) {
  Driver driver;
  driver.Start();
  EXPECT_THAT(driver.Compile("s"), ElementsAre("do s look #1 +plan"));
  driver.Apply(
      AttemptNacked{.target = "s", .attempt = 1, .invalid = true, .message = "plan p is not signed"});
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.state().reason(), HasSubstr("plan p is not signed"));
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_FAILED);
  EXPECT_FALSE(driver.run("s").has_start_time());
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("compile s"));
  v1::CompiledPlan moved = testing::RenamePlan();
  moved.set_schema_fingerprint("moved");
  EXPECT_THAT(driver.Compile("s", moved), ElementsAre("do s look #2 +plan"));
  EXPECT_EQ(driver.run("s").schema_fingerprint(), "moved");
  // Refused for ever it fails each time, and is not sent again by itself.
  driver.Apply(AttemptNacked{.target = "s", .attempt = 2, .invalid = true, .message = "not signed"});
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.Pass(absl::Hours(1)), IsEmpty());
}

// The one before may have done something: only what is known not to have begun is compiled anew.
TEST(AttemptTest, ARefusalAfterAnAttemptThatWasLostLeavesTheRunBegun) {
  Driver driver;
  driver.Start();
  driver.Compile("s");
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), ElementsAre("do s look #2"));
  driver.Apply(AttemptNacked{.target = "s", .attempt = 2, .invalid = true, .message = "not signed"});
  EXPECT_TRUE(driver.run("s").has_start_time());
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s look #3"));
}

TEST(AttemptTest, ARefusalOfALaterStepLeavesWhatIsDone) {
  Driver driver = At("add");
  driver.Apply(AttemptNacked{.target = "s", .attempt = 2, .invalid = true, .message = "not signed"});
  EXPECT_TRUE(driver.run("s").has_start_time());
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s add #3"));
}

TEST(AttemptTest, ARefusalOfWhatRunsIsIgnored) {
  Driver driver = At("add");
  driver.Ack("s");
  EXPECT_THAT(driver.Apply(AttemptNacked{.target = "s", .attempt = 2, .message = "busy"}), IsEmpty());
  EXPECT_EQ(driver.live("s").attempt().state(), v1::ATTEMPT_STATE_RUNNING);
}

TEST(AttemptTest, ErroredIsTriedAgainWithGrowingPausesAndThenFails) {
  MachineOptions options;
  options.max_errored_attempts = 3;
  options.longest_retry_pause = absl::Seconds(3);
  Driver driver(testing::Staging(), options);
  driver.Start();
  driver.Compile("s");
  for (const int pause : {1, 2, 3}) {
    EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_ERRORED, "lock time-out"), IsEmpty());
    EXPECT_EQ(driver.last().wake, driver.now() + absl::Seconds(pause));
    EXPECT_THAT(driver.state().waiting(0).message(), HasSubstr("lock time-out"));
    EXPECT_EQ(driver.Pass(absl::Seconds(pause)).size(), 1u);
  }
  driver.End("s", v1::ATTEMPT_STATE_ERRORED, "lock time-out");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.state().reason(), HasSubstr("given up after 4 tries"));
  EXPECT_EQ(driver.step("s", "look").attempts(), 4);
}

TEST(AttemptTest, FailedFailsRunAndRolloutAndNothingNewBegins) {
  Driver driver = At("add");
  driver.End("s", v1::ATTEMPT_STATE_FAILED, "column exists");
  EXPECT_EQ(driver.step("s", "add").state(), v1::STEP_STATE_FAILED);
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_FAILED);
  EXPECT_EQ(driver.run("s").error().message(), "add: column exists");
  EXPECT_THAT(driver.Pass(absl::Hours(1)), IsEmpty());
}

TEST(AttemptTest, ALostAgentMakesItUnknownNeverFailed) {
  Driver driver = At("fill");
  driver.Ack("s");
  driver.Apply(AgentLost{"s"});
  EXPECT_EQ(driver.live("s").attempt().state(), v1::ATTEMPT_STATE_UNKNOWN);
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_RUNNING);
  EXPECT_EQ(driver.state().waiting(0).cause(), v1::WAIT_CAUSE_AGENT);
  EXPECT_TRUE(driver.live("s").in_doubt());
}

TEST(AttemptTest, WhatTheAgentStillHoldsGoesOn) {
  Driver driver = At("fill");
  driver.Ack("s");
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 1, .held = {4}}), IsEmpty());
  EXPECT_EQ(driver.live("s").attempt().state(), v1::ATTEMPT_STATE_RUNNING);
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_SUCCEEDED), ElementsAre("do s check #5"));
  EXPECT_FALSE(driver.step("s", "fill").in_doubt());
}

TEST(AttemptTest, WhatTheAgentDoesNotHoldIsSentAsANewAttempt) {
  Driver driver = At("fill");
  driver.Ack("s");
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), ElementsAre("do s fill #5"));
  EXPECT_EQ(driver.live("s").attempt().epoch(), 2);
}

TEST(AttemptTest, ATakeoverThatWasNotSeenAsALossCountsAsOne) {
  Driver driver = At("fill");
  driver.Ack("s");
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), ElementsAre("do s fill #5"));
}

TEST(AttemptTest, AnAttemptHeldThatIsNotWantedIsStopped) {
  Driver driver = At("fill");
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 1, .held = {9}}),
              ElementsAre("cancel s #9", "do s fill #10"));
}

TEST(AttemptTest, SuccessOfAnOlderAttemptCounts) {
  Driver driver = At("fill");
  driver.Apply(AgentReady{.target = "s", .epoch = 2});
  EXPECT_EQ(driver.live("s").attempt().number(), 5);
  EXPECT_THAT(driver.Apply(Ended(4, v1::ATTEMPT_STATE_SUCCEEDED)), ElementsAre("do s check #6"));
  EXPECT_THAT(driver.Apply(Ended(5, v1::ATTEMPT_STATE_SUCCEEDED)), IsEmpty());
  EXPECT_EQ(driver.live("s").key(), "check");
}

TEST(AttemptTest, OtherEndsOfAnOlderAttemptDoNot) {
  Driver driver = At("fill");
  driver.Apply(AgentReady{.target = "s", .epoch = 2});
  for (const auto outcome :
       {v1::ATTEMPT_STATE_FAILED, v1::ATTEMPT_STATE_ERRORED, v1::ATTEMPT_STATE_CANCELLED}) {
    EXPECT_THAT(driver.Apply(Ended(4, outcome)), IsEmpty());
  }
  EXPECT_EQ(driver.live("s").attempt().state(), v1::ATTEMPT_STATE_LEASED);
}

TEST(AttemptTest, SuccessOfAnotherStepsAttemptDoesNotCount) {
  Driver driver = At("fill");
  AttemptEnded ended = Ended(4, v1::ATTEMPT_STATE_SUCCEEDED);
  ended.step = "check";
  EXPECT_THAT(driver.Apply(ended), IsEmpty());
  EXPECT_THAT(driver.Apply(Ended(3, v1::ATTEMPT_STATE_SUCCEEDED)), IsEmpty());
  EXPECT_EQ(driver.live("s").key(), "fill");
}

TEST(AttemptTest, NumbersThatWereSkippedBelongToNobody) {
  Driver driver = At("fill");
  driver.Apply(AgentReady{.target = "s", .epoch = 1, .held = {9}});
  EXPECT_EQ(driver.live("s").attempt().number(), 10);
  EXPECT_THAT(driver.Apply(Ended(9, v1::ATTEMPT_STATE_SUCCEEDED)), IsEmpty());
  EXPECT_EQ(driver.live("s").key(), "fill");
}

TEST(AttemptTest, AResultThatArrivesAfterTheLossCounts) {
  Driver driver = At("fill");
  driver.Apply(AgentLost{"s"});
  driver.Apply(Ended(4, v1::ATTEMPT_STATE_SUCCEEDED));
  EXPECT_EQ(driver.step("s", "fill").state(), v1::STEP_STATE_SUCCEEDED);
  EXPECT_EQ(driver.live("s").attempt().state(), v1::ATTEMPT_STATE_QUEUED);
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), ElementsAre("do s check #5"));
}

TEST(AttemptTest, AStopThatNobodyAskedForIsNotChasedAtOnce) {
  Driver driver = At("fill");
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), IsEmpty());
  EXPECT_THAT(driver.Pass(absl::Seconds(1)), ElementsAre("do s fill #5"));
  EXPECT_EQ(driver.live("s").errors(), 0);
}

TEST(AttemptTest, APauseBetweenTriesOutlivesTheAgent) {
  Driver driver = At("fill");
  driver.End("s", v1::ATTEMPT_STATE_ERRORED, "x");
  driver.Apply(AgentLost{"s"});
  EXPECT_EQ(driver.state().waiting(0).cause(), v1::WAIT_CAUSE_AGENT);
  EXPECT_EQ(driver.last().wake, absl::InfiniteFuture());
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), IsEmpty());
  EXPECT_THAT(driver.Pass(absl::Seconds(1)), ElementsAre("do s fill #5"));
}

TEST(AttemptTest, PausesGrowToTheirLimit) {
  const StepPolicy policy;
  EXPECT_EQ(RetryPause(policy, 1), absl::Seconds(1));
  EXPECT_EQ(RetryPause(policy, 5), absl::Seconds(16));
  EXPECT_EQ(RetryPause(policy, 6), absl::Seconds(30));
  EXPECT_EQ(RetryPause(policy, 1000), absl::Seconds(30));
}

}  // namespace
}  // namespace curlew::rollout
