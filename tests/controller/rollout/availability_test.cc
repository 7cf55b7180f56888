#include "controller/rollout/availability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/rollout/fleet.h"

namespace curlew::rollout {
namespace {

using ::testing::Contains;
using testing::Driver;
using ::testing::ElementsAre;
using testing::Fleet;
using ::testing::IsEmpty;
using testing::RunIs;
using testing::StageIs;
using testing::Told;
using testing::Waits;
using testing::WaveIs;

constexpr char kOneMayLack[] = "target_deadline: 1h\nmax_unavailable: 1";

// All but c have agents.
Driver WithoutC(const std::string& yaml) {
  Driver driver({Fleet({"a", "b", "c"}, yaml)});
  driver.Apply(Started{"alice"});
  for (const char* target : {"a", "b"}) driver.Apply(AgentReady{.target = target, .epoch = 1});
  driver.CompileAll({"a", "b"});
  return driver;
}

TEST(AvailabilityTest, ATargetThatCannotBeReachedIsSetAsideAfterTheDeadline) {
  Driver driver = WithoutC(kOneMayLack);
  EXPECT_EQ(StageIs(driver), "PREPARING");
  EXPECT_THAT(Waits(driver), ElementsAre("AGENT c"));
  EXPECT_EQ(driver.last().wake, driver.now() + absl::Hours(1));
  EXPECT_THAT(driver.Pass(absl::Minutes(59)), IsEmpty());
  EXPECT_THAT(driver.Pass(absl::Minutes(1)), ElementsAre("compile a", "compile b"));
  EXPECT_TRUE(driver.run("c").set_aside());
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_RUN_SET_ASIDE), 1);
  EXPECT_THAT(Waits(driver), ElementsAre("AGENT c"));
  driver.CompileAll({"a", "b"});
  for (const char* target : {"a", "b"}) driver.Finish(target);
  EXPECT_EQ(WaveIs(driver, 0), "READY_TO_DROP");
  EXPECT_EQ(StageIs(driver), "RUNNING") << "it holds up the gate before DROP";

  EXPECT_THAT(driver.Apply(AgentReady{.target = "c", .epoch = 1}), ElementsAre("compile c"));
  driver.CompileAll({"c"});
  driver.RunTo("c", "bind");
  EXPECT_TRUE(driver.run("c").set_aside());
  EXPECT_THAT(driver.Succeed("c"), ElementsAre("do a drain #7", "do b drain #7", "do c drain #7"));
  EXPECT_FALSE(driver.run("c").set_aside());
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_RUN_RETURNED), 1);
}

TEST(AvailabilityTest, WithoutADeadlineNothingIsSetAside) {
  Driver driver = WithoutC("max_unavailable: 1");
  driver.Pass(absl::Hours(100));
  EXPECT_EQ(StageIs(driver), "PREPARING");
}

TEST(AvailabilityTest, NoMoreThanMaxUnavailable) {
  Driver driver({Fleet({"a", "b", "c"}, kOneMayLack)});
  driver.Apply(Started{"alice"});
  driver.Apply(AgentReady{.target = "a", .epoch = 1});
  driver.CompileAll({"a"});
  driver.Pass(absl::Hours(1));
  EXPECT_EQ(Told(driver, v1::EVENT_TYPE_RUN_SET_ASIDE), 1);
  EXPECT_EQ(StageIs(driver), "PREPARING");
  EXPECT_THAT(Waits(driver), ElementsAre("AGENT b", "AGENT c", "BUDGET"));
  driver.Apply(TargetSkipped{"c", "bob", "gone"});
  EXPECT_EQ(StageIs(driver), "RUNNING");
}

TEST(AvailabilityTest, AWaveOfWhichNobodyHasComeThroughProvesNothing) {
  Driver driver({Fleet({"a", "b", "c"},
                       absl::StrCat(kOneMayLack, "\nwaves: [{name: canary, count: 1}, {name: rest}]"))});
  driver.Start();
  driver.CompileAll({"a", "b", "c"});
  driver.RunTo("a", "fill");
  driver.Apply(AgentLost{"a"});
  driver.Pass(absl::Hours(2));
  EXPECT_TRUE(driver.run("a").set_aside());
  EXPECT_EQ(WaveIs(driver, 0), "RUNNING");
  EXPECT_EQ(RunIs(driver, "b"), "COMPILED") << "no canary has proved anything";
  driver.Apply(AgentReady{.target = "a", .epoch = 2});
  driver.Finish("a");
  EXPECT_EQ(WaveIs(driver, 1), "RUNNING");
}

TEST(AvailabilityTest, AReturnWithAnotherSchemaIsNotCovered) {
  Driver driver = WithoutC(absl::StrCat(kOneMayLack, "\nbefore: {approvals: 1}"));
  driver.Pass(absl::Hours(1));
  driver.Apply(Approved{"", "bob"});
  driver.CompileAll({"a", "b"});
  driver.Apply(AgentReady{.target = "c", .epoch = 1});
  driver.CompileAll({"c"});
  EXPECT_EQ(RunIs(driver, "c"), "COMPILED");
  EXPECT_THAT(Waits(driver), ElementsAre("APPROVAL production/before"));
  driver.Apply(Approved{"", "bob"});
  driver.CompileAll({"c"});
  EXPECT_EQ(RunIs(driver, "c"), "RUNNING");
}

TEST(AvailabilityTest, OneThatIsLateIsSetAsideAndWorksOn) {
  Driver driver =
      testing::Started(Fleet({"a", "b"}, absl::StrCat(kOneMayLack, "\nbefore_drop: {approvals: 1}")));
  driver.Finish("a");
  driver.RunTo("b", "fill");
  driver.Pass(absl::Hours(1));
  EXPECT_TRUE(driver.run("b").set_aside());
  EXPECT_EQ(WaveIs(driver, 0), "READY_TO_DROP");
  EXPECT_EQ(driver.live("b").key(), "fill");
  driver.Finish("b");
  EXPECT_FALSE(driver.run("b").set_aside());
  EXPECT_EQ(StageIs(driver), "AT_DROP_GATE");
  // In DROP the clock starts anew.
  driver.Apply(Approved{"", "bob"});
  EXPECT_EQ(driver.last().wake, driver.now() + absl::Hours(1));
  driver.Finish("a");
  driver.Pass(absl::Hours(1));
  EXPECT_TRUE(driver.run("b").set_aside());
  EXPECT_EQ(WaveIs(driver, 0), "DONE");
  EXPECT_EQ(StageIs(driver), "DROPPING");
  driver.Finish("b");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
}

TEST(AvailabilityTest, ATargetWithoutAnAgentTakesNoTurn) {
  Driver driver({Fleet({"a", "b", "c"}, "max_parallel: 1\nbefore: {approvals: 1}")});
  driver.Start();
  driver.CompileAll({"a", "b", "c"});
  driver.Apply(AgentLost{"a"});
  EXPECT_THAT(driver.Apply(Approved{"", "bob"}), ElementsAre("compile b"));
  EXPECT_THAT(Waits(driver), Contains("AGENT a"));
}

TEST(AvailabilityTest, AClosedWindowIsNoFaultOfTheTarget) {
  Driver driver = testing::Started(
      Fleet({"a"}, absl::StrCat(kOneMayLack, "\nbefore: {windows: [{cron: \"0 8 * * *\", duration: 30m}]}")));
  EXPECT_EQ(RunIs(driver, "a"), "RUNNING");
  driver.Pass(absl::Minutes(30));
  driver.Succeed("a");
  driver.Pass(absl::Hours(2));
  EXPECT_FALSE(driver.run("a").set_aside());
}

TEST(AvailabilityTest, APauseIsNoFaultOfTheTarget) {
  Driver driver = testing::Started(Fleet({"a"}, kOneMayLack));
  driver.Apply(PauseAsked{"bob"});
  driver.End("a", v1::ATTEMPT_STATE_CANCELLED);
  driver.Pass(absl::Hours(2));
  driver.Apply(ResumeAsked{"bob"});
  EXPECT_FALSE(driver.run("a").set_aside());
}

}  // namespace
}  // namespace curlew::rollout
