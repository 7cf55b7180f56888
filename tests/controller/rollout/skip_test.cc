#include "controller/rollout/skip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error_detail.h"
#include "common/base/own_sqlstate.h"
#include "tests/controller/rollout/driver.h"
#include "tests/support/status_matchers.h"

namespace curlew::rollout {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using testing::Driver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const SkipAsked kSkip{"", "", "bob", "autovacuum will do"};

// The plan with an ANALYZE after its backfill.
v1::CompiledPlan PlanWithAnalyze() {
  v1::CompiledPlan plan = testing::RenamePlan();
  v1::Step analyze;
  analyze.set_key("analyze");
  analyze.set_phase(v1::PHASE_BACKFILL);
  analyze.set_title("statistics");
  analyze.mutable_action()->mutable_analyze()->set_table("t");
  *plan.add_steps() = analyze;
  for (int i = plan.steps_size() - 1; plan.steps(i - 1).key() != "fill"; --i) {
    plan.mutable_steps()->SwapElements(i, i - 1);
  }
  return plan;
}

Driver FailedAt(const std::string& step) {
  Driver driver(testing::Staging());
  driver.Start();
  driver.Compile("s", PlanWithAnalyze());
  driver.RunTo("s", step);
  driver.Ack("s");
  driver.End("s", v1::ATTEMPT_STATE_FAILED, "no luck");
  return driver;
}

TEST(SkipTest, AStepThatFailedIsSentAgainWithTheOperatorsWordAndTheRolloutGoesOn) {
  Driver driver = FailedAt("analyze");
  EXPECT_THAT(driver.state().reason(),
              AllOf(HasSubstr("s: analyze: no luck"), HasSubstr("`curlew rollout retry r`"),
                    HasSubstr("to go on without analyze: `curlew rollout skip r --reason '...'`"),
                    HasSubstr("`curlew rollout rollback r`")));
  EXPECT_THAT(driver.Apply(kSkip), ElementsAre("do s analyze #6 +override"));
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_RUNNING);
  EXPECT_EQ(driver.last().events[0].type(), v1::EVENT_TYPE_STEP_SKIPPED);
  EXPECT_EQ(driver.last().events[0].message(), "s: analyze is left out: skipped by bob: autovacuum will do");
  EXPECT_EQ(driver.last().events[0].actor(), "bob");
  driver.Ack("s");
  AttemptEnded ended{.target = "s", .attempt = 6, .outcome = v1::ATTEMPT_STATE_SUCCEEDED};
  ended.summary = "skipped by bob: autovacuum will do";
  EXPECT_THAT(driver.Apply(ended), ElementsAre("do s check #7"));
  EXPECT_EQ(driver.last().events[0].message(), "s: analyze succeeded; skipped by bob: autovacuum will do");
}

TEST(SkipTest, ASignatureGoesWithItAndMayComeWhenTheAgentAsksForIt) {
  Driver driver = FailedAt("analyze");
  driver.Apply(kSkip);
  driver.Apply(AttemptNacked{.target = "s", .attempt = 6, .invalid = true, .message = "not signed"});
  SkipAsked skip = kSkip;
  skip.signature.emplace().mutable_statement()->set_step("analyze");
  EXPECT_FALSE(driver.Try(skip).ok()) << "it names no target";
  (*skip.signature->mutable_statement()->mutable_compiled_digests())["s"] = "d";
  EXPECT_THAT(driver.Apply(skip), ElementsAre("do s analyze #7 +override"));
  EXPECT_EQ(driver.step("s", "analyze").override().signature().statement().step(), "analyze");
}

// What a skip of each step is answered with, once it has failed.
TEST(SkipTest, OnlyWhatNothingLaterNeedsCanBeSkipped) {
  for (const char* key : {"look", "add", "dual", "fill", "check", "bind"}) {
    Driver driver = FailedAt(key);
    EXPECT_FALSE(driver.step("s", key).skippable()) << key;
    EXPECT_THAT(driver.state().reason(), Not(HasSubstr("curlew rollout skip"))) << key;
    EXPECT_THAT(driver.Try(kSkip), StatusIs(absl::StatusCode::kFailedPrecondition,
                                            AllOf(HasSubstr(std::string(key) + " of s cannot be skipped"),
                                                  HasSubstr("`curlew rollout retry r`"),
                                                  HasSubstr("`curlew rollout rollback r`"))))
        << key;
    EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED) << key;
  }
  EXPECT_TRUE(FailedAt("analyze").step("s", "analyze").skippable());
}

TEST(SkipTest, WithATargetItIsForThatRunAlone) {
  v1::Environment environment;
  environment.set_name("environments/e");
  environment.add_targets("a");
  environment.add_targets("b");
  Driver driver({environment});
  driver.Start();
  driver.CompileAll({"a", "b"}, PlanWithAnalyze());
  for (const std::string target : {"a", "b"}) driver.RunTo(target, "analyze");
  for (const std::string target : {"a", "b"}) driver.End(target, v1::ATTEMPT_STATE_FAILED, "no luck");
  driver.Apply(SkipAsked{"a", "", "bob", "autovacuum will do"});
  EXPECT_TRUE(driver.step("a", "analyze").has_override());
  EXPECT_FALSE(driver.step("b", "analyze").has_override());
}

TEST(SkipTest, AWaitIsOverriddenNotSkipped) {
  Driver driver(testing::Staging());
  driver.ToDropGate();
  driver.Apply(Approved{"", "carol"});
  driver.RunTo("s", "drain");
  EXPECT_THAT(driver.Try(SkipAsked{"s", "drain", "bob", "x"}),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       HasSubstr("`curlew rollout override r --target s --reason '...'`")));
}

TEST(SkipTest, RowsThatCouldNotBeWrittenAreAcceptedNotSkipped) {
  Driver driver(testing::Staging());
  driver.Start();
  driver.Compile("s");
  driver.RunTo("s", "fill");
  driver.Ack("s");
  AttemptEnded ended{.target = "s", .attempt = 4, .outcome = v1::ATTEMPT_STATE_FAILED};
  ended.error.set_message("3 rows");
  ended.error.set_sqlstate(base::kRowsQuarantined);
  driver.Apply(ended);
  EXPECT_THAT(driver.state().reason(), HasSubstr("`curlew rollout rows r`"));
  EXPECT_THAT(driver.Try(kSkip),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("`curlew rollout override r")));
}

TEST(SkipTest, IsRefusedWithWhatWouldBeRight) {
  Driver driver = FailedAt("analyze");
  EXPECT_THAT(driver.Try(SkipAsked{"", "", "", "x"}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(driver.Try(SkipAsked{"", "", "bob", " "}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(driver.Try(SkipAsked{"x", "", "bob", "x"}), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(driver.Try(SkipAsked{"", "x", "bob", "x"}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no step \"x\"")));
  EXPECT_THAT(driver.Try(SkipAsked{"", "add", "bob", "x"}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("add of s has not failed")));
  driver.Apply(kSkip);
  EXPECT_THAT(driver.Try(kSkip),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no step that has failed")));
  driver.Apply(RollbackAsked{"bob"});
  EXPECT_THAT(driver.Try(kSkip), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("rolling back")));
}

TEST(SkipTest, WithoutATargetItIsForEveryRunThatStandsAtTheStep) {
  v1::Environment environment;
  environment.set_name("environments/e");
  for (const char* target : {"a", "b", "c"}) environment.add_targets(target);
  Driver driver({environment});
  driver.Start();
  driver.CompileAll({"a", "b", "c"}, PlanWithAnalyze());
  for (const std::string target : {"a", "b", "c"}) {
    driver.RunTo(target, "analyze");
    driver.Ack(target);
  }
  driver.End("a", v1::ATTEMPT_STATE_FAILED, "x");
  driver.End("b", v1::ATTEMPT_STATE_FAILED, "x");
  EXPECT_THAT(driver.Apply(SkipAsked{"", "analyze", "bob", "x"}),
              ElementsAre("do a analyze #6 +override", "do b analyze #6 +override"));
  EXPECT_FALSE(driver.step("c", "analyze").has_override());
}

}  // namespace
}  // namespace curlew::rollout
