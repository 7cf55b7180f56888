#include "controller/rollout/override.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error_detail.h"
#include "common/base/own_sqlstate.h"
#include "tests/controller/rollout/driver.h"

namespace curlew::rollout {
namespace {

using testing::Driver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const OverrideAsked kOverride{"", "bob", "the night job ends by itself"};

// staging alone; attempt #7, at the step that waits before DROP, was sent.
Driver Sent() {
  Driver driver(testing::Staging());
  driver.ToDropGate();
  driver.Apply(Approved{"", "carol"});
  driver.RunTo("s", "drain");
  return driver;
}

// It runs.
Driver Draining() {
  Driver driver = Sent();
  driver.Ack("s");
  return driver;
}

// Attempt #5, at the rollback gate, runs.
Driver BeforeUndoing() {
  Driver driver(testing::Staging());
  driver.Start();
  driver.Compile("s");
  driver.RunTo("s", "fill");
  driver.Apply(RollbackAsked{"bob"});
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  driver.RunTo("s", kRollbackGateKey);
  driver.Ack("s");
  return driver;
}

const DispatchAttempt& Dispatched(const Driver& driver) {
  return std::get<DispatchAttempt>(driver.last().commands.back());
}

TEST(OverrideTest, StepsThatWaitAreKnownAsSuch) {
  Driver driver = Draining();
  for (const char* key : {"look", "add", "dual", "fill", "check", "bind", "drop"}) {
    EXPECT_FALSE(driver.step("s", key).waits()) << key;
  }
  EXPECT_TRUE(driver.step("s", "drain").waits());
  EXPECT_TRUE(driver.step("s", kRollbackGateKey).waits());
}

TEST(OverrideTest, StepsKnowTheirStageOfThePlan) {
  v1::CompiledPlan plan = testing::RenamePlan();
  plan.mutable_steps(plan.steps_size() - 1)->set_stage(1);
  Driver driver(testing::Staging());
  driver.Start();
  driver.Compile("s", plan);
  EXPECT_EQ(driver.step("s", "look").stage(), 0);
  EXPECT_EQ(driver.step("s", "drop").stage(), 1);
}

TEST(OverrideTest, StopsTheAttemptThatWaitsAndSendsAnotherAtOnce) {
  Driver driver = Draining();
  EXPECT_THAT(driver.Apply(kOverride), ElementsAre("cancel s #7"));
  EXPECT_EQ(std::get<CancelAttempt>(driver.last().commands[0]).reason,
            "overridden by bob: the night job ends by itself");
  EXPECT_EQ(driver.step("s", "drain").override().actor(), "bob");
  EXPECT_EQ(driver.step("s", "drain").override().reason(), "the night job ends by itself");
  ASSERT_THAT(driver.events(), ElementsAre(v1::EVENT_TYPE_STEP_OVERRIDDEN));
  const v1::Event& event = driver.history().back();
  EXPECT_EQ(event.message(), "s: drain need not wait: overridden by bob: the night job ends by itself");
  EXPECT_EQ(event.actor(), "bob");
  EXPECT_EQ(event.step(), "drain");
  EXPECT_EQ(event.phase(), v1::PHASE_DROP);

  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), ElementsAre("do s drain #8 +override"));
  EXPECT_EQ(Dispatched(driver).override_wait->actor(), "bob");
  EXPECT_EQ(Dispatched(driver).override_wait->reason(), "the night job ends by itself");
  EXPECT_EQ(driver.step("s", "drain").errors(), 0);
  EXPECT_TRUE(driver.step("s", "drain").attempt().with_override());

  EXPECT_THAT(driver.Succeed("s"), ElementsAre("do s drop #9"));
  EXPECT_EQ(driver.history().back().message(),
            "s: drain succeeded without waiting, overridden by bob: the night job ends by itself");
  EXPECT_FALSE(Dispatched(driver).override_wait.has_value());
}

TEST(OverrideTest, HoweverTheAttemptEndsTheNextOneNeedNotWait) {
  Driver errored = Draining();
  errored.Apply(kOverride);
  EXPECT_THAT(errored.End("s", v1::ATTEMPT_STATE_ERRORED, "the server went away"), IsEmpty());
  EXPECT_THAT(errored.Pass(absl::Seconds(1)), ElementsAre("do s drain #8 +override"));

  Driver failed = Draining();
  failed.Apply(kOverride);
  EXPECT_THAT(failed.End("s", v1::ATTEMPT_STATE_FAILED, "no right"), IsEmpty());
  EXPECT_THAT(failed.Apply(ResumeAsked{"bob"}), ElementsAre("do s drain #8 +override"));

  Driver refused = Sent();
  refused.Apply(kOverride);
  refused.Apply(AttemptNacked{.target = "s", .attempt = 7, .message = "busy"});
  EXPECT_THAT(refused.Pass(absl::Seconds(1)), ElementsAre("do s drain #7 +override"));

  // What it waited for came in the last moment.
  Driver succeeded = Draining();
  succeeded.Apply(kOverride);
  EXPECT_THAT(succeeded.Succeed("s"), ElementsAre("do s drop #8"));
  EXPECT_EQ(succeeded.history().back().message(), "s: drain succeeded");
}

// A request to stop that overtook the command would be lost.
TEST(OverrideTest, AnAttemptThatWasOnlySentIsStoppedWhenItBegins) {
  Driver driver = Sent();
  EXPECT_THAT(driver.Apply(kOverride), IsEmpty());
  EXPECT_THAT(driver.Ack("s"), ElementsAre("cancel s #7"));
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), ElementsAre("do s drain #8 +override"));
  EXPECT_THAT(driver.Ack("s"), IsEmpty());
}

TEST(OverrideTest, AQueuedAttemptIsSentAtOnce) {
  Driver driver = Draining();
  driver.End("s", v1::ATTEMPT_STATE_ERRORED, "the server went away");
  EXPECT_THAT(driver.Apply(kOverride), ElementsAre("do s drain #8 +override"));
}

TEST(OverrideTest, OutlivesALostAgent) {
  Driver driver = Draining();
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(kOverride), IsEmpty());
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), ElementsAre("do s drain #8 +override"));
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 3}), ElementsAre("do s drain #9 +override"));
}

TEST(OverrideTest, AnAgentThatComesBackStillWaitingIsAskedToStopAgain) {
  Driver driver = Draining();
  driver.Apply(kOverride);
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 1, .held = {7}}), ElementsAre("cancel s #7"));
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), ElementsAre("do s drain #8 +override"));
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 1, .held = {8}}), IsEmpty())
      << "this one knows it";
}

TEST(OverrideTest, AnAttemptThatKnowsItAndStopsAllTheSameIsNotChased) {
  Driver driver = Draining();
  driver.Apply(kOverride);
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), IsEmpty());
  EXPECT_THAT(driver.Pass(absl::Seconds(1)), ElementsAre("do s drain #9 +override"));
}

TEST(OverrideTest, OfAPausedRolloutCountsFromResumeOn) {
  Driver driver = Draining();
  driver.Apply(PauseAsked{"carol"});
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_THAT(driver.Apply(kOverride), IsEmpty());
  EXPECT_THAT(driver.Apply(ResumeAsked{"carol"}), ElementsAre("do s drain #8 +override"));
}

TEST(OverrideTest, OfAFailedStepCountsFromResumeOn) {
  Driver driver = Draining();
  driver.End("s", v1::ATTEMPT_STATE_FAILED, "permission denied for sequence");
  EXPECT_THAT(driver.Apply(kOverride), IsEmpty());
  EXPECT_THAT(driver.Apply(ResumeAsked{"carol"}), ElementsAre("do s drain #8 +override"));
}

OverrideAsked Signs(const std::string& target, const std::string& step, const std::string& id) {
  OverrideAsked asked{.target = target, .actor = "bob", .reason = "why"};
  asked.signature.emplace().mutable_statement()->set_step(step);
  asked.signature->mutable_statement()->set_id(id);
  (*asked.signature->mutable_statement()->mutable_compiled_digests())["s"] = "d";
  return asked;
}

TEST(OverrideTest, ASignatureGoesWithItAndMayComeLater) {
  Driver driver = Draining();
  driver.End("s", v1::ATTEMPT_STATE_FAILED, "permission denied for sequence");
  driver.Apply(kOverride);
  EXPECT_THAT(driver.Apply(ResumeAsked{"carol"}), ElementsAre("do s drain #8 +override"));
  EXPECT_FALSE(Dispatched(driver).override_wait->has_signature());
  driver.Apply(AttemptNacked{.target = "s", .attempt = 8, .invalid = true, .message = "not signed"});
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  // Without one it has been said already.
  EXPECT_FALSE(driver.Try(kOverride).ok());
  EXPECT_THAT(driver.Apply(Signs("", "drain", "1")), IsEmpty());
  EXPECT_THAT(driver.history().back().message(), HasSubstr("drain need not wait: overridden by bob"));
  EXPECT_THAT(driver.Apply(ResumeAsked{"carol"}), ElementsAre("do s drain #9 +override"));
  EXPECT_EQ(Dispatched(driver).override_wait->signature().statement().id(), "1");
}

TEST(OverrideTest, ASignatureOfAnotherStepOrTargetSaysNothing) {
  Driver driver = Draining();
  EXPECT_FALSE(driver.Try(Signs("s", "drop", "1")).ok());
  OverrideAsked other = Signs("s", "drain", "1");
  other.signature->mutable_statement()->clear_compiled_digests();
  EXPECT_FALSE(driver.Try(other).ok());
  EXPECT_FALSE(driver.step("s", "drain").has_override());
}

TEST(OverrideTest, LetsARollbackGoOn) {
  Driver driver = BeforeUndoing();
  EXPECT_THAT(driver.Apply(kOverride), ElementsAre("cancel s #5"));
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), ElementsAre("undo s rollback-gate #6 +override"));
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("undo s dual #7"));
  driver.Finish("s");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
}

TEST(OverrideTest, OfARollbackMayComeBeforeItsGateIsReached) {
  Driver driver(testing::Staging());
  driver.Start();
  driver.Compile("s");
  driver.RunTo("s", "fill");
  driver.Apply(RollbackAsked{"bob"});
  EXPECT_THAT(driver.Apply(kOverride), IsEmpty());
  EXPECT_THAT(driver.End("s", v1::ATTEMPT_STATE_CANCELLED), ElementsAre("undo s rollback-gate #5 +override"));
}

TEST(OverrideTest, OfAFailedRollbackGateCountsFromTheNextRollbackOn) {
  Driver driver = BeforeUndoing();
  driver.End("s", v1::ATTEMPT_STATE_FAILED, "permission denied for sequence");
  EXPECT_THAT(driver.Apply(kOverride), IsEmpty());
  EXPECT_THAT(driver.Apply(RollbackAsked{"bob"}), ElementsAre("undo s rollback-gate #6 +override"));
}

// production: p and q both wait before DROP.
Driver TwoDraining() {
  Driver driver;
  driver.IntoProduction();
  driver.Finish("p");
  driver.Finish("q");
  driver.Apply(Approved{"", "carol"});
  driver.Ack("p");
  driver.Ack("q");
  return driver;
}

TEST(OverrideTest, IsForOneTargetOrForEveryOneThatWaits) {
  Driver one = TwoDraining();
  EXPECT_THAT(one.Apply(OverrideAsked{"q", "bob", "x"}), ElementsAre("cancel q #7"));
  EXPECT_FALSE(one.step("p", "drain").has_override());
  EXPECT_THAT(one.Apply(kOverride), ElementsAre("cancel p #7")) << "q was overridden already";
  EXPECT_EQ(one.step("q", "drain").override().reason(), "x");

  Driver all = TwoDraining();
  EXPECT_THAT(all.Apply(kOverride), ElementsAre("cancel p #7", "cancel q #7"));
}

// staging alone; attempt #4, at the backfill, failed with these rows.
Driver WithRowsQuarantined() {
  Driver driver(testing::Staging());
  driver.Start();
  driver.Compile("s");
  driver.RunTo("s", "fill");
  AttemptEnded ended{.target = "s", .attempt = 4, .outcome = v1::ATTEMPT_STATE_FAILED};
  ended.error.set_message("3 rows could not be written");
  ended.error.set_sqlstate(base::kRowsQuarantined);
  driver.Apply(ended);
  return driver;
}

TEST(OverrideTest, OfAStepWhoseRowsWereQuarantinedSaysThatTheyMayStay) {
  Driver driver = WithRowsQuarantined();
  EXPECT_THAT(driver.Apply(OverrideAsked{"s", "bob", "they go next week"}), IsEmpty());
  EXPECT_EQ(driver.history().back().message(),
            "s: fill may leave the rows that it could not write: overridden by bob: they go next week");
  EXPECT_EQ(driver.history().back().actor(), "bob");
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s fill #5 +override"));
  EXPECT_EQ(Dispatched(driver).override_wait->reason(), "they go next week");
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), ElementsAre("do s fill #6 +override"));
  EXPECT_THAT(driver.Succeed("s"), ElementsAre("do s check #7"));
  EXPECT_EQ(driver.history()[driver.history().size() - 1].message(),
            "s: fill succeeded, overridden by bob: they go next week");
}

TEST(OverrideTest, OfRowsIsNotForThoseThatAreFoundLater) {
  Driver driver = WithRowsQuarantined();
  driver.Apply(kOverride);
  driver.Apply(ResumeAsked{"bob"});
  AttemptEnded again{.target = "s", .attempt = 5, .outcome = v1::ATTEMPT_STATE_FAILED};
  again.error.set_message("100 rows more could not be written");
  again.error.set_sqlstate(base::kRowsQuarantined);
  driver.Apply(again);
  EXPECT_FALSE(driver.step("s", "fill").has_override());
  EXPECT_THAT(driver.Apply(OverrideAsked{"", "carol", "these too"}), IsEmpty());
  EXPECT_EQ(driver.step("s", "fill").override().actor(), "carol");
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("do s fill #6 +override"));
}

TEST(OverrideTest, OfAStepThatFailedOtherwiseAndDoesNotWaitIsRefused) {
  Driver driver(testing::Staging());
  driver.Start();
  driver.Compile("s");
  driver.RunTo("s", "fill");
  driver.End("s", v1::ATTEMPT_STATE_FAILED, "division by zero");
  EXPECT_THAT(driver.Try(kOverride).message(), HasSubstr("s is at fill"));
}

TEST(OverrideTest, IsRefusedWhereNothingWaits) {
  Driver driver(testing::Staging());
  driver.ToDropGate();
  const absl::Status at_gate = driver.Try(kOverride);
  EXPECT_EQ(at_gate.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(at_gate.message(),
            "r has nothing that could be overridden: s is ready to drop; gate staging/before-drop is "
            "opened by `curlew rollout approve r --gate staging/before-drop`");
  EXPECT_EQ(base::Detail(at_gate, base::kReason), "NOTHING_WAITS");
  driver.Apply(Approved{"", "carol"});
  driver.Apply(kOverride);
  EXPECT_THAT(driver.Try(OverrideAsked{"s", "carol", "me too"}).message(),
              HasSubstr("s is at drain, overridden by bob: the night job ends by itself"));
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  driver.Succeed("s");
  EXPECT_THAT(driver.Try(kOverride).message(), HasSubstr("s is at drop"));
  driver.Apply(AbortAsked{"bob"});
  EXPECT_THAT(driver.Try(kOverride).message(), HasSubstr("r cannot be overridden: it is aborted"));
}

TEST(OverrideTest, IsRefusedOnATargetThatDoesNotWait) {
  Driver driver = TwoDraining();
  EXPECT_THAT(driver.Try(OverrideAsked{"s", "bob", "x"}).message(), HasSubstr("s is succeeded"));
  EXPECT_FALSE(driver.step("p", "drain").has_override());
}

TEST(OverrideTest, NeedsAnActorAReasonAndATargetThatThereIs) {
  Driver driver = Draining();
  for (const OverrideAsked& bad :
       {OverrideAsked{"", "", "x"}, OverrideAsked{"", "bob", ""}, OverrideAsked{"", "bob", " \n"}}) {
    const absl::Status status = driver.Try(bad);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(base::Detail(status, base::kHint), HasSubstr("give --"));
  }
  const absl::Status unknown = driver.Try(OverrideAsked{"t", "bob", "x"});
  EXPECT_EQ(unknown.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(unknown.message(), "r has no target \"t\"; its targets are s");
  EXPECT_FALSE(driver.step("s", "drain").has_override());
}

}  // namespace
}  // namespace curlew::rollout
