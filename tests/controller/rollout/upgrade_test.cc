// Rollouts that the version before has stored go on to their end.
#include "controller/rollout/upgrade.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/proto_time.h"
#include "tests/controller/rollout/fake_agent.h"
#include "tests/controller/rollout/fleet.h"

namespace curlew::rollout {
namespace {

using testing::Driver;

// As the version before has stored it: no waves, no policies, no covers.
v1::Rollout Old(v1::Rollout rollout) {
  rollout.clear_policy_digest();
  for (v1::EnvironmentStage& stage : *rollout.mutable_stages()) {
    stage.clear_waves();
    stage.clear_policy();
    if (stage.state() == v1::STAGE_STATE_PREPARING) stage.set_state(v1::STAGE_STATE_PENDING);
    for (v1::Gate* gate : {stage.mutable_before(), stage.mutable_before_drop()}) {
      gate->clear_policy();
      gate->clear_cover();
      for (v1::Approval& approval : *gate->mutable_approvals()) approval.clear_cover();
    }
  }
  for (v1::Run& run : *rollout.mutable_runs()) {
    run.clear_wave();
    run.clear_waiting_since();
    run.clear_preflight();
    if (run.state() == v1::RUN_STATE_COMPILED || run.state() == v1::RUN_STATE_COMPILING) {
      run.clear_steps();
      run.clear_compiled_digest();
      run.set_state(v1::RUN_STATE_PENDING);
    }
  }
  return rollout;
}

// Takes it to its end; returns what it has come to.
v1::RolloutState Finish(Driver driver) {
  driver.Replace(Old(driver.state()));
  driver.Pass(absl::Seconds(1));
  for (int i = 0; i < 300 && !Ended(driver.state()); ++i) {
    driver.CompileAll({"s", "p", "q"});
    for (const char* target : {"s", "p", "q"}) driver.Finish(target);
    driver.Try(Approved{"", "bob"}).IgnoreError();
    driver.Pass(absl::Minutes(1));
  }
  return driver.state().state();
}

TEST(UpgradeTest, OldRolloutsGoOnToTheirEndFromWhereverTheyStand) {
  {
    Driver driver;
    driver.Start();
    EXPECT_EQ(Finish(driver), v1::ROLLOUT_STATE_SUCCEEDED) << "compiling";
    driver.CompileAll({"s"});
    driver.RunTo("s", "fill");
    EXPECT_EQ(Finish(driver), v1::ROLLOUT_STATE_SUCCEEDED) << "filling";
  }
  {
    Driver driver;
    driver.ToDropGate();
    EXPECT_EQ(Finish(driver), v1::ROLLOUT_STATE_SUCCEEDED) << "at the gate before DROP";
    driver.Apply(Approved{"", "bob"});
    EXPECT_EQ(Finish(driver), v1::ROLLOUT_STATE_SUCCEEDED) << "dropping";
    driver.Finish("s");
    EXPECT_EQ(Finish(driver), v1::ROLLOUT_STATE_SUCCEEDED) << "soaking";
  }
  {
    Driver driver;
    driver.ToProduction();
    EXPECT_EQ(Finish(driver), v1::ROLLOUT_STATE_SUCCEEDED) << "at the gate before production";
  }
  {
    Driver driver;
    driver.IntoProduction();
    driver.Finish("p");
    EXPECT_EQ(Finish(driver), v1::ROLLOUT_STATE_SUCCEEDED) << "in production";
  }
}

TEST(UpgradeTest, ApprovalsThatWereGivenCount) {
  std::vector<v1::Environment> environments = testing::Staging();
  environments[0].mutable_before_drop()->set_approvals(2);
  Driver driver(environments);
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.Replace(Old(driver.state()));
  EXPECT_THAT(driver.Apply(Approved{"", "carol"}), ::testing::ElementsAre("do s drain #7"));
}

TEST(UpgradeTest, AnOldOneThatHasBegunIsRolledBack) {
  Driver driver;
  driver.Start();
  driver.CompileAll({"s"});
  driver.RunTo("s", "fill");
  driver.Replace(Old(driver.state()));
  driver.Apply(RollbackAsked{"bob"});
  driver.End("s", v1::ATTEMPT_STATE_CANCELLED);
  driver.Finish("s");
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_ROLLED_BACK);
}

TEST(UpgradeTest, AnOldOneThatHasEndedIsLeftAsItIs) {
  Driver driver(testing::Staging());
  driver.ToDropGate();
  driver.Apply(Approved{"", "bob"});
  driver.Finish("s");
  driver.Pass(absl::Minutes(10));
  ASSERT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
  driver.Replace(Old(driver.state()));
  driver.Pass(absl::Minutes(1));
  EXPECT_THAT(driver.events(), ::testing::IsEmpty());
  EXPECT_EQ(driver.state().state(), v1::ROLLOUT_STATE_SUCCEEDED);
}

}  // namespace
}  // namespace curlew::rollout
