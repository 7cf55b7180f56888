// What a compile takes, through an engine: schema, plan, differences, preflight; twice.
#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "tests/controller/support/engine_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::AddsColumn;
using ::curlew::testing::EngineFixture;
using ::curlew::testing::IsOk;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

class CompileTest : public EngineFixture {
 protected:
  // Staging (crm-a, crm-b), then production (crm) behind one approval.
  CompileTest() {
    v1::Environment production = Environment("production", {"crm"});
    production.mutable_before()->set_approvals(1);
    Apply({Environment("staging", {"crm-a", "crm-b"}), production});
  }
  void ServeAll() {
    for (const char* target : {"crm-a", "crm-b", "crm"}) Serve(&agent_, target);
  }
  static void AddColumn(v1::Schema* schema, const std::string& name, const std::string& type = "text") {
    v1::Column* column = schema->mutable_tables(0)->add_columns();
    column->set_name(name);
    column->set_type(type);
    column->set_statistics_target(-1);
  }
  std::vector<std::string> Kept() {
    std::vector<std::string> kinds;
    for (const v1::ControllerMessage& message : agent_.kept) {
      kinds.push_back(
          message.has_report_schema()   ? absl::StrCat("schema of ", message.report_schema().target())
          : message.has_run_preflight() ? absl::StrCat("preflight of ", message.run_preflight().target())
                                        : "other");
    }
    return kinds;
  }
};

TEST_F(CompileTest, NothingIsDoneBeforeTheGateIsOpenButAllIsCompiledAndLookedAt) {
  v1::Preflight found;
  v1::PreflightFinding* finding = found.add_findings();
  finding->set_severity(v1::PREFLIGHT_SEVERITY_INFO);
  finding->set_code("disk");
  agent_.preflight = found;
  ServeAll();
  ASSERT_THAT(Start("a", StorePlan(AddsColumn("p"))), IsOk());
  loop_.Pass(absl::Minutes(1));
  const v1::Run run = RunOf("a", "crm");
  EXPECT_EQ(run.state(), v1::RUN_STATE_COMPILED) << Get("a").DebugString();
  ASSERT_THAT(run.preflight().findings(), SizeIs(1));
  EXPECT_EQ(run.preflight().findings(0).code(), "disk");
  EXPECT_EQ(worked_.count("crm"), 0u);
  ASSERT_THAT(Do("a", rollout::Approved{"", "bob", "", ""}), IsOk());
  loop_.Pass(absl::Minutes(1));
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_SUCCEEDED) << Get("a").DebugString();
}

TEST_F(CompileTest, AnErrorOfPreflightFailsTheRun) {
  v1::PreflightFinding* finding = agent_.preflight.add_findings();
  finding->set_severity(v1::PREFLIGHT_SEVERITY_ERROR);
  finding->set_code("privileges");
  finding->set_message("the agent's role may not create anything in schema public");
  ServeAll();
  ASSERT_THAT(Start("a", StorePlan(AddsColumn("p"))), IsOk());
  loop_.Pass(absl::Minutes(1));
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_FAILED);
  EXPECT_THAT(RunOf("a", "crm-a").error().message(), HasSubstr("may not create"));
  EXPECT_EQ(dispatched_, 0);
}

TEST_F(CompileTest, AnAgentThatKnowsNoPreflightIsAWarning) {
  Apply({Environment("staging", {"crm-a"})});
  agent_.answers = false;
  Serve(&agent_, "crm-a");
  ASSERT_THAT(Start("a", StorePlan(AddsColumn("p"))), IsOk());
  loop_.RunReady();
  // It answers for the schema only, as an older one does.
  agent_.answers = true;
  agent_.TakeUp();
  agent_.answers = false;
  loop_.RunReady();
  EXPECT_THAT(Kept(), Contains("preflight of crm-a"));
  agent_.kept.clear();
  loop_.Pass(options_.preflight_deadline);
  const v1::Run run = RunOf("a", "crm-a");
  ASSERT_THAT(run.preflight().findings(), SizeIs(1));
  EXPECT_EQ(run.preflight().findings(0).severity(), v1::PREFLIGHT_SEVERITY_WARNING);
  EXPECT_EQ(run.preflight().findings(0).code(), "preflight");
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_SUCCEEDED) << Get("a").DebugString();
}

TEST_F(CompileTest, AnAgentThatGoesBetweenSchemaAndPreflightIsAskedBothAgain) {
  Apply({Environment("staging", {"crm-a"})});
  agent_.answers = false;
  Serve(&agent_, "crm-a");
  ASSERT_THAT(Start("a", StorePlan(AddsColumn("p"))), IsOk());
  loop_.RunReady();
  agent_.answers = true;
  agent_.TakeUp();
  agent_.answers = false;
  loop_.RunReady();
  ASSERT_THAT(Kept(), Contains("preflight of crm-a"));
  Lose("crm-a");
  agent_.kept.clear();
  Serve(&agent_, "crm-a", /*epoch=*/2);
  loop_.RunReady();
  EXPECT_THAT(Kept(), Contains("schema of crm-a"));
  agent_.answers = true;
  agent_.TakeUp();
  loop_.Pass(absl::Minutes(1));
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_SUCCEEDED) << Get("a").DebugString();
}

TEST_F(CompileTest, WhereStepsDifferItSaysHowStepsAndSchemasDo) {
  // An index of a partitioned table is made otherwise.
  v1::Plan plan;
  plan.set_name("p");
  v1::CreateIndex* index = plan.add_operations()->mutable_create_index();
  index->set_table("items");
  index->set_name("items_id_idx");
  index->add_columns("id");
  schema("crm").mutable_tables(0)->set_kind(v1::TABLE_KIND_PARTITIONED);
  schema("crm").mutable_tables(0)->set_partition_key("RANGE (id)");
  ServeAll();
  ASSERT_THAT(Start("a", StorePlan(plan)), IsOk());
  loop_.Pass(absl::Hours(1));
  const v1::Rollout failed = Get("a");
  EXPECT_EQ(failed.state(), v1::ROLLOUT_STATE_FAILED) << failed.DebugString();
  // Staging has run the plan, so production is compared as the plan would leave it.
  EXPECT_THAT(RunOf("a", "crm").error().message(),
              AllOf(HasSubstr("schema, from crm-a to crm: "), HasSubstr("public.items")));
  EXPECT_EQ(worked_.count("crm"), 0u);
}

TEST_F(CompileTest, ASchemaThatMovesBetweenApprovalAndWaveFailsTheRunAndResumeCompilesAnew) {
  ServeAll();
  ASSERT_THAT(Start("a", StorePlan(AddsColumn("p"))), IsOk());
  loop_.Pass(absl::Minutes(1));
  const std::string approved = RunOf("a", "crm").compiled_digest();
  ASSERT_EQ(RunOf("a", "crm").state(), v1::RUN_STATE_COMPILED);
  // The fingerprint moves, the steps do not.
  AddColumn(&schema("crm"), "sneaked_in");
  ASSERT_THAT(Do("a", rollout::Approved{"", "bob", "", ""}), IsOk());
  loop_.Pass(absl::Minutes(1));
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_FAILED) << Get("a").DebugString();
  EXPECT_THAT(RunOf("a", "crm").error().message(), HasSubstr("changed"));
  EXPECT_EQ(worked_.count("crm"), 0u);
  ASSERT_THAT(Do("a", rollout::ResumeAsked{"bob", ""}), IsOk());
  loop_.Pass(absl::Minutes(1));
  EXPECT_NE(RunOf("a", "crm").compiled_digest(), approved);
  EXPECT_EQ(worked_.count("crm"), 0u) << "what was approved is not what is there";
  ASSERT_THAT(Do("a", rollout::Approved{"", "bob", "", ""}), IsOk());
  loop_.Pass(absl::Minutes(1));
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_SUCCEEDED) << Get("a").DebugString();
  const v1::Run run = RunOf("a", "crm");
  const auto pinned = store_.GetCompiledPlan(run.name());
  ASSERT_THAT(pinned, IsOk());
  EXPECT_EQ(pinned->schema_fingerprint(), run.schema_fingerprint()) << "the pin was replaced";
}

TEST_F(CompileTest, WhatHasEndedIsOnRecord) {
  ServeAll();
  ASSERT_THAT(Start("a", StorePlan(AddsColumn("p"))), IsOk());
  loop_.Pass(absl::Minutes(1));
  EXPECT_THAT(store_.records().NewestTargetRecord("crm-a"), IsOk());
  EXPECT_THAT(store_.records().NewestTargetRecord("crm"), Not(IsOk()));
  ASSERT_THAT(Do("a", rollout::Approved{"", "bob", "", ""}), IsOk());
  loop_.Pass(absl::Minutes(1));
  const auto record = store_.records().NewestTargetRecord("crm");
  ASSERT_THAT(record, IsOk());
  EXPECT_EQ(record->rollout(), "rollouts/a");
  EXPECT_EQ(record->labels().at("commit"), "abc");
}

}  // namespace
}  // namespace curlew::dispatch
