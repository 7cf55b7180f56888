#include "controller/service/plan_service.h"

#include <gmock/gmock.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/compiler/compiler.h"
#include "common/plan/plan_reader.h"
#include "common/rpc/error.h"
#include "common/signing/statements.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::service {
namespace {

using ::curlew::testing::AddNote;
using ::curlew::testing::ControllerTest;
using ::curlew::testing::FakeAgent;
using ::curlew::testing::IsOk;
using ::curlew::testing::Items;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAre;
using Kind = v1::ControllerMessage::KindCase;

class PlanServiceTest : public ControllerTest {
 protected:
  absl::StatusOr<v1::CompilePlanResponse> Compile(const v1::Plan& plan, const std::string& target) {
    v1::CompilePlanRequest request;
    *request.mutable_plan() = plan;
    request.set_target(target);
    grpc::ClientContext context;
    v1::CompilePlanResponse response;
    const grpc::Status status =
        v1::PlanService::NewStub(Channel())->CompilePlan(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }

  absl::StatusOr<v1::ListPlansResponse> List(int size, const std::string& token) {
    v1::ListPlansRequest request;
    request.set_page_size(size);
    request.set_page_token(token);
    grpc::ClientContext context;
    v1::ListPlansResponse response;
    const grpc::Status status = v1::PlanService::NewStub(Channel())->ListPlans(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }

  absl::StatusOr<v1::StoredPlan> AddSignature(const v1::AddPlanSignatureRequest& request) {
    grpc::ClientContext context;
    v1::StoredPlan response;
    const grpc::Status status =
        v1::PlanService::NewStub(Channel())->AddPlanSignature(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }

  absl::StatusOr<v1::StoredPlan> Get(const std::string& name) {
    v1::GetPlanRequest request;
    request.set_name(name);
    grpc::ClientContext context;
    v1::StoredPlan response;
    const grpc::Status status = v1::PlanService::NewStub(Channel())->GetPlan(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }
};

TEST_F(PlanServiceTest, StoresAPlanUnderItsNameAndDigestAndRecordsWho) {
  const auto stored = CreatePlan(AddNote(), plan::Digest(AddNote()));
  ASSERT_THAT(stored, IsOk());
  EXPECT_EQ(stored->name(), absl::StrCat("plans/add-note-", plan::Digest(AddNote()).substr(0, 12)));
  EXPECT_EQ(stored->creator(), "alice");
  EXPECT_TRUE(stored->has_create_time());
  const auto again = CreatePlan(AddNote());
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->create_time().nanos(), stored->create_time().nanos()) << "the same resource, not another";
  EXPECT_EQ(Get(stored->name())->digest(), stored->digest());
  EXPECT_EQ(Get("add-note")->name(), stored->name());
}

TEST_F(PlanServiceTest, KeepsASignatureBesideItsPlanOnceAndRecordsIt) {
  const auto stored = CreatePlan(AddNote());
  ASSERT_THAT(stored, IsOk());
  v1::PlanStatement statement;
  statement.set_id("0123456789abcdef");
  statement.set_plan_digest(stored->digest());
  statement.set_environment("production");
  statement.add_targets("production-crm");
  *statement.mutable_not_before() = base::ToProto(clock_.Now());
  *statement.mutable_expire_time() = base::ToProto(clock_.Now() + absl::Hours(1));
  const signing::SigningKey key = *signing::SigningKey::Generate();
  v1::AddPlanSignatureRequest request;
  request.set_name(stored->name());
  *request.mutable_signature() = signing::Sign(key, statement);
  request.set_actor("alice");
  for (int i = 0; i < 2; ++i) {
    const auto signed_plan = AddSignature(request);
    ASSERT_THAT(signed_plan, IsOk());
    ASSERT_EQ(signed_plan->signatures_size(), 1);
    EXPECT_EQ(signed_plan->signatures(0).public_key(), key.public_key().text());
  }
  EXPECT_EQ(Get(stored->name())->signatures_size(), 1);
  // The plan once more has it still.
  EXPECT_EQ(CreatePlan(AddNote())->signatures_size(), 1);
  const auto audit = store_.records().ListAudit(0, 10);
  ASSERT_THAT(audit, IsOk());
  ASSERT_EQ(audit->size(), 2u);
  const v1::AuditEntry& entry = audit->back();
  EXPECT_EQ(entry.action(), "plan.sign");
  EXPECT_EQ(entry.actor(), "alice");
  EXPECT_EQ(entry.resource(), stored->name());
  EXPECT_THAT(entry.details(),
              UnorderedElementsAre(Pair("digest", stored->digest()), Pair("environment", "production"),
                                   Pair("key_id", key.public_key().id()), Pair("statement", statement.id())));

  request.mutable_signature()->mutable_statement()->set_environment("staging");
  const auto forged = AddSignature(request);
  EXPECT_THAT(forged, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("signature")));
  EXPECT_EQ(base::Detail(forged.status(), base::kField), "signature");
  request.set_name("plans/none-0123456789ab");
  EXPECT_THAT(AddSignature(request), StatusIs(absl::StatusCode::kNotFound));
  request.clear_name();
  EXPECT_THAT(AddSignature(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("name")));
}

TEST_F(PlanServiceTest, ADigestThatDoesNotMatchIsRefusedWithBoth) {
  const auto refused = CreatePlan(AddNote(), "0123abcd");
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("0123abcd")));
  EXPECT_THAT(refused.status().message(), HasSubstr(plan::Digest(AddNote())));
  EXPECT_EQ(base::Detail(refused.status(), base::kReason), "PLAN_DIGEST_MISMATCH");
  EXPECT_EQ(List(0, "")->plans_size(), 0);
}

TEST_F(PlanServiceTest, AnInvalidPlanIsRefusedByTheFieldAndNothingIsStored) {
  v1::Plan plan = AddNote();
  plan.mutable_operations(0)->mutable_add_column()->set_up("lower(");
  const auto refused = CreatePlan(plan);
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(base::Detail(refused.status(), base::kField), StartsWith("operations[0]"));
  EXPECT_THAT(CreatePlan(v1::Plan()), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(List(0, "")->plans_size(), 0);
}

TEST_F(PlanServiceTest, AFullDiskIsUnavailableAndLosesNothing) {
  ASSERT_THAT(CreatePlan(AddNote("first")), IsOk());
  store_.FailWith(absl::UnavailableError("the disk is full"));
  EXPECT_THAT(CreatePlan(AddNote("second")),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("disk is full")));
  store_.FailWith(absl::OkStatus());
  EXPECT_EQ(List(0, "")->plans_size(), 1);
}

TEST_F(PlanServiceTest, ListsInPagesNewestFirst) {
  for (const char* name : {"one", "two", "three"}) ASSERT_THAT(CreatePlan(AddNote(name)), IsOk());
  std::vector<std::string> names;
  std::string token;
  do {
    const auto page = List(2, token);
    ASSERT_THAT(page, IsOk());
    for (const v1::StoredPlan& plan : page->plans()) names.push_back(plan.plan().name());
    token = page->next_page_token();
  } while (!token.empty());
  EXPECT_THAT(names, ElementsAre("three", "two", "one"));
  EXPECT_THAT(List(-1, ""), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("page_size")));
  EXPECT_THAT(List(0, "nonsense"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(PlanServiceTest, SaysWhichPlanIsNotThere) {
  EXPECT_THAT(Get("plans/nosuch-0123"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch")));
  EXPECT_THAT(Get(""), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(PlanServiceTest, CompilesAgainstTheSchemaThatTheAgentReports) {
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  FakeAgent agent(Channel());
  agent.Serve(Items());
  agent.SayHello();
  WaitForTarget("staging-crm", [](const v1::Target& t) { return t.served(); });
  const auto compiled = Compile(AddNote(), "targets/staging-crm");
  ASSERT_THAT(compiled, IsOk());
  EXPECT_EQ(compiled->digest(), compiler::Digest(compiled->compiled_plan()));
  EXPECT_EQ(compiled->schema().tables(0).name(), "items");
  const auto question = agent.Take(Kind::kReportSchema);
  ASSERT_THAT(question, IsOk());
  EXPECT_THAT(question->report_schema().scope().tables(), ElementsAre("items"));
  v1::Plan other = AddNote();
  other.mutable_operations(0)->mutable_add_column()->set_column("id");
  EXPECT_THAT(Compile(other, "staging-crm"), ::testing::Not(IsOk()));
}

TEST_F(PlanServiceTest, CompilingForATargetThatNobodyServesSaysWhy) {
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  EXPECT_THAT(Compile(AddNote(), "staging-crm"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no agent serves it")));
  EXPECT_THAT(Compile(AddNote(), "nosuch"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("curlew env apply")));
  EXPECT_THAT(Compile(AddNote(), ""), StatusIs(absl::StatusCode::kInvalidArgument));
  FakeAgent agent(Channel());
  agent.SayHello();
  v1::AgentMessage problem;
  problem.mutable_target_problem()->set_target("staging-crm");
  problem.mutable_target_problem()->set_message("password authentication failed");
  agent.Say(problem);
  WaitForTarget("staging-crm",
                [](const v1::Target& t) { return t.problem() == "password authentication failed"; });
  EXPECT_THAT(Compile(AddNote(), "staging-crm"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("password authentication failed")));
}

TEST_F(PlanServiceTest, AnAgentThatDoesNotAnswerHoldsNobodyUpForEver) {
  options_.engine.schema_deadline = absl::Milliseconds(50);
  Restart();
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  FakeAgent agent(Channel());
  agent.SayHello();
  agent.SayReady("staging-crm");
  WaitForTarget("staging-crm", [](const v1::Target& t) { return t.served(); });
  EXPECT_THAT(Compile(AddNote(), "staging-crm"), StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(PlanServiceTest, AnAgentThatGoesAwayWhileItIsAskedEndsTheCall) {
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  FakeAgent agent(Channel());
  agent.SayHello();
  agent.SayReady("staging-crm");
  WaitForTarget("staging-crm", [](const v1::Target& t) { return t.served(); });
  std::thread breaks([&] {
    EXPECT_THAT(agent.Take(Kind::kReportSchema), IsOk());
    agent.Break();
  });
  EXPECT_THAT(Compile(AddNote(), "staging-crm"), StatusIs(absl::StatusCode::kUnavailable));
  breaks.join();
}

TEST_F(PlanServiceTest, WhatTheAgentCouldNotReadIsPassedOn) {
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  FakeAgent agent(Channel());
  agent.SayHello();
  agent.SayReady("staging-crm");
  WaitForTarget("staging-crm", [](const v1::Target& t) { return t.served(); });
  std::thread answers([&] {
    const auto question = agent.Take(Kind::kReportSchema);
    ASSERT_THAT(question, IsOk());
    v1::AgentMessage report;
    report.mutable_schema_report()->set_request(question->report_schema().request());
    report.mutable_schema_report()->set_error("permission denied for table items (42501)");
    agent.Say(report);
  });
  EXPECT_THAT(Compile(AddNote(), "staging-crm"),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("42501")));
  answers.join();
}

}  // namespace
}  // namespace curlew::service
