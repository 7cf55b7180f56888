#include "controller/rollout/failure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/rollout/fleet.h"

namespace curlew::rollout {
namespace {

using testing::Driver;
using ::testing::ElementsAre;
using testing::Fleet;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::RunIs;
using testing::StageIs;
using testing::Told;

Driver ThreeAtWork(const std::string& yaml) {
  Driver driver = testing::Started(Fleet({"a", "b", "c"}, yaml));
  for (const char* target : {"a", "b", "c"}) driver.RunTo(target, "fill");
  return driver;
}

void Fail(Driver& driver, const std::string& target) {
  driver.End(target, v1::ATTEMPT_STATE_FAILED, "disk full");
}

TEST(FailureTest, WithinTheBudgetTheOthersGoOnAndTheRolloutFailsAtItsEnd) {
  Driver driver = ThreeAtWork("max_failed: 1");
  Fail(driver, "a");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_RUNNING);
  driver.Finish("b");
  driver.Finish("c");
  for (const char* target : {"b", "c"}) driver.Finish(target);
  EXPECT_EQ(StageIs(driver), "DONE");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.state().reason(), HasSubstr("all else is done; 1 target failed: a: fill: disk full"));
  // It is taken up where it stood, and the environment is done when it is.
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do a fill #5"));
  EXPECT_EQ(StageIs(driver), "DROPPING");
  driver.Finish("a");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
}

TEST(FailureTest, OneMoreThanTheBudgetStops) {
  Driver driver = ThreeAtWork("max_failed: 1");
  Fail(driver, "a");
  Fail(driver, "b");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.state().reason(), HasSubstr("a: fill: disk full; b: fill: disk full"));
  EXPECT_THAT(driver.Succeed("c"), IsEmpty());
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do a fill #5", "do b fill #5", "do c check #5"));
}

TEST(FailureTest, TheBudgetIsThatOfOneWave) {
  Driver driver = testing::Started(
      Fleet({"a", "b", "c", "d"}, "max_failed: 1\nwaves: [{name: first, count: 2}, {name: rest}]"));
  Fail(driver, "a");
  driver.Finish("b");
  driver.CompileAll({"c", "d"});
  Fail(driver, "c");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_RUNNING);
  Fail(driver, "d");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
}

TEST(FailureTest, AWaveOfWhichAllHaveFailedIsNotPassedWhateverTheBudget) {
  Driver driver = testing::Started(
      Fleet({"a", "b", "c"}, "max_failed: 2\nwaves: [{name: canary, count: 1}, {name: rest}]"));
  Fail(driver, "a");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_EQ(RunIs(driver, "b"), "COMPILED");
}

TEST(FailureTest, ContinueNeverStops) {
  Driver driver = ThreeAtWork("on_failure: continue");
  for (const char* target : {"a", "b"}) Fail(driver, target);
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_RUNNING);
  Fail(driver, "c");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.state().reason(), HasSubstr("all else is done; 3 targets failed"));
}

TEST(FailureTest, RollbackUndoesTheEnvironmentAlone) {
  v1::Environment staging;
  staging.set_name("environments/staging");
  staging.add_targets("s");
  Driver driver({staging, Fleet({"a", "b", "c"},
                                "on_failure: rollback\nwaves: [{name: canary, count: 1}, {name: "
                                "rest}]")});
  driver.Start();
  driver.CompileAll({"s"});
  driver.Finish("s");
  driver.CompileAll({"a", "b", "c"});
  driver.RunTo("a", "fill");
  Fail(driver, "a");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLING_BACK);
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_POLICY_ACTED), 1);
  EXPECT_THAT(
      driver.state().reason(),
      HasSubstr("production rolled back by policy: 1 target of production/canary failed (at most 0 may); "
                "a: fill: disk full"));
  driver.Finish("a");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(RunIs(driver, "a"), "ROLLED_BACK");
  EXPECT_EQ(RunIs(driver, "b"), "COMPILED") << "never touched";
  EXPECT_EQ(RunIs(driver, "s"), "SUCCEEDED");
}

TEST(FailureTest, WhatCannotBeRolledBackStops) {
  Driver driver = ThreeAtWork("on_failure: rollback");
  for (const char* target : {"a", "b", "c"}) driver.RunTo(target, "bind");
  for (const char* target : {"a", "b", "c"}) driver.Succeed(target);
  for (const char* target : {"a", "b", "c"}) driver.RunTo(target, "drop");
  for (const char* target : {"a", "b"}) driver.Succeed(target);
  Fail(driver, "c");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLING_BACK) << "c is not past its point of no return";
  driver.Finish("c");
  EXPECT_THAT(driver.state().reason(), HasSubstr("past the point of no return: a (drop is done), b"));

  Driver all = ThreeAtWork("on_failure: rollback");
  for (const char* target : {"a", "b", "c"}) all.RunTo(target, "bind");
  for (const char* target : {"a", "b", "c"}) all.Succeed(target);
  for (const char* target : {"a", "b", "c"}) all.RunTo(target, "drop");
  for (const char* target : {"a", "b"}) all.Succeed(target);
  all.Apply(AgentLost{"c"});
  all.Apply(AgentReady{.target = "c", .epoch = 2});
  Fail(all, "c");
  EXPECT_THAT(v1::RolloutState_Name(all.state().state()), Not(HasSubstr("RUNNING")));
}

TEST(FailureTest, AnOperatorRollsOneEnvironmentBack) {
  Driver driver;
  driver.IntoProduction();
  driver.RunTo("p", "fill");
  const absl::Status unknown = driver.Try(RollbackAsked{"bob", "", "environments/test"});
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("its environments are staging, production"));
  driver.Apply(RollbackAsked{"bob", "too slow", "environments/production"});
  for (const char* target : {"p", "q"}) driver.End(target, v1::ATTEMPT_STATE_CANCELLED);
  driver.Finish("p");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(driver.state().reason(), "production rolled back by bob: too slow");
  EXPECT_EQ(RunIs(driver, "s"), "SUCCEEDED");
}

TEST(FailureTest, ARollbackOfOneEnvironmentThatFailsIsTakenUpAndUndoesNoOther) {
  Driver driver({Fleet({"a"}), [] {
                   v1::Environment later;
                   later.set_name("environments/later");
                   later.add_targets("z");
                   return later;
                 }()});
  driver.Start();
  driver.CompileAll({"a"});
  driver.Finish("a");
  driver.CompileAll({"z"});
  driver.RunTo("z", "dual");
  driver.Apply(RollbackAsked{"bob", "", "environments/later"});
  driver.End("z", v1::ATTEMPT_STATE_CANCELLED);
  driver.End("z", v1::ATTEMPT_STATE_FAILED, "no right");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.state().reason(), HasSubstr("`curlew rollout rollback r`"));
  driver.Apply(RollbackAsked{"bob", "he has the right now"});
  EXPECT_EQ(RunIs(driver, "a"), "SUCCEEDED");
  driver.Finish("z");
  EXPECT_EQ(RunIs(driver, "z"), "ROLLED_BACK");
  EXPECT_EQ(RunIs(driver, "a"), "SUCCEEDED") << "staging was not meant";
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
}

TEST(FailureTest, WhereNothingWasChangedThereIsNothingToRollBack) {
  Driver driver({Fleet({"a", "b"}, "on_failure: rollback")});
  driver.Start();
  CompileFailed failed{.target = "b"};
  failed.error.set_message("no such table");
  driver.Apply(failed);
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED) << "what is wrong may be mended";
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_POLICY_ACTED), 0);
}

TEST(FailureTest, APreflightErrorKeepsTheRunFromBeginning) {
  for (const bool strict : {false, true}) {
    Driver driver(
        {Fleet({"a", "b"}, absl::StrCat("max_failed: 1\nstrict_preflight: ", strict ? "true" : "false"))});
    driver.Start();
    driver.Compile("b");
    Compiled compiled{.target = "a", .plan = testing::RenamePlan(), .digest = "compiled"};
    v1::PreflightFinding& finding = *compiled.preflight.add_findings();
    finding.set_severity(v1::PREFLIGHT_SEVERITY_WARNING);
    finding.set_code("long-transactions");
    finding.set_message("one has been open for 3h");
    finding.set_hint("end it");
    driver.Apply(compiled);
    EXPECT_EQ(driver.run("a").preflight().findings(0).code(), "long-transactions");
    if (!strict) {
      EXPECT_EQ(RunIs(driver, "a"), "RUNNING");
      continue;
    }
    EXPECT_EQ(RunIs(driver, "a"), "FAILED");
    EXPECT_EQ(driver.run("a").error().message(),
              "preflight: long-transactions: one has been open for 3h; end it");
    EXPECT_EQ(driver.run("a").compiled_digest(), "");
    EXPECT_EQ(StageIs(driver), "RUNNING") << "within the budget";
  }
}

TEST(FailureTest, PreflightIsLookedAtAgainWhenTheRunBegins) {
  Driver driver = testing::Started(Fleet({"a"}, "before: {approvals: 1}"));
  driver.Apply(Approved{"", "bob"});
  Compiled compiled{.target = "a", .plan = testing::RenamePlan(), .digest = "compiled"};
  v1::PreflightFinding& finding = *compiled.preflight.add_findings();
  finding.set_severity(v1::PREFLIGHT_SEVERITY_ERROR);
  finding.set_code("disk");
  finding.set_message("no room");
  EXPECT_THAT(driver.Apply(compiled), IsEmpty());
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("compile a"));
  EXPECT_THAT(driver.Compile("a"), ElementsAre("do a look #1 +plan"))
      << "the approval holds: the schema is the same";
}

TEST(FailureTest, AStepIsSkippedAlsoWhileTheOthersGoOn) {
  Driver driver({Fleet({"a", "b"}, "max_failed: 1")});
  driver.Start();
  v1::CompiledPlan plan = testing::AddPlan();
  v1::Step& analyze = *plan.add_steps();
  analyze.set_key("analyze");
  analyze.set_phase(v1::PHASE_CONSTRAIN);
  analyze.mutable_action()->mutable_analyze();
  driver.CompileAll({"a", "b"}, plan);
  driver.RunTo("a", "analyze");
  driver.End("a", v1::ATTEMPT_STATE_FAILED, "x");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_RUNNING);
  EXPECT_THAT(driver.Apply(SkipAsked{"a", "", "bob", "x"}), ElementsAre("do a analyze #8 +override"));
}

}  // namespace
}  // namespace curlew::rollout
