#include "controller/rollout/run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller/rollout/driver.h"

namespace curlew::rollout {
namespace {

using testing::Driver;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::RenamePlan;

CompileFailed Failure(const std::string& message, bool retriable) {
  CompileFailed input{.target = "s", .retriable = retriable};
  input.error.set_message(message);
  return input;
}

Compiled Other(const std::string& target) {
  return {.target = target,
          .plan = RenamePlan(),
          .digest = "other",
          .steps_digest = "other",
          .differences = {"- add: x", "+ add: y"}};
}

TEST(RunTest, TakesItsStepsFromTheCompiledPlan) {
  Driver driver;
  driver.Start();
  driver.Compile("s");
  const v1::Run& run = driver.run("s");
  ASSERT_EQ(run.steps_size(), 8);
  EXPECT_EQ(run.compiled_digest(), "compiled");
  EXPECT_EQ(run.schema_fingerprint(), "fingerprint");
  EXPECT_EQ(run.rollback_gate().key(), kRollbackGateKey);
  EXPECT_TRUE(driver.step("s", "look").preflight());
  EXPECT_TRUE(driver.step("s", "add").has_undo());
  EXPECT_TRUE(driver.step("s", "drain").reversible());
  EXPECT_FALSE(driver.step("s", "drop").reversible());
  EXPECT_FALSE(run.has_compilation());
}

TEST(RunTest, IsCompiledOnce) {
  Driver driver;
  driver.Start();
  driver.Compile("s");
  v1::CompiledPlan other = RenamePlan();
  other.add_steps()->set_key("more");
  EXPECT_THAT(driver.Compile("s", other), IsEmpty());
  EXPECT_EQ(driver.run("s").steps_size(), 8);
}

TEST(RunTest, IsAskedForAgainWhereTheAgentWasLostMeanwhile) {
  Driver driver;
  driver.Start();
  driver.Apply(AgentLost{"s"});
  EXPECT_THAT(driver.Apply(AgentReady{.target = "s", .epoch = 2}), ElementsAre("compile s"));
}

TEST(RunTest, CompilationIsTriedAgainWhereThatIsWorthIt) {
  MachineOptions options;
  options.max_errored_attempts = 2;
  Driver driver(testing::Staging(), options);
  driver.Start();
  for (const int pause : {1, 2}) {
    EXPECT_THAT(driver.Apply(Failure("the agent went away", true)), IsEmpty());
    EXPECT_EQ(driver.state().waiting(0).cause(), v1::WAIT_CAUSE_BACKOFF);
    EXPECT_THAT(driver.Apply(Failure("the agent went away", true)), IsEmpty());
    EXPECT_THAT(driver.Pass(absl::Seconds(pause)), ElementsAre("compile s"));
  }
  driver.Apply(Failure("the agent went away", true));
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(driver.run("s").error().message(), HasSubstr("in 3 tries"));
}

TEST(RunTest, APlanThatDoesNotFitFailsAndResumeCompilesAgain) {
  Driver driver;
  driver.Start();
  driver.Apply(Failure("no column phone", false));
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_FAILED);
  EXPECT_THAT(driver.state().reason(), HasSubstr("s: no column phone"));
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("compile s"));
  EXPECT_EQ(driver.run("s").state(), v1::RUN_STATE_COMPILING);
  EXPECT_THAT(driver.Compile("s"), ElementsAre("do s look #1 +plan"));
}

TEST(RunTest, StepsThatDifferFromTheFirstEnvironmentsStopTheRolloutWithTheLines) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.Finish("s");
  driver.Pass(absl::Minutes(10));
  driver.Compile("q");
  driver.Apply(Other("p"));
  EXPECT_EQ(driver.run("p").state(), v1::RUN_STATE_FAILED);
  EXPECT_THAT(driver.run("p").error().message(), HasSubstr("- add: x\n+ add: y"));
  EXPECT_THAT(driver.run("p").error().message(), HasSubstr("differ from those of s:"));
  EXPECT_EQ(
      driver.run("p").error().hint(),
      "bring the schema of p in line with what s was compiled against, or leave it out with `curlew rollout "
      "skip-target r p --reason '...'`; then `curlew rollout resume r`");
  EXPECT_EQ(driver.run("p").compiled_digest(), "");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_FAILED);
  EXPECT_EQ(driver.run("q").state(), v1::RUN_STATE_COMPILED);
  // It may be q that is other than it should be: all are compiled anew.
  EXPECT_THAT(driver.Apply(ResumeAsked{"bob"}), ElementsAre("compile p", "compile q"));
  driver.CompileAll({"p", "q"});
  EXPECT_EQ(driver.state().waiting(0).gate(), "production/before");
}

TEST(RunTest, WhereTheFirstEnvironmentWasLeftOutStepsAreThoseOfTheFirstTargetThatWasCompiled) {
  Driver driver;
  driver.Start();
  driver.Apply(TargetSkipped{"s", "bob", "is gone"});
  driver.Apply(Approved{"", "bob"});
  driver.Pass(absl::Minutes(10));
  driver.Compile("p");
  driver.Apply(Other("q"));
  EXPECT_THAT(driver.run("q").error().message(), HasSubstr("differ from those of p:"));
  EXPECT_THAT(driver.run("q").error().hint(), HasSubstr("in line with what p was compiled against"));
}

TEST(RunTest, WhereStepsDifferAndNothingCanGoBackItOffersTheWaysThatAreOpen) {
  Driver driver;
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.Finish("s");
  driver.Pass(absl::Minutes(10));
  driver.Compile("q");
  driver.Apply(Other("p"));
  EXPECT_EQ(driver.Try(RollbackAsked{"bob", "x"}).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(driver.state().reason(), HasSubstr("to leave it as it is: `curlew rollout abort r`"));
  EXPECT_THAT(driver.state().reason(), Not(HasSubstr("rollout rollback")));
  Driver aborted = driver;
  aborted.Apply(AbortAsked{"bob", "x"});
  EXPECT_EQ(aborted.state().state(), v1::ROLLOUT_STATE_ABORTED);
  driver.Apply(TargetSkipped{"p", "bob", "is another"});
  driver.Apply(ResumeAsked{"bob"});
  driver.CompileAll({"q"});
  driver.Apply(Approved{"", "bob"});
  driver.CompileAll({"q"});
  driver.Finish("q");
  driver.Apply(Approved{"", "bob"});
  driver.Finish("q");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
}

TEST(RunTest, AFailureDropsWhatOthersHadQueuedAndTheNextIsAddedToTheReason) {
  Driver driver;
  driver.IntoProduction();
  driver.End("q", v1::ATTEMPT_STATE_ERRORED, "busy");
  EXPECT_EQ(driver.step("q", "look").attempt().state(), v1::ATTEMPT_STATE_QUEUED);
  driver.End("p", v1::ATTEMPT_STATE_FAILED, "disk full");
  EXPECT_EQ(driver.step("q", "look").state(), v1::STEP_STATE_PENDING);
  EXPECT_EQ(driver.last().wake, absl::InfiniteFuture());
  driver.Apply(ResumeAsked{"bob"});
  driver.End("p", v1::ATTEMPT_STATE_FAILED, "disk full");
  driver.End("q", v1::ATTEMPT_STATE_FAILED, "no right");
  EXPECT_THAT(driver.state().reason(),
              HasSubstr("p: look: disk full; q: look: no right; to try again: `curlew rollout retry r`"));
}

}  // namespace
}  // namespace curlew::rollout
