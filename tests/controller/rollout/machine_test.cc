#include "controller/rollout/machine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/rollout/driver.h"

namespace curlew::rollout {
namespace {

using testing::AddPlan;
using ::testing::Contains;
using testing::Driver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Pipeline;
using testing::Staging;

TEST(MachineTest, TravelsThroughThePipelineToItsEnd) {
  Driver driver;
  driver.Start();
  driver.Compile("s");
  driver.Finish("s");
  EXPECT_EQ(driver.state().stages(0).state(), v1::STAGE_STATE_AT_DROP_GATE);
  EXPECT_THAT(driver.Apply(Approved{"", "bob", "fine"}), ElementsAre("do s drain #7"));
  driver.Finish("s");
  EXPECT_EQ(driver.state().stages(0).state(), v1::STAGE_STATE_SOAKING);
  EXPECT_EQ(driver.last().wake, driver.now() + absl::Minutes(10));
  EXPECT_THAT(driver.Pass(absl::Minutes(10)), ElementsAre("compile p", "compile q"));
  EXPECT_EQ(driver.state().stages(0).state(), v1::STAGE_STATE_DONE);
  EXPECT_EQ(driver.state().stages(1).state(), v1::STAGE_STATE_PREPARING);
  EXPECT_THAT(driver.Compile("p"), IsEmpty());
  EXPECT_EQ(driver.run("p").state(), v1::RUN_STATE_COMPILED);
  EXPECT_FALSE(driver.state().stages(1).before().has_reached_time());
  EXPECT_THAT(driver.Compile("q"), IsEmpty());
  EXPECT_EQ(driver.state().waiting(0).gate(), "production/before");

  EXPECT_THAT(driver.Apply(Approved{"production/before", "bob"}), ElementsAre("compile p", "compile q"));
  EXPECT_THAT(driver.Compile("p"), ElementsAre("do p look #1 +plan"));
  EXPECT_THAT(driver.Compile("q"), ElementsAre("do q look #1 +plan"));
  driver.Finish("p");
  EXPECT_EQ(driver.run("p").state(), v1::RUN_STATE_READY_TO_DROP);
  EXPECT_EQ(driver.state().stages(1).state(), v1::STAGE_STATE_RUNNING);
  driver.Finish("q");
  driver.Apply(Approved{"", "bob"});
  driver.Finish("p");
  driver.Finish("q");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
  EXPECT_TRUE(driver.state().has_end_time());
  EXPECT_THAT(driver.state().waiting(), IsEmpty());
  EXPECT_EQ(driver.last().wake, absl::InfiniteFuture());
  EXPECT_EQ(static_cast<int64_t>(driver.history().size()), driver.state().last_event());
}

TEST(MachineTest, APlanWithoutDropPassesTheGateAllTheSame) {
  Driver driver(Staging());
  driver.Start();
  driver.Compile("s", AddPlan());
  driver.Finish("s");
  EXPECT_EQ(driver.state().stages(0).state(), v1::STAGE_STATE_AT_DROP_GATE);
  EXPECT_THAT(driver.Apply(Approved{"", "bob"}), IsEmpty());
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_SUCCEEDED);
  EXPECT_EQ(driver.state().stages(0).state(), v1::STAGE_STATE_SOAKING);
}

TEST(MachineTest, APlanWithoutStepsIsDoneAtOnce) {
  Driver driver(Staging());
  driver.Start();
  driver.Compile("s", v1::CompiledPlan());
  driver.Apply(Approved{"", "bob"});
  driver.Pass(absl::Minutes(10));
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
}

TEST(MachineTest, NothingButStartedFitsANewRollout) {
  const v1::Rollout rollout =
      NewRollout({.name = "rollouts/r", .plan = "plans/p", .plan_digest = "d", .creator = "alice"},
                 Pipeline(), absl::UnixEpoch());
  EXPECT_EQ(Advance(rollout, Ticked{}, absl::UnixEpoch()).status().code(),
            absl::StatusCode::kFailedPrecondition);
  const auto started = Advance(rollout, Started{"alice"}, absl::UnixEpoch());
  ASSERT_TRUE(started.ok());
  EXPECT_EQ(started->events[0].type(), v1::EVENT_TYPE_ROLLOUT_CREATED);
  EXPECT_EQ(started->events[0].actor(), "alice");
  const auto again = Advance(started->state, Started{"alice"}, absl::UnixEpoch() + absl::Seconds(1));
  EXPECT_EQ(again->state.SerializeAsString(), started->state.SerializeAsString());
}

TEST(MachineTest, WaitsForAnAgentAndSaysSo) {
  Driver driver;
  driver.Apply(Started{"alice"});
  ASSERT_EQ(driver.state().waiting_size(), 1);
  EXPECT_EQ(driver.state().waiting(0).cause(), v1::WAIT_CAUSE_AGENT);
  EXPECT_EQ(driver.state().waiting(0).target(), "s");
  const auto since = driver.state().waiting(0).since().seconds();
  driver.Pass(absl::Minutes(1));
  EXPECT_EQ(driver.state().waiting(0).since().seconds(), since);
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 4}), ElementsAre("compile s"));
  EXPECT_THAT(driver.state().waiting(), IsEmpty());
}

TEST(MachineTest, TheCauseNamesTheCommandThatApproves) {
  Driver driver;
  driver.ToDropGate();
  ASSERT_EQ(driver.state().waiting_size(), 1);
  EXPECT_EQ(driver.state().waiting(0).cause(), v1::WAIT_CAUSE_APPROVAL);
  EXPECT_EQ(driver.state().waiting(0).gate(), "staging/before-drop");
  EXPECT_THAT(driver.state().waiting(0).message(),
              HasSubstr("curlew rollout approve r --gate staging/before-drop"));
}

TEST(MachineTest, WhatChangesNothingLeavesTheEtag) {
  Driver driver;
  driver.Start();
  driver.Compile("s");
  const std::string before = driver.state().SerializeAsString();
  EXPECT_THAT(driver.Pass(absl::Seconds(1)), IsEmpty());
  EXPECT_THAT(driver.Apply(AttemptAcked{"s", 99}), IsEmpty());
  EXPECT_THAT(driver.Apply(AttemptNacked{.target = "s", .attempt = 99, .invalid = true}), IsEmpty());
  EXPECT_THAT(driver.Apply(AttemptEnded{.target = "s", .attempt = 99, .outcome = v1::ATTEMPT_STATE_FAILED}),
              IsEmpty());
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 0}), IsEmpty());
  EXPECT_THAT(driver.Compile("s"), IsEmpty());
  EXPECT_EQ(driver.state().SerializeAsString(), before);
}

TEST(MachineTest, RefusesWhatItDoesNotKnow) {
  Driver driver;
  driver.Start();
  EXPECT_EQ(driver.Try(AgentLost{"x"}).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(
      driver.Try(AttemptEnded{.target = "s", .attempt = 1, .outcome = v1::ATTEMPT_STATE_RUNNING}).code(),
      absl::StatusCode::kInvalidArgument);
}

TEST(MachineTest, AgentsComeAndGoSilentlyWhereNobodyNeedsThem) {
  Driver driver;
  driver.Start();
  driver.Apply(AgentLost{"p"});
  EXPECT_THAT(driver.events(), IsEmpty());
  EXPECT_EQ(driver.run("p").epoch(), 0);
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.events(), Contains(v1::EVENT_TYPE_AGENT_LOST));
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.events(), IsEmpty());
}

}  // namespace
}  // namespace curlew::rollout
