#include "controller/rollout/reconcile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/rollout/driver.h"

namespace curlew::rollout {
namespace {

using ::testing::Contains;
using testing::Driver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

AgentReady Ready(const std::string& target, std::vector<std::string> done,
                 std::vector<std::string> undone = {}, int64_t epoch = 2) {
  return {.target = target,
          .epoch = epoch,
          .journal = KnownJournal{.done = std::move(done), .undone = std::move(undone)}};
}

std::string State(const Driver& driver, const std::string& step, const std::string& target = "s") {
  return v1::StepState_Name(driver.step(target, step).state()).substr(sizeof("STEP_STATE_") - 1);
}
v1::StageState Stage(const Driver& driver, int stage = 0) { return driver.state().stages(stage).state(); }

Driver At(const std::string& step) {
  Driver driver;
  driver.Start();
  driver.Compile("s");
  driver.RunTo("s", step);
  driver.Ack("s");
  return driver;
}

// staging is done, production has begun.
Driver InProduction() {
  Driver driver;
  driver.IntoProduction();
  driver.RunTo("p", "fill");
  return driver;
}

TEST(ReconcileTest, WhatTheJournalDoesNotHaveIsDoneAgainInOrder) {
  Driver driver = At("check");
  EXPECT_THAT(driver.Apply(Ready("s", {"look", "add"})), ElementsAre("do s dual #6"));
  EXPECT_EQ(State(driver, "add"), "SUCCEEDED");
  EXPECT_EQ(State(driver, "fill"), "PENDING");
  EXPECT_EQ(State(driver, "check"), "PENDING");
  ASSERT_THAT(driver.events(), Contains(v1::EVENT_TYPE_TARGET_WENT_BACK));
  std::string told;
  for (const v1::Event& event : driver.last().events) {
    if (event.type() == v1::EVENT_TYPE_TARGET_WENT_BACK) told = event.message();
  }
  EXPECT_EQ(
      told,
      "s: its database went back (restored, or failed over to a standby that lagged); not done any more: "
      "dual, fill");
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("do s fill #7"));
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("do s check #8"));
  driver.Finish("s");
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_READY_TO_DROP);
}

TEST(ReconcileTest, AJournalThatHasItAllChangesNothing) {
  Driver driver = At("fill");
  AgentReady ready = Ready("s", {"look", "add", "dual"}, {}, 1);
  ready.held = {4};
  EXPECT_THAT(driver.Apply(ready), IsEmpty());
  EXPECT_THAT(driver.events(), IsEmpty());
  EXPECT_EQ(State(driver, "fill"), "ACTIVE");
}

// Its session broke, and it comes back with the attempt that it runs: that one's success is still to come.
TEST(ReconcileTest, AnAttemptThatIsHeldOverAReconnectMaySucceed) {
  Driver driver = At("fill");
  driver.Apply(AgentLost{"s"});
  AgentReady ready = Ready("s", {"look", "add", "dual"}, {}, 1);
  ready.held = {4};
  EXPECT_THAT(driver.Apply(ready), IsEmpty());
  EXPECT_THAT(driver.Apply(AttemptEnded{
                  .target = "s", .attempt = 4, .outcome = v1::ATTEMPT_STATE_SUCCEEDED, .step = "fill"}),
              ElementsAre("do s check #5"));
}

TEST(ReconcileTest, WhereTheJournalIsNotKnownWhatWasReportedCounts) {
  Driver driver = At("check");
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), ElementsAre("do s check #6"));
  EXPECT_EQ(State(driver, "add"), "SUCCEEDED");
}

TEST(ReconcileTest, AJournalThatKnowsNothingOpensAll) {
  Driver driver = At("check");
  EXPECT_THAT(driver.Apply(Ready("s", {})), ElementsAre("do s look #6"));
  // It lacks the plan too.
  EXPECT_THAT(driver.Apply(AttemptNacked{.target = "s", .attempt = 6, .need_plan = true}),
              ElementsAre("do s look #6 +plan"));
}

TEST(ReconcileTest, ResultsOfBeforeAreVoid) {
  Driver driver = At("check");
  driver.Apply(Ready("s", {"look"}));
  for (const int late : {2, 3, 4, 5}) {
    driver.Apply(AttemptEnded{.target = "s", .attempt = late, .outcome = v1::ATTEMPT_STATE_SUCCEEDED});
  }
  EXPECT_EQ(State(driver, "add"), "ACTIVE");
  EXPECT_EQ(State(driver, "check"), "PENDING");
  // Of the lost agent's attempt as well, though nothing was opened.
  Driver lost = At("fill");
  lost.Apply(Ready("s", {"look", "add", "dual"}));
  lost.Apply(AttemptEnded{.target = "s", .attempt = 4, .outcome = v1::ATTEMPT_STATE_SUCCEEDED});
  EXPECT_EQ(State(lost, "fill"), "ACTIVE");
  EXPECT_THAT(lost.Succeed("s"), ElementsAre("do s check #6"));
}

TEST(ReconcileTest, AnAttemptThatRunsBehindWhatIsGoneIsStopped) {
  Driver driver = At("check");
  AgentReady ready = Ready("s", {"look"});
  ready.held = {5};
  EXPECT_THAT(driver.Apply(ready), ElementsAre("cancel s #5", "do s add #6"));
}

TEST(ReconcileTest, AtTheGateBeforeDropTheStageFallsBackAndTheGateIsReachedAnew) {
  Driver driver;
  driver.ToDropGate();
  EXPECT_THAT(driver.Apply(Ready("s", {"look", "add", "dual", "fill", "check"})),
              ElementsAre("do s bind #7"));
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_RUNNING);
  EXPECT_EQ(Stage(driver), v1::STAGE_STATE_RUNNING);
  EXPECT_FALSE(driver.Try(Approved{"", "bob"}).ok());
  driver.Succeed("s");
  EXPECT_EQ(Stage(driver), v1::STAGE_STATE_AT_DROP_GATE);
  EXPECT_THAT(driver.Apply(Approved{"", "bob"}), ElementsAre("do s drain #8"));
}

TEST(ReconcileTest, BehindTheGateTheRunGoesThroughToTheEndAndSoaksAnew) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.Finish("s");
  ASSERT_EQ(Stage(driver), v1::STAGE_STATE_SOAKING);
  driver.Pass(absl::Minutes(9));
  EXPECT_THAT(driver.Apply(Ready("s", {"look", "add", "dual", "fill", "check", "bind"})),
              ElementsAre("do s drain #9"));
  EXPECT_EQ(Stage(driver), v1::STAGE_STATE_DROPPING);
  EXPECT_FALSE(driver.state().stages(0).has_soak_until());
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_DROPPING);
  driver.Finish("s");
  EXPECT_EQ(Stage(driver), v1::STAGE_STATE_SOAKING);
  driver.Pass(absl::Minutes(9));
  EXPECT_EQ(Stage(driver), v1::STAGE_STATE_SOAKING);
  driver.Pass(absl::Minutes(1));
  EXPECT_EQ(Stage(driver), v1::STAGE_STATE_DONE);
}

TEST(ReconcileTest, AnEnvironmentThatHasBegunGoesOnAndOneThatHasNotWaits) {
  Driver driver = InProduction();
  const std::vector<std::string> all = {"look", "add", "dual", "fill", "check", "bind", "drain"};
  EXPECT_THAT(driver.Apply(Ready("s", all)), ElementsAre("do s drop #9"));
  EXPECT_EQ(Stage(driver), v1::STAGE_STATE_DROPPING);
  EXPECT_EQ(Stage(driver, 1), v1::STAGE_STATE_RUNNING);
  EXPECT_THAT(driver.Succeed("p"), ElementsAre("do p check #5"));
  driver.Finish("p");
  driver.Finish("q");
  driver.Apply(Approved{"", "bob"});
  driver.Finish("p");
  driver.Finish("q");
  EXPECT_EQ(Stage(driver, 1), v1::STAGE_STATE_DONE);
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_RUNNING);
  driver.Finish("s");
  driver.Pass(absl::Minutes(10));
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);

  Driver before;
  before.ToDropGate();
  before.Apply(Approved{"", "bob"});
  before.Finish("s");
  before.Pass(absl::Minutes(10));
  before.Apply(Ready("s", all));
  EXPECT_EQ(Stage(before), v1::STAGE_STATE_DROPPING);
  before.CompileAll({"p", "q"});
  // production's gate is not the one that waits now.
  EXPECT_FALSE(before.Try(Approved{"", "bob"}).ok());
  before.Finish("s");
  before.Pass(absl::Minutes(10));
  EXPECT_TRUE(before.Try(Approved{"", "bob"}).ok());
}

TEST(ReconcileTest, AGateThatNothingIsBehindAnyMoreIsNotTriedAgain) {
  Driver driver = At("check");
  driver.Apply(RollbackAsked{"bob"});
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  driver.End("s", v1::ATTEMPT_STATE_ERRORED, "the database is down");
  EXPECT_EQ(driver.step("s", kRollbackGateKey).attempt().state(), v1::ATTEMPT_STATE_QUEUED);
  driver.Apply(Ready("s", {}));
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(driver.step("s", kRollbackGateKey).attempt().state(), v1::ATTEMPT_STATE_CANCELLED);
}

TEST(ReconcileTest, ADropThatIsGoneIsNoPointOfNoReturn) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.RunTo("s", "drop");
  driver.Ack("s");
  driver.Apply(PauseAsked{"bob"});
  driver.Succeed("s");
  EXPECT_FALSE(driver.Try(RollbackAsked{"bob"}).ok());
  driver.Apply(Ready("s", {"look", "add", "dual", "fill", "check", "bind", "drain"}));
  EXPECT_TRUE(driver.Try(RollbackAsked{"bob"}).ok());
}

TEST(ReconcileTest, WhileItStandsStepsAreOpenedAndNothingIsSent) {
  Driver driver = At("check");
  driver.Apply(PauseAsked{"bob"});
  EXPECT_THAT(driver.Apply(Ready("s", {"look"})), IsEmpty());
  EXPECT_EQ(State(driver, "add"), "PENDING");
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s add #6"));

  Driver failed = At("check");
  failed.End("s", v1::ATTEMPT_STATE_FAILED, "x");
  EXPECT_THAT(failed.Apply(Ready("s", {"look"})), IsEmpty());
  EXPECT_THAT(failed.Apply(ResumeAsked{"bob"}), ElementsAre("do s add #6"));
}

TEST(ReconcileTest, WhatIsUndoneNoMoreIsUndoneAgainBehindTheGate) {
  Driver driver = At("check");
  driver.Apply(RollbackAsked{"bob"});
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  driver.RunTo("s", "add");  // check, fill: no undo; dual: undone
  EXPECT_EQ(State(driver, "dual"), "UNDONE");
  EXPECT_THAT(driver.Apply(Ready("s", {"look", "add", "dual", "fill"})),
              ElementsAre("undo s rollback-gate #9"));
  EXPECT_EQ(State(driver, "dual"), "SUCCEEDED");
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("undo s dual #10"));
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("undo s add #11"));
  driver.Finish("s");
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_ROLLED_BACK);
}

TEST(ReconcileTest, OfManyStepsSomeAreNamed) {
  v1::CompiledPlan plan;
  plan.add_steps()->set_key("look");
  for (int i = 0; i < 50; ++i) {
    v1::Step& step = *plan.add_steps();
    step.set_key(absl::StrCat("add-", i));
    step.mutable_action()->mutable_execute_sql();
  }
  Driver driver(testing::Staging());
  driver.Start();
  driver.Apply(Compiled{.target = "s", .plan = plan, .digest = "d", .steps_digest = "d"});
  for (int i = 0; i < 50; ++i) driver.Succeed("s");
  driver.Apply(Ready("s", {"look"}));
  std::string told;
  for (const v1::Event& event : driver.last().events) {
    if (event.type() == v1::EVENT_TYPE_TARGET_WENT_BACK) told = event.message();
  }
  EXPECT_THAT(told, HasSubstr("add-0, add-1, "));
  EXPECT_THAT(told, HasSubstr("add-19 and 29 more"));
}

TEST(ReconcileTest, ARunThatIsRolledBackGoesBackAgain) {
  v1::Environment environment;
  environment.set_name("environments/e");
  environment.add_targets("a");
  environment.add_targets("b");
  Driver driver({environment});
  driver.Start();
  driver.CompileAll({"a", "b"});
  for (const std::string target : {"a", "b"}) driver.RunTo(target, "fill");
  driver.Apply(RollbackAsked{"bob"});
  driver.End("a", v1::ATTEMPT_STATE_CANCELLED);
  driver.Finish("a");
  ASSERT_EQ(driver.run("a").state(), v1::RUN_STATE_ROLLED_BACK);
  driver.Apply(Ready("a", {"look", "add", "dual"}, {"dual"}));
  EXPECT_EQ(driver.run("a").state(), v1::RUN_STATE_ROLLING_BACK);
  EXPECT_EQ(State(driver, "dual", "a"), "UNDONE");
  driver.Finish("a");
  EXPECT_EQ(driver.run("a").state(), v1::RUN_STATE_ROLLED_BACK);
}

TEST(ReconcileTest, WhatHasEndedIsOnlyWarnedOfOnce) {
  Driver driver(testing::Staging());
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.Finish("s");
  driver.Pass(absl::Minutes(10));
  ASSERT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
  const AgentReady ready = Ready("s", {"look", "add", "dual", "fill", "check", "bind", "drain"});
  EXPECT_THAT(driver.Apply(ready), IsEmpty());
  EXPECT_THAT(driver.events(), ElementsAre(v1::EVENT_TYPE_TARGET_WENT_BACK));
  EXPECT_THAT(driver.run("s").error().message(), HasSubstr("not done any more: drop"));
  EXPECT_THAT(driver.run("s").error().hint(), HasSubstr("nothing is done about it"));
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
  driver.Apply(ready);
  EXPECT_THAT(driver.events(), Not(Contains(v1::EVENT_TYPE_TARGET_WENT_BACK)));
}

TEST(ReconcileTest, AnOverrideIsGoneWithTheWaitThatItEnded) {
  Driver driver(testing::Staging());
  driver.ToDropGate();
  driver.Apply(Approved{"", "carol"});
  driver.Apply(OverrideAsked{"", "bob", "because"});
  driver.Ack("s");
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  driver.Succeed("s");
  ASSERT_TRUE(driver.step("s", "drain").has_override());
  EXPECT_THAT(driver.Apply(Ready("s", {"look", "add", "dual", "fill", "check", "bind"})),
              ElementsAre("do s drain #10"));
  EXPECT_FALSE(driver.step("s", "drain").has_override());
}

}  // namespace
}  // namespace curlew::rollout
