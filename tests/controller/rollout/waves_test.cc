#include "controller/rollout/waves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/rollout/fleet.h"

namespace curlew::rollout {
namespace {

using testing::Driver;
using ::testing::ElementsAre;
using testing::Fleet;
using ::testing::IsEmpty;
using testing::RunIs;
using testing::StageIs;
using testing::Told;
using testing::Waits;
using testing::WaveIs;

constexpr char kCanary[] = R"(
waves:
  - {name: canary, count: 1, bake: 1h}
  - {name: rest, max_parallel: 2}
)";

Driver CanaryBakes() {
  Driver driver = testing::Started(Fleet({"a", "b", "c", "d"}, kCanary));
  driver.Finish("a");
  return driver;
}

TEST(WavesTest, AreMadeFromTheEnvironment) {
  Driver driver({Fleet({"a", "b", "c"},
                       "max_parallel: 5\nwaves: [{name: canary, count: 1, before: {approvals: "
                       "1}}, {name: rest, max_parallel: 2, bake: 1h}]")});
  const v1::EnvironmentStage& stage = driver.state().stages(0);
  ASSERT_EQ(stage.waves_size(), 2);
  EXPECT_THAT(stage.waves(0).targets(), ElementsAre("a"));
  EXPECT_EQ(stage.waves(0).max_parallel(), 5);
  EXPECT_EQ(stage.waves(0).before().id(), "production/canary/before");
  EXPECT_EQ(stage.waves(1).max_parallel(), 2);
  EXPECT_FALSE(stage.waves(1).has_before());
  EXPECT_THAT(stage.policy().targets(), IsEmpty()) << "they stand in the waves";
  EXPECT_EQ(driver.run("c").wave(), "rest");
  EXPECT_EQ(driver.state().policy_digest().size(), 64u);
}

TEST(WavesTest, TheCanaryGoesFirstAndBakes) {
  Driver driver = testing::Started(Fleet({"a", "b", "c", "d"}, kCanary));
  EXPECT_EQ(RunIs(driver, "a"), "RUNNING");
  EXPECT_EQ(RunIs(driver, "b"), "COMPILED");
  driver.Finish("a");
  EXPECT_EQ(WaveIs(driver, 0), "BAKING");
  EXPECT_EQ(WaveIs(driver, 1), "PENDING");
  EXPECT_THAT(Waits(driver), ElementsAre("SOAK until 2027-01-15T09:00:00Z"));
  EXPECT_THAT(driver.Pass(absl::Minutes(59)), IsEmpty());
  EXPECT_THAT(driver.Pass(absl::Minutes(1)), ElementsAre("compile b", "compile c"));
  EXPECT_EQ(WaveIs(driver, 0), "READY_TO_DROP");
  EXPECT_EQ(WaveIs(driver, 1), "RUNNING");
}

TEST(WavesTest, NoMoreThanMaxParallelAtTheSameTime) {
  Driver driver = CanaryBakes();
  driver.Pass(absl::Hours(1));
  driver.CompileAll({"b", "c"});
  EXPECT_EQ(RunIs(driver, "d"), "COMPILED");
  EXPECT_THAT(Waits(driver), ElementsAre("BUDGET"));
  driver.RunTo("b", "bind");
  EXPECT_THAT(driver.Succeed("b"), ElementsAre("compile d"));
  driver.CompileAll({"d"});
  driver.Finish("c");
  driver.Finish("d");
  EXPECT_EQ(StageIs(driver), "DROPPING");
}

TEST(WavesTest, DropGoesInWavesAgain) {
  Driver driver = CanaryBakes();
  driver.Pass(absl::Hours(1));
  driver.CompileAll({"b", "c"});
  for (const char* target : {"b", "c"}) driver.Finish(target);
  driver.CompileAll({"d"});
  driver.RunTo("d", "bind");
  EXPECT_THAT(driver.Succeed("d"), ElementsAre("do a drain #7"));
  EXPECT_EQ(WaveIs(driver, 0), "DROPPING");
  EXPECT_EQ(WaveIs(driver, 1), "READY_TO_DROP");
  driver.Finish("a");
  EXPECT_EQ(WaveIs(driver, 0), "BAKING_DROP");
  EXPECT_THAT(driver.Pass(absl::Hours(1)), ElementsAre("do b drain #7", "do c drain #7"));
  EXPECT_EQ(WaveIs(driver, 0), "DONE");
  for (const char* target : {"b", "c", "d"}) driver.Finish(target);
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
}

TEST(WavesTest, WithoutDropThereIsNothingToBakeAfter) {
  Driver driver({Fleet({"a", "b"}, kCanary)});
  driver.Start();
  driver.CompileAll({"a", "b"}, testing::AddPlan());
  driver.Finish("a");
  driver.Pass(absl::Hours(1));
  driver.CompileAll({"b"}, testing::AddPlan());
  driver.Finish("b");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
}

// In a plan of several stages steps of other phases come after those of DROP.
TEST(WavesTest, WhatComesAfterADropStandsBehindItsGateAndBakesToo) {
  v1::CompiledPlan plan = testing::RenamePlan();
  v1::Step& later = *plan.add_steps();
  later.set_key("later");
  later.set_phase(v1::PHASE_ADD);
  later.set_stage(1);
  *later.mutable_action() = plan.steps(0).action();
  Driver driver(
      {Fleet({"a", "b"},
             absl::StrCat(kCanary, "\nbefore_drop: {windows: [{cron: \"0 0 * * *\", duration: 12h}]}"))});
  driver.Start();
  driver.CompileAll({"a", "b"}, plan);
  driver.RunTo("a", "bind");
  driver.Succeed("a");
  driver.Pass(absl::Hours(1));
  driver.CompileAll({"b"}, plan);
  driver.RunTo("b", "bind");
  driver.Succeed("b");
  driver.Pass(absl::Hours(1));
  driver.RunTo("a", "drop");
  driver.Pass(absl::Hours(6));
  driver.Succeed("a");
  EXPECT_EQ(driver.step("a", "later").state(), v1::STEP_STATE_PENDING) << "the window has closed";
  driver.Pass(absl::Hours(12));
  EXPECT_EQ(driver.live("a").key(), "later");
  driver.Finish("a");
  EXPECT_EQ(WaveIs(driver, 0), "BAKING_DROP");
}

TEST(WavesTest, AGateBeforeAWaveHoldsThatWaveAlone) {
  Driver driver = testing::Started(Fleet(
      {"a", "b"}, "waves: [{name: canary, count: 1}, {name: rest, before: {approvals: 1, soak: 10m}}]"));
  EXPECT_FALSE(driver.state().stages(0).waves(1).before().has_reached_time());
  driver.Finish("a");
  EXPECT_THAT(Waits(driver), ElementsAre("APPROVAL production/rest/before",
                                         "SOAK until 2027-01-15T08:10:00Z production/rest/before"));
  driver.Apply(Approved{"", "bob"});
  EXPECT_EQ(RunIs(driver, "b"), "COMPILED");
  EXPECT_THAT(driver.Pass(absl::Minutes(10)), ElementsAre("compile b"));
}

TEST(WavesTest, ACanaryWhoseDatabaseWentBackHoldsWhatHasNotBegun) {
  Driver driver = CanaryBakes();
  driver.Pass(absl::Hours(1));
  driver.CompileAll({"b", "c"});
  const AgentReady back{.target = "a", .epoch = 2, .journal = KnownJournal{.done = {"look"}}};
  EXPECT_THAT(driver.Apply(back), ElementsAre("do a add #7"));
  EXPECT_EQ(WaveIs(driver, 0), "RUNNING");
  EXPECT_EQ(WaveIs(driver, 1), "RUNNING");
  driver.Finish("b");
  EXPECT_EQ(RunIs(driver, "b"), "READY_TO_DROP");
  EXPECT_EQ(RunIs(driver, "d"), "COMPILED") << "not before the canary has baked again";
  driver.Finish("a");
  EXPECT_EQ(WaveIs(driver, 0), "BAKING");
  EXPECT_THAT(driver.Pass(absl::Hours(1)), ElementsAre("compile d"));
}

TEST(WavesTest, ATargetThatIsLeftOutHoldsUpNobody) {
  Driver driver({Fleet({"a", "b"}, "before: {approvals: 1}")});
  driver.Start();
  driver.Compile("a");
  EXPECT_EQ(driver.Try(TargetSkipped{"b", "", "x"}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(driver.Try(TargetSkipped{"b", "bob", ""}).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(driver.Try(TargetSkipped{"x", "bob", "x"}).code(), absl::StatusCode::kNotFound);
  driver.Apply(TargetSkipped{"b", "bob", "is being replaced"});
  EXPECT_EQ(RunIs(driver, "b"), "SKIPPED");
  EXPECT_EQ(driver.run("b").skip().reason(), "is being replaced");
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_TARGET_SKIPPED), 1);
  EXPECT_EQ(driver.Try(TargetSkipped{"b", "bob", "x"}).code(), absl::StatusCode::kFailedPrecondition);
  driver.Apply(Approved{"", "bob"});
  driver.CompileAll({"a"});
  EXPECT_EQ(driver.Try(TargetSkipped{"a", "bob", "x"}).code(), absl::StatusCode::kFailedPrecondition);
  driver.Finish("a");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
}

TEST(WavesTest, LeavingATargetOutVoidsNoApproval) {
  Driver driver = testing::Started(Fleet({"a", "b"}, "before: {approvals: 2}"));
  driver.Apply(Approved{"", "bob"});
  driver.Apply(TargetSkipped{"b", "bob", "is being replaced"});
  driver.Apply(Approved{"", "carol"});
  EXPECT_EQ(StageIs(driver), "RUNNING");
}

TEST(WavesTest, AWaveThatIsLeftOutAsAWholeNeedsNoGateAndNoBake) {
  Driver driver = testing::Started(
      Fleet({"a", "b"}, "waves: [{name: canary, count: 1}, {name: rest, bake: 1h, before: {approvals: 1}}]"));
  driver.Apply(TargetSkipped{"b", "bob", "gone"});
  driver.Finish("a");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
}

TEST(WavesTest, BackupsAreKeptAndTold) {
  Driver driver = testing::Started(Fleet({"a"}));
  AttemptEnded ended{.target = "a", .attempt = 1, .outcome = v1::ATTEMPT_STATE_SUCCEEDED};
  v1::BackupResult& backup = ended.backups.emplace_back();
  backup.set_kind("dump");
  backup.set_location("/backups/a.dump");
  backup.set_bytes(1234);
  driver.Apply(ended);
  EXPECT_EQ(driver.step("a", "look").backups(0).location(), "/backups/a.dump");
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_BACKUP_MADE), 1);
}

}  // namespace
}  // namespace curlew::rollout
