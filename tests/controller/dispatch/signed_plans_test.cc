// What agents that run signed plans alone are sent besides, and others are not.
#include <gmock/gmock.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "controller/dispatch/signed_words.h"
#include "tests/controller/support/engine_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::AddsColumn;
using ::curlew::testing::EngineFixture;
using ::curlew::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::PlanSignature PlanSigned(const std::string& id, const std::vector<std::string>& targets) {
  v1::PlanSignature signature;
  signature.set_signature(id);
  signature.mutable_statement()->set_id(id);
  for (const std::string& target : targets) signature.mutable_statement()->add_targets(target);
  return signature;
}

rollout::Approved Signed(const std::string& actor, const std::string& id) {
  rollout::Approved approved{.actor = actor};
  approved.signature.emplace().mutable_statement()->set_id(id);
  return approved;
}

template <typename Signatures>
std::vector<std::string> IdsOf(const Signatures& signatures) {
  std::vector<std::string> ids;
  for (const auto& signature : signatures) ids.push_back(signature.statement().id());
  return ids;
}

class SignedPlansTest : public EngineFixture {
 protected:
  SignedPlansTest() {
    agent_.works = false;
    v1::Environment staging = Environment("staging", {"crm"});
    staging.mutable_before_drop()->set_approvals(1);
    Apply({staging});
  }

  // What was sent and not answered: the newest dispatch.
  v1::Dispatch Dispatched() {
    v1::Dispatch dispatch;
    for (const v1::ControllerMessage& message : agent_.kept) {
      if (message.has_dispatch()) dispatch = message.dispatch();
    }
    return dispatch;
  }
  void RunTo(v1::Phase phase) {
    for (int i = 0; i < 20; ++i) {
      loop_.Pass(absl::Seconds(1));
      const v1::Dispatch dispatch = Dispatched();
      const v1::Run run = RunOf("r", "crm");
      const auto step = std::find_if(run.steps().begin(), run.steps().end(),
                                     [&](const auto& other) { return other.key() == dispatch.step(); });
      if (step != run.steps().end() && step->phase() == phase) return;
      if (!dispatch.run().empty()) agent_.Report(dispatch);
      agent_.kept.clear();
      loop_.RunReady();
    }
  }
};

v1::Plan DropsNote() {
  v1::Plan plan;
  plan.set_name("drops");
  v1::DropColumn* operation = plan.add_operations()->mutable_drop_column();
  operation->set_table("items");
  operation->set_column("note");
  return plan;
}

TEST_F(SignedPlansTest, ThePlanAndItsSignaturesGoWithTheFirstStepAndWithPreflight) {
  agent_.requires_signatures_of_plans = true;
  const std::string plan = StorePlan(AddsColumn("p"));
  ASSERT_THAT(store_.PutPlanSignature(plan, PlanSigned("1", {"crm", "shop"}), {}), IsOk());
  ASSERT_THAT(store_.PutPlanSignature(plan, PlanSigned("2", {"shop"}), {}), IsOk());
  ASSERT_THAT(store_.PutPlanSignature(plan, PlanSigned("3", {"crm"}), {}), IsOk());
  Serve(&agent_, "crm");
  loop_.RunReady();
  EXPECT_TRUE(engine().targets().Describe("crm").requires_signatures());
  ASSERT_THAT(Start("r", plan), IsOk());
  loop_.RunReady();
  const v1::Dispatch first = Dispatched();
  EXPECT_TRUE(first.has_compiled_plan());
  EXPECT_EQ(first.plan().name(), "p");
  EXPECT_THAT(IdsOf(first.plan_signatures()), ElementsAre("3", "1"));
  ASSERT_EQ(agent_.preflights.size(), 1u);
  EXPECT_EQ(agent_.preflights[0].plan().name(), "p");
  EXPECT_THAT(IdsOf(agent_.preflights[0].signatures()), ElementsAre("3", "1"));
}

TEST_F(SignedPlansTest, OthersGetNothingOfIt) {
  const std::string plan = StorePlan(AddsColumn("p"));
  ASSERT_THAT(store_.PutPlanSignature(plan, PlanSigned("1", {"crm"}), {}), IsOk());
  Serve(&agent_, "crm");
  ASSERT_THAT(Start("r", plan), IsOk());
  loop_.RunReady();
  EXPECT_FALSE(engine().targets().Describe("crm").requires_signatures());
  EXPECT_TRUE(Dispatched().has_compiled_plan());
  EXPECT_FALSE(Dispatched().has_plan());
  EXPECT_THAT(Dispatched().plan_signatures(), IsEmpty());
  ASSERT_EQ(agent_.preflights.size(), 1u);
  EXPECT_FALSE(agent_.preflights[0].has_plan());
}

TEST_F(SignedPlansTest, SignedApprovalsGoWithStepsOfDropAlone) {
  agent_.requires_signatures_of_plans = true;
  v1::Column* note = schema("crm").mutable_tables(0)->add_columns();
  note->set_name("note");
  note->set_type("text");
  note->set_statistics_target(-1);
  Serve(&agent_, "crm");
  ASSERT_THAT(Start("r", StorePlan(DropsNote())), IsOk());
  for (int i = 0; i < 20 && RunOf("r", "crm").state() != v1::RUN_STATE_READY_TO_DROP; ++i) {
    loop_.Pass(absl::Seconds(1));
    const v1::Dispatch dispatch = Dispatched();
    EXPECT_THAT(dispatch.decisions(), IsEmpty());
    if (!dispatch.run().empty()) agent_.Report(dispatch);
    agent_.kept.clear();
    loop_.RunReady();
  }
  ASSERT_EQ(RunOf("r", "crm").state(), v1::RUN_STATE_READY_TO_DROP);
  ASSERT_THAT(Do("r", Signed("bob", "1")), IsOk());
  RunTo(v1::PHASE_DROP);
  EXPECT_THAT(IdsOf(Dispatched().decisions()), ElementsAre("1"));
  EXPECT_TRUE(Dispatched().has_plan()) << "it is the first that is done of this plan";
  // Refused for want of another: the next one has both.
  v1::AgentMessage refusal;
  refusal.mutable_nack()->set_run(Dispatched().run());
  refusal.mutable_nack()->set_attempt(Dispatched().attempt());
  refusal.mutable_nack()->set_reason(v1::NACK_REASON_INVALID);
  refusal.mutable_nack()->set_message("2 signed approvals are needed");
  engine().Received(&agent_, refusal);
  loop_.RunReady();
  EXPECT_EQ(StateOf("r"), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(Get("r").reason(), HasSubstr("2 signed approvals are needed"));
  agent_.kept.clear();
  ASSERT_THAT(Do("r", Signed("carol", "2")), IsOk());
  ASSERT_THAT(Do("r", rollout::ResumeAsked{"bob"}), IsOk());
  loop_.RunReady();
  EXPECT_THAT(IdsOf(Dispatched().decisions()), ElementsAre("1", "2"));
}

TEST(SignedWordsTest, WhereNoSignatureIsForTheTargetTheNewestIsSent) {
  v1::StoredPlan plan;
  EXPECT_THAT(SignaturesFor(plan, "crm"), IsEmpty());
  *plan.add_signatures() = PlanSigned("1", {"shop"});
  *plan.add_signatures() = PlanSigned("2", {"news"});
  EXPECT_THAT(IdsOf(SignaturesFor(plan, "crm")), ElementsAre("2"));
  EXPECT_THAT(IdsOf(SignaturesFor(plan, "shop")), ElementsAre("1"));
}

TEST(SignedWordsTest, OnlyApprovalsThatCountOfItsOwnEnvironmentAreSent) {
  v1::Rollout rollout;
  for (const char* environment : {"staging", "production"}) {
    v1::EnvironmentStage* stage = rollout.add_stages();
    stage->set_environment(environment);
    v1::Run* run = rollout.add_runs();
    run->set_environment(environment);
    run->set_target(absl::StrCat(environment, "-crm"));
    for (const char* what : {"counts", "void", "unsigned"}) {
      v1::Approval* approval = stage->mutable_before_drop()->add_approvals();
      if (std::string(what) == "void") approval->set_void_reason("expired");
      if (std::string(what) == "unsigned") continue;
      approval->mutable_signature()->mutable_statement()->set_id(absl::StrCat(environment, " ", what));
    }
  }
  EXPECT_THAT(IdsOf(DropDecisionsFor(rollout, "production-crm")), ElementsAre("production counts"));
  EXPECT_THAT(DropDecisionsFor(rollout, "other"), IsEmpty());
}

}  // namespace
}  // namespace curlew::dispatch
