#include "controller/rollout/operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error_detail.h"
#include "tests/controller/rollout/driver.h"

namespace curlew::rollout {
namespace {

using testing::Driver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr absl::StatusCode kMisfit = absl::StatusCode::kFailedPrecondition;

Driver At(const std::string& step) {
  Driver driver;
  driver.Start();
  driver.Compile("s");
  driver.RunTo("s", step);
  return driver;
}

TEST(OperatorsTest, PauseStopsWhatRunsAndResumeGoesOnThere) {
  Driver driver = At("fill");
  driver.Ack("s");
  EXPECT_THAT(driver.Apply(PauseAsked{"bob", "lunch"}), ElementsAre("cancel s #4"));
  EXPECT_EQ(driver.state().reason(), "paused by bob: lunch");
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), IsEmpty());
  EXPECT_EQ(driver.step("s", "fill").state(), v1::STEP_STATE_PENDING);
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s fill #5"));
  EXPECT_EQ(driver.step("s", "fill").errors(), 0);
  EXPECT_EQ(driver.state().reason(), "");
}

TEST(OperatorsTest, SuccessAfterTheStopCounts) {
  Driver driver = At("fill");
  driver.Apply(PauseAsked{"bob"});
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_SUCCEEDED), IsEmpty());
  EXPECT_EQ(driver.step("s", "fill").state(), v1::STEP_STATE_SUCCEEDED);
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s check #5"));
}

TEST(OperatorsTest, ResumedBeforeTheStopArrivedItStartsAnotherAttemptAfterIt) {
  Driver driver = At("fill");
  driver.Apply(PauseAsked{"bob"});
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), IsEmpty());
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), IsEmpty());
  EXPECT_THAT(driver.Pass(absl::Seconds(1)), ElementsAre("do s fill #5"));
}

TEST(OperatorsTest, TheStopIsSentAgainToAnAgentThatComesBackWithIt) {
  Driver driver = At("fill");
  driver.Apply(PauseAsked{"bob"});
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 1, .held = {4}}), ElementsAre("cancel s #4"));
}

TEST(OperatorsTest, APausedRolloutSendsNothingToAnAgentThatComesBackWithoutIt) {
  Driver driver = At("fill");
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(PauseAsked{"bob"}), IsEmpty());
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), IsEmpty());
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s fill #5"));
}

TEST(OperatorsTest, ARefusalWhilePausedEndsTheAttempt) {
  Driver driver = At("fill");
  driver.Apply(PauseAsked{"bob"});
  EXPECT_THAT(driver.Apply(AttemptNacked{.target = "s", .attempt = 4, .need_plan = true}), IsEmpty());
  EXPECT_EQ(driver.step("s", "fill").state(), v1::STEP_STATE_PENDING);
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s fill #5"));
}

TEST(OperatorsTest, AFailureWhilePausedIsAFailure) {
  Driver driver = At("fill");
  driver.Apply(PauseAsked{"bob"});
  driver.End("s", v1::ATTEMPT_STATE_FAILED, "row 42");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
}

TEST(OperatorsTest, AnErrorWhilePausedIsTriedAgainOnlyAfterResume) {
  Driver driver = At("fill");
  driver.Apply(PauseAsked{"bob"});
  driver.End("s", v1::ATTEMPT_STATE_ERRORED, "x");
  EXPECT_EQ(driver.step("s", "fill").state(), v1::STEP_STATE_PENDING);
  EXPECT_THAT(driver.Pass(absl::Hours(1)), IsEmpty());
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s fill #5"));
}

TEST(OperatorsTest, ACompilationThatArrivesWhilePausedIsKept) {
  Driver driver;
  driver.Start();
  driver.Apply(PauseAsked{"bob"});
  EXPECT_THAT(driver.Compile("s"), IsEmpty());
  EXPECT_EQ(driver.run("s").compiled_digest(), "compiled");
  // It was some time ago: to begin it is compiled once more.
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("compile s"));
  EXPECT_THAT(driver.Compile("s"), ElementsAre("do s look #1 +plan"));
}

TEST(OperatorsTest, ResumeTriesAFailedStepAgainWithAFreshCount) {
  Driver driver = At("fill");
  for (int i = 0; i < 8; ++i) {
    driver.End("s", v1::ATTEMPT_STATE_ERRORED, "x");
    driver.Pass(absl::Seconds(30));
  }
  driver.End("s", v1::ATTEMPT_STATE_ERRORED, "x");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob", "fixed"}), ElementsAre("do s fill #13"));
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_RUNNING);
  EXPECT_FALSE(driver.run("s").has_error());
  driver.End("s", v1::ATTEMPT_STATE_ERRORED, "x");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_RUNNING);
}

TEST(OperatorsTest, ResumeAfterAFailedDropGoesOnDropping) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.RunTo("s", "drop");
  driver.End("s", v1::ATTEMPT_STATE_FAILED, "view depends");
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s drop #9"));
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_DROPPING);
}

TEST(OperatorsTest, AbortStopsForGood) {
  Driver driver = At("fill");
  driver.Ack("s");
  EXPECT_THAT(driver.Apply(AbortAsked{"bob", "wrong plan"}), ElementsAre("cancel s #4"));
  EXPECT_TRUE(Ended(driver.state()));
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_EQ(driver.step("s", "fill").state(), v1::STEP_STATE_PENDING);
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), IsEmpty());
  EXPECT_EQ(driver.Try(ResumeAsked{"bob"}).code(), kMisfit);
}

TEST(OperatorsTest, MisfitsSayWhatWouldBeRight) {
  Driver driver = At("fill");
  const absl::Status status = driver.Try(ResumeAsked{"bob"});
  EXPECT_EQ(status.code(), kMisfit);
  EXPECT_EQ(status.message(), "r cannot be resumed: it is running; it can be paused, aborted or rolled back");
  EXPECT_EQ(base::Detail(status, base::kReason), "ROLLOUT_STATE");
  driver.Apply(PauseAsked{"bob"});
  EXPECT_EQ(driver.Try(PauseAsked{"bob"}).code(), kMisfit);
}

}  // namespace
}  // namespace curlew::rollout
