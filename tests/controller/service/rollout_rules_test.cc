#include "controller/service/rollout_rules.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "common/base/error_detail.h"
#include "tests/support/status_matchers.h"

namespace curlew::service {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::Plan PlanAfter(const std::vector<std::string>& after) {
  v1::Plan plan;
  plan.set_name("second");
  for (const std::string& name : after) plan.add_after(name);
  return plan;
}

v1::Rollout In(v1::RolloutState state) {
  v1::Rollout rollout;
  rollout.set_name("rollouts/first-3");
  rollout.set_state(state);
  return rollout;
}

TEST(RolloutRulesTest, APlansNameIsInItsResourceName) {
  EXPECT_EQ(PlanNameOf("plans/add-note-0123456789ab"), "add-note");
  EXPECT_EQ(PlanNameOf("plans/a-0123456789ab-0123456789ab"), "a-0123456789ab");
  EXPECT_EQ(PlanNameOf("plans/add-note"), "");
  EXPECT_EQ(PlanNameOf("plans/-0123456789ab"), "");
  EXPECT_EQ(PlanNameOf("plans/add-note-0123456789xy"), "");
  EXPECT_EQ(PlanNameOf("rollouts/add-note-0123456789ab"), "");
  EXPECT_EQ(PlanNameOf(""), "");
}

// State of the newest rollout of the plan before, and what comes of it.
TEST(RolloutRulesTest, WhatComesBeforeIsDoneOrWaitedForOrMissing) {
  const v1::Plan plan = PlanAfter({"first"});
  const auto before = [&](v1::RolloutState state, OutOfOrder out_of_order = OutOfOrder::kRefused) {
    return RolloutsBefore(plan, {{"first", In(state)}}, out_of_order);
  };
  EXPECT_THAT(before(v1::ROLLOUT_STATE_SUCCEEDED), IsOkAndHolds(IsEmpty()));
  for (const v1::RolloutState active : {v1::ROLLOUT_STATE_RUNNING, v1::ROLLOUT_STATE_PAUSED,
                                        v1::ROLLOUT_STATE_FAILED, v1::ROLLOUT_STATE_ROLLING_BACK}) {
    EXPECT_THAT(before(active), IsOkAndHolds(ElementsAre("rollouts/first-3")));
    EXPECT_THAT(before(active, OutOfOrder::kAllowed), IsOkAndHolds(ElementsAre("rollouts/first-3")));
  }
  EXPECT_THAT(
      before(v1::ROLLOUT_STATE_ROLLED_BACK),
      StatusIs(absl::StatusCode::kFailedPrecondition,
               AllOf(HasSubstr("\"second\" comes after plan \"first\""),
                     HasSubstr("\"rollouts/first-3\", was rolled back"), HasSubstr("--allow-out-of-order"))));
  EXPECT_THAT(before(v1::ROLLOUT_STATE_ABORTED),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("was aborted")));
  EXPECT_THAT(before(v1::ROLLOUT_STATE_ABORTED, OutOfOrder::kAllowed), IsOkAndHolds(IsEmpty()));
  const auto never = RolloutsBefore(plan, {}, OutOfOrder::kRefused);
  EXPECT_THAT(never, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("was never started")));
  EXPECT_EQ(base::Detail(never.status(), base::kReason), "OUT_OF_ORDER");
  EXPECT_THAT(RolloutsBefore(plan, {}, OutOfOrder::kAllowed), IsOkAndHolds(IsEmpty()));
}

TEST(RolloutRulesTest, APlanDoesNotWaitForItself) {
  EXPECT_THAT(PlansBefore(PlanAfter({"second", "first", "first"})), ElementsAre("first"));
  EXPECT_THAT(RolloutsBefore(PlanAfter({"second"}), {}, OutOfOrder::kRefused), IsOkAndHolds(IsEmpty()));
}

TEST(RolloutRulesTest, ChecksOfThePlanMustBeDeclaredByIt) {
  v1::Plan plan = PlanAfter({});
  plan.add_checks()->set_name("no-orphans");
  v1::Environment environment;
  environment.set_name("environments/production");
  const auto use = [](v1::HealthCheck* check, const std::string& name) {
    check->set_name("rows");
    check->mutable_plan()->set_name(name);
  };
  use(environment.mutable_before()->add_checks(), "no-orphans");
  environment.mutable_before()->add_checks()->mutable_agent()->set_name("not-of-the-plan");
  EXPECT_THAT(CheckPlanChecks(plan, {environment}), IsOk());

  v1::Environment wrong = environment;
  use(wrong.mutable_before_drop()->add_checks(), "nosuch");
  const absl::Status status = CheckPlanChecks(plan, {environment, wrong});
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition,
                               AllOf(HasSubstr("the gate \"production/before-drop\" has the check \"rows\""),
                                     HasSubstr("\"nosuch\""), HasSubstr("declares only no-orphans"))));
  EXPECT_EQ(base::Detail(status, base::kReason), "PLAN_CHECK_MISSING");

  wrong = environment;
  wrong.add_waves()->set_name("canary");
  use(wrong.mutable_waves(0)->mutable_before()->add_checks(), "nosuch");
  EXPECT_THAT(CheckPlanChecks(plan, {wrong}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("\"production/canary/before\"")));

  wrong = environment;
  use(wrong.add_health(), "nosuch");
  EXPECT_THAT(CheckPlanChecks(PlanAfter({}), {wrong}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("declares none")));
  wrong.clear_before();
  EXPECT_THAT(CheckPlanChecks(plan, {wrong}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the health of \"production\"")));
}

TEST(RolloutRulesTest, APipelineHasAnEnvironment) {
  EXPECT_THAT(CheckPipeline({}),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("curlew env apply")));
  EXPECT_THAT(CheckPipeline({v1::Environment()}), IsOk());
}

}  // namespace
}  // namespace curlew::service
