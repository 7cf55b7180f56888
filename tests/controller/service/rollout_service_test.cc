#include "controller/service/rollout_service.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/compiler/compiler.h"
#include "common/rpc/error.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::service {
namespace {

using ::curlew::testing::AddNote;
using ::curlew::testing::ControllerTest;
using ::curlew::testing::FakeAgent;
using ::curlew::testing::IsOk;
using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::Items;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RolloutServiceTest : public ControllerTest {
 protected:
  using Method = grpc::Status (v1::RolloutService::Stub::*)(grpc::ClientContext*,
                                                            const v1::ChangeRolloutRequest&, v1::Rollout*);
  absl::StatusOr<v1::Rollout> Change(Method method, const std::string& name, const std::string& etag = "") {
    v1::ChangeRolloutRequest request;
    request.set_name(name);
    request.set_actor("carol");
    request.set_reason("lunch");
    request.set_etag(etag);
    grpc::ClientContext context;
    v1::Rollout response;
    const auto stub = v1::RolloutService::NewStub(Channel());
    const grpc::Status status = (stub.get()->*method)(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }

  absl::StatusOr<v1::Rollout> Create(const v1::CreateRolloutRequest& request) {
    grpc::ClientContext context;
    v1::Rollout response;
    const grpc::Status status =
        v1::RolloutService::NewStub(Channel())->CreateRollout(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }

  absl::StatusOr<v1::ListRolloutsResponse> List(int size, const std::string& token) {
    v1::ListRolloutsRequest request;
    request.set_page_size(size);
    request.set_page_token(token);
    grpc::ClientContext context;
    v1::ListRolloutsResponse response;
    const grpc::Status status =
        v1::RolloutService::NewStub(Channel())->ListRollouts(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  }

  static constexpr Method kPause = &v1::RolloutService::Stub::PauseRollout;
  static constexpr Method kResume = &v1::RolloutService::Stub::ResumeRollout;
  static constexpr Method kAbort = &v1::RolloutService::Stub::AbortRollout;
};

TEST_F(RolloutServiceTest, CountsIdsUpFromThePlansName) {
  const std::string plan = SetUpPlan();
  for (const char* expected : {"rollouts/add-note-1", "rollouts/add-note-2", "rollouts/add-note-3"}) {
    const auto rollout = CreateRollout(plan);
    ASSERT_THAT(rollout, IsOk());
    EXPECT_EQ(rollout->name(), expected);
    EXPECT_EQ(rollout->creator(), "alice");
    EXPECT_EQ(rollout->state(), v1::ROLLOUT_STATE_RUNNING);
    ASSERT_THAT(Change(kAbort, expected), IsOk());
  }
  Restart();
  EXPECT_EQ(CreateRollout("add-note")->name(), "rollouts/add-note-4");
}

TEST_F(RolloutServiceTest, TheSameIdWithTheSamePlanIsTheSameRollout) {
  const std::string plan = SetUpPlan();
  ASSERT_THAT(CreateRollout(plan, "mine"), IsOk());
  const auto again = CreateRollout(plan, "mine");
  ASSERT_THAT(again, IsOk());
  EXPECT_EQ(again->name(), "rollouts/mine");
  ASSERT_THAT(CreatePlan(AddNote("other")), IsOk());
  EXPECT_THAT(CreateRollout("other", "mine"),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("rollouts/mine")));
  EXPECT_THAT(CreateRollout(plan, "Not/Right"), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(RolloutServiceTest, ARolloutWithoutEnvironmentsSaysHowToMakeThem) {
  ASSERT_THAT(CreatePlan(AddNote()), IsOk());
  EXPECT_THAT(CreateRollout("add-note"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("curlew env apply -f")));
}

TEST_F(RolloutServiceTest, ASecondRolloutOnATargetWaitsForTheFirst) {
  const std::string plan = SetUpPlan();
  ASSERT_THAT(CreateRollout(plan), IsOk());
  ASSERT_THAT(CreatePlan(AddNote("other")), IsOk());
  const auto second = CreateRollout("other");
  ASSERT_THAT(second, IsOk());
  EXPECT_EQ(second->state(), v1::ROLLOUT_STATE_RUNNING);
  EXPECT_EQ(second->runs(0).held_by(), "rollouts/add-note-1");
  ASSERT_GT(second->waiting_size(), 0);
  EXPECT_EQ(second->waiting(0).cause(), v1::WAIT_CAUSE_ROLLOUT);
  EXPECT_EQ(GetTarget("staging-crm")->rollout(), "rollouts/add-note-1") << "the oldest of several";
  FakeAgent agent(Channel());
  agent.Serve(Items());
  agent.SayHello();
  WaitFor("rollouts/add-note-1",
          [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  EXPECT_EQ(GetRollout("other-1")->runs(0).steps_size(), 0);
  ASSERT_THAT(Change(kAbort, "add-note-1"), IsOk());
  const v1::Rollout done = WaitFor(
      "rollouts/other-1", [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  EXPECT_EQ(done.stages(0).state(), v1::STAGE_STATE_DONE) << done.DebugString();
}

TEST_F(RolloutServiceTest, LabelsAndThePlansAuthorAreKept) {
  const std::string plan = SetUpPlan();
  v1::CreateRolloutRequest request;
  request.set_plan(plan);
  request.set_actor("carol");
  (*request.mutable_labels())["commit"] = "0a1b2c";
  const auto created = Create(request);
  ASSERT_THAT(created, IsOk());
  EXPECT_EQ(created->labels().at("commit"), "0a1b2c");
  EXPECT_EQ(created->plan_author(), "alice");
  EXPECT_EQ(created->creator(), "carol");
  (*request.mutable_labels())["two words"] = "x";
  const auto refused = Create(request);
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("\"two words\"")));
  EXPECT_EQ(base::Detail(refused.status(), base::kField), "labels");
}

TEST_F(RolloutServiceTest, WhatComesAfterAPlanWaitsForItOrIsRefused) {
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  ASSERT_THAT(CreatePlan(AddNote("first")), IsOk());
  v1::Plan second = AddNote("second");
  second.add_after("first");
  ASSERT_THAT(CreatePlan(second), IsOk());
  v1::CreateRolloutRequest request;
  request.set_plan("second");
  request.set_actor("alice");
  EXPECT_THAT(Create(request), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("never started")));
  // Far behind in the list.
  ASSERT_THAT(CreateRollout("first", "old"), IsOk());
  ASSERT_THAT(CreatePlan(AddNote("filler")), IsOk());
  for (int i = 0; i < 45; ++i) {
    const std::string id = absl::StrCat("filler-", i);
    ASSERT_THAT(CreateRollout("filler", id), IsOk());
    ASSERT_THAT(Change(kAbort, id), IsOk());
  }
  const auto waits = Create(request);
  ASSERT_THAT(waits, IsOk());
  EXPECT_THAT(waits->after(), ElementsAre("rollouts/old"));
  EXPECT_EQ(waits->runs(0).held_by(), "rollouts/old");
  ASSERT_THAT(Change(kAbort, "second-1"), IsOk());
  ASSERT_THAT(Change(kAbort, "old"), IsOk());
  const auto refused = Create(request);
  EXPECT_THAT(refused,
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("\"rollouts/old\", was aborted")));
  EXPECT_EQ(base::Detail(refused.status(), base::kReason), "OUT_OF_ORDER");
  request.set_allow_out_of_order(true);
  const auto allowed = Create(request);
  ASSERT_THAT(allowed, IsOk());
  EXPECT_TRUE(allowed->after().empty());
}

TEST_F(RolloutServiceTest, ActiveRolloutsAreFoundBehindAllThatHaveEnded) {
  const std::string plan = SetUpPlan();
  ASSERT_THAT(CreateRollout(plan, "active"), IsOk());
  for (int i = 0; i < 30; ++i) {
    const std::string id = absl::StrCat("r", i);
    ASSERT_THAT(CreateRollout(plan, id), IsOk());
    ASSERT_THAT(Change(kAbort, id), IsOk());
  }
  v1::ListRolloutsRequest request;
  request.set_page_size(2);
  request.set_active(true);
  std::vector<std::string> names;
  int pages = 0;
  do {
    grpc::ClientContext context;
    v1::ListRolloutsResponse response;
    ASSERT_THAT(
        rpc::FromGrpc(v1::RolloutService::NewStub(Channel())->ListRollouts(&context, request, &response)),
        IsOk());
    for (const v1::Rollout& rollout : response.rollouts()) names.push_back(rollout.name());
    request.set_page_token(response.next_page_token());
    ++pages;
  } while (!request.page_token().empty());
  EXPECT_THAT(names, ElementsAre("rollouts/active"));
  EXPECT_GT(pages, 1) << "one answer reads a part of a long history only";
}

TEST_F(RolloutServiceTest, AChecksOfThePlanMustBeInThePlan) {
  v1::ApplyEnvironmentsRequest pipeline = curlew::testing::TwoEnvironments();
  v1::HealthCheck* check = pipeline.mutable_environments(1)->mutable_before()->add_checks();
  check->set_name("rows");
  check->mutable_plan()->set_name("no-orphans");
  ASSERT_THAT(ApplyEnvironments(pipeline), IsOk());
  ASSERT_THAT(CreatePlan(AddNote()), IsOk());
  EXPECT_THAT(CreateRollout("add-note"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("\"production/before\"")));
}

TEST_F(RolloutServiceTest, StepsAreShownWhereTheViewHasThem) {
  // 51 targets in one environment.
  v1::ApplyEnvironmentsRequest pipeline = curlew::testing::TwoEnvironments();
  for (int i = 0; i < 49; ++i) pipeline.mutable_environments(1)->add_targets(absl::StrCat("more-", i));
  ASSERT_THAT(ApplyEnvironments(pipeline), IsOk());
  ASSERT_THAT(CreatePlan(AddNote()), IsOk());
  FakeAgent agent(Channel());
  agent.Serve(Items());
  agent.SayHello();
  ASSERT_THAT(CreateRollout("add-note", "r"), IsOk());
  WaitFor("r", [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  const auto steps = [&](v1::RolloutView view) {
    v1::GetRolloutRequest request;
    request.set_name("r");
    request.set_view(view);
    grpc::ClientContext context;
    v1::Rollout rollout;
    EXPECT_TRUE(v1::RolloutService::NewStub(Channel())->GetRollout(&context, request, &rollout).ok());
    EXPECT_EQ(rollout.runs_size(), 51);
    return rollout.runs(0).steps_size();
  };
  EXPECT_EQ(steps(v1::ROLLOUT_VIEW_UNSPECIFIED), 0) << "of more than 50 targets";
  EXPECT_EQ(steps(v1::ROLLOUT_VIEW_BASIC), 0);
  EXPECT_GT(steps(v1::ROLLOUT_VIEW_FULL), 0);
  EXPECT_EQ(WaitFor("r", [](const v1::Rollout&) { return true; }).runs(0).steps_size(), 0) << "nor watched";
  const auto paused = Change(kPause, "r");
  ASSERT_THAT(paused, IsOk());
  EXPECT_EQ(paused->runs(0).steps_size(), 0) << "nor in the answer to a change";
}

TEST_F(RolloutServiceTest, ListsRunsInPagesByEnvironmentAndState) {
  v1::ApplyEnvironmentsRequest pipeline = curlew::testing::TwoEnvironments();
  for (const char* target : {"p2", "p3", "p4"}) pipeline.mutable_environments(1)->add_targets(target);
  ASSERT_THAT(ApplyEnvironments(pipeline), IsOk());
  ASSERT_THAT(CreatePlan(AddNote()), IsOk());
  FakeAgent agent(Channel());
  agent.Serve(Items());
  agent.SayHello();
  ASSERT_THAT(CreateRollout("add-note", "r"), IsOk());
  WaitFor("r", [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  const auto list = [&](v1::ListRunsRequest request) -> absl::StatusOr<std::vector<std::string>> {
    request.set_name("rollouts/r");
    std::vector<std::string> targets;
    do {
      grpc::ClientContext context;
      v1::ListRunsResponse response;
      const grpc::Status status =
          v1::RolloutService::NewStub(Channel())->ListRuns(&context, request, &response);
      if (!status.ok()) return rpc::FromGrpc(status);
      EXPECT_TRUE(request.page_size() == 0 || response.runs_size() <= request.page_size());
      for (const v1::Run& run : response.runs()) targets.push_back(run.target());
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    return targets;
  };
  v1::ListRunsRequest request;
  request.set_page_size(2);
  EXPECT_THAT(list(request), IsOkAndHolds(ElementsAre("staging-crm", "production-crm", "p2", "p3", "p4")));
  request.set_environment("environments/production");
  EXPECT_THAT(list(request), IsOkAndHolds(ElementsAre("production-crm", "p2", "p3", "p4")));
  request.clear_environment();
  request.add_states(v1::RUN_STATE_SUCCEEDED);
  EXPECT_THAT(list(request), IsOkAndHolds(ElementsAre("staging-crm")));
  request.clear_states();
  request.set_environment("nosuch");
  EXPECT_THAT(list(request), StatusIs(absl::StatusCode::kNotFound, HasSubstr("staging, production")));
  request.clear_environment();
  request.set_page_token("nosuch");
  EXPECT_THAT(list(request), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(RolloutServiceTest, GivesTheCompiledPlanOfARun) {
  const std::string plan = SetUpPlan();
  FakeAgent agent(Channel());
  agent.Serve(Items());
  agent.SayHello();
  ASSERT_THAT(CreateRollout(plan, "r"), IsOk());
  const v1::Rollout done =
      WaitFor("r", [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  const auto get = [&](const std::string& name) -> absl::StatusOr<v1::CompiledPlan> {
    v1::GetCompiledPlanRequest request;
    request.set_name(name);
    grpc::ClientContext context;
    v1::CompiledPlan response;
    const grpc::Status status =
        v1::RolloutService::NewStub(Channel())->GetCompiledPlan(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  };
  const auto compiled = get("rollouts/r/runs/staging-crm");
  ASSERT_THAT(compiled, IsOk());
  EXPECT_EQ(compiler::Digest(*compiled), done.runs(0).compiled_digest());
  EXPECT_THAT(get("rollouts/r/runs/production-crm"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(get("rollouts/r"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("rollouts/ROLLOUT/runs/TARGET")));
}

TEST_F(RolloutServiceTest, AGateIsSkippedWithAReasonByASoulAndNotItsApprovals) {
  v1::ApplyEnvironmentsRequest pipeline = curlew::testing::TwoEnvironments();
  *pipeline.mutable_environments(1)->mutable_before()->mutable_soak() = base::ToProto(absl::Hours(1));
  ASSERT_THAT(ApplyEnvironments(pipeline), IsOk());
  ASSERT_THAT(CreatePlan(AddNote()), IsOk());
  FakeAgent agent(Channel(), {"agent-a", "instance-1", {"staging-crm", "production-crm"}});
  agent.Serve(Items());
  agent.SayHello();
  ASSERT_THAT(CreateRollout("add-note", "r"), IsOk());
  const v1::Rollout waiting =
      WaitFor("r", [](const v1::Rollout& r) { return r.stages(1).before().has_reached_time(); });
  v1::SkipGateRequest request;
  const auto skip = [&]() -> absl::StatusOr<v1::Rollout> {
    grpc::ClientContext context;
    v1::Rollout response;
    const grpc::Status status =
        v1::RolloutService::NewStub(Channel())->SkipGate(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  };
  request.set_name("r");
  EXPECT_THAT(skip(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("reason")));
  request.set_reason("a hotfix");
  EXPECT_THAT(skip(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("actor")));
  request.set_actor("dora");
  request.set_gate("nosuch/before");
  EXPECT_THAT(skip(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch")));
  request.clear_gate();
  const auto skipped = skip();
  ASSERT_THAT(skipped, IsOk());
  EXPECT_EQ(skipped->stages(1).before().skip().actor(), "dora");
  EXPECT_FALSE(skipped->stages(1).before().has_open_time()) << "an approval is missing still";
  ASSERT_THAT(Approve("r"), IsOk());
  EXPECT_EQ(WaitForState("r", v1::ROLLOUT_STATE_SUCCEEDED).state(), v1::ROLLOUT_STATE_SUCCEEDED);
}

TEST_F(RolloutServiceTest, ATargetIsLeftOutWhereNothingWasChanged) {
  ASSERT_THAT(CreateRollout(SetUpPlan(), "r"), IsOk());
  v1::SkipTargetRequest request;
  const auto skip = [&]() -> absl::StatusOr<v1::Rollout> {
    grpc::ClientContext context;
    v1::Rollout response;
    const grpc::Status status =
        v1::RolloutService::NewStub(Channel())->SkipTarget(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  };
  request.set_name("r");
  request.set_reason("it is going away");
  request.set_actor("dora");
  EXPECT_THAT(skip(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("target")));
  request.set_target("nosuch");
  EXPECT_THAT(skip(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch")));
  request.set_target("targets/production-crm");
  const auto skipped = skip();
  ASSERT_THAT(skipped, IsOk());
  EXPECT_EQ(skipped->runs(1).state(), v1::RUN_STATE_SKIPPED);
  EXPECT_EQ(skipped->runs(1).skip().reason(), "it is going away");
}

TEST_F(RolloutServiceTest, AReportedCheckIsOneOfTheRollout) {
  v1::ApplyEnvironmentsRequest pipeline = curlew::testing::TwoEnvironments();
  v1::HealthCheck* check = pipeline.mutable_environments(0)->mutable_before()->add_checks();
  check->set_name("deployed");
  check->mutable_reported();
  ASSERT_THAT(ApplyEnvironments(pipeline), IsOk());
  ASSERT_THAT(CreatePlan(AddNote()), IsOk());
  FakeAgent agent(Channel());
  agent.Serve(Items());
  agent.SayHello();
  ASSERT_THAT(CreateRollout("add-note", "r"), IsOk());
  v1::ReportCheckRequest request;
  const auto report = [&]() -> absl::StatusOr<v1::Rollout> {
    grpc::ClientContext context;
    v1::Rollout response;
    const grpc::Status status =
        v1::RolloutService::NewStub(Channel())->ReportCheck(&context, request, &response);
    if (!status.ok()) return rpc::FromGrpc(status);
    return response;
  };
  request.set_name("r");
  request.set_holds(true);
  EXPECT_THAT(report(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("check")));
  request.set_check("nosuch");
  EXPECT_THAT(report(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("actor")));
  request.set_actor("ci");
  EXPECT_THAT(report(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("those are deployed")));
  request.set_check("deployed");
  ASSERT_THAT(report(), IsOk());
  const v1::Rollout done =
      WaitFor("r", [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  EXPECT_EQ(done.stages(0).state(), v1::STAGE_STATE_DONE) << done.DebugString();
}

TEST_F(RolloutServiceTest, AnApprovalOfSomethingElseIsAborted) {
  FakeAgent agent(Channel(), {"agent-a", "instance-1", {"staging-crm", "production-crm"}});
  agent.Serve(Items());
  agent.SayHello();
  ASSERT_THAT(CreateRollout(SetUpPlan(), "r"), IsOk());
  const v1::Rollout waiting =
      WaitFor("r", [](const v1::Rollout& r) { return r.stages(1).before().has_reached_time(); });
  v1::ApproveRolloutRequest request;
  const auto approve = [&] {
    grpc::ClientContext context;
    v1::Rollout response;
    return rpc::FromGrpc(
        v1::RolloutService::NewStub(Channel())->ApproveRollout(&context, request, &response));
  };
  request.set_name("r");
  request.set_actor("bob");
  request.set_cover(std::string(64, '0'));
  EXPECT_THAT(approve(), StatusIs(absl::StatusCode::kAborted));
  request.set_cover(waiting.stages(1).before().cover());
  request.set_actor("alice");
  EXPECT_THAT(approve(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("alice"))) << "the author";
  request.set_actor("bob");
  EXPECT_THAT(approve(), IsOk());
}

TEST_F(RolloutServiceTest, AnUnknownPlanIsNotFound) {
  EXPECT_THAT(CreateRollout("nosuch"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch")));
  EXPECT_THAT(CreateRollout(""), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(RolloutServiceTest, AFullDiskStartsNothing) {
  const std::string plan = SetUpPlan();
  store_.FailWith(absl::UnavailableError("the disk is full"));
  EXPECT_THAT(CreateRollout(plan), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("disk is full")));
  store_.FailWith(absl::OkStatus());
  EXPECT_EQ(List(0, "")->rollouts_size(), 0);
  EXPECT_THAT(CreateRollout(plan), IsOk());
}

TEST_F(RolloutServiceTest, ARolloutWhoseCreationWasStoredButReportedAsFailedIsTakenUp) {
  const std::string plan = SetUpPlan();
  store_.LoseAnswersOfCommits(absl::UnavailableError("the disk went away"));
  EXPECT_THAT(CreateRollout(plan, "mine"), StatusIs(absl::StatusCode::kUnavailable));
  store_.LoseAnswersOfCommits(absl::OkStatus());
  FakeAgent agent(Channel());
  agent.Serve(Items());
  agent.SayHello();
  const v1::Rollout done = WaitFor(
      "rollouts/mine", [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  EXPECT_EQ(done.stages(0).state(), v1::STAGE_STATE_DONE) << done.DebugString();
}

TEST_F(RolloutServiceTest, AChangeThatWasStoredButReportedAsFailedHolds) {
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  store_.LoseAnswersOfCommits(absl::UnavailableError("the disk went away"));
  EXPECT_THAT(Change(kPause, "add-note-1"), StatusIs(absl::StatusCode::kUnavailable));
  store_.LoseAnswersOfCommits(absl::OkStatus());
  const v1::Rollout paused = WaitForState("rollouts/add-note-1", v1::ROLLOUT_STATE_PAUSED);
  EXPECT_EQ(paused.state(), v1::ROLLOUT_STATE_PAUSED);
  EXPECT_THAT(Change(kResume, "add-note-1"), IsOk());
}

TEST_F(RolloutServiceTest, ChangesSayWhoAndWhyAndWhatIsWrong) {
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  const auto paused = Change(kPause, "add-note-1");
  ASSERT_THAT(paused, IsOk());
  EXPECT_EQ(paused->state(), v1::ROLLOUT_STATE_PAUSED);
  EXPECT_THAT(paused->reason(), HasSubstr("carol"));
  EXPECT_THAT(paused->reason(), HasSubstr("lunch"));
  EXPECT_THAT(Change(kPause, "add-note-1"), StatusIs(absl::StatusCode::kFailedPrecondition));
  EXPECT_THAT(Change(kResume, "nosuch"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch")));
  EXPECT_THAT(Change(kResume, ""), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Change(kResume, "rollouts/add-note-1"), IsOk());
}

TEST_F(RolloutServiceTest, AnEtagOfThePastIsAborted) {
  const auto created = CreateRollout(SetUpPlan());
  ASSERT_THAT(created, IsOk());
  ASSERT_FALSE(created->etag().empty());
  const auto paused = Change(kPause, "add-note-1", created->etag());
  ASSERT_THAT(paused, IsOk());
  EXPECT_NE(paused->etag(), created->etag());
  const auto refused = Change(kResume, "add-note-1", created->etag());
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kAborted, HasSubstr(paused->etag())));
  EXPECT_EQ(base::Detail(refused.status(), base::kReason), "ETAG_MISMATCH");
  EXPECT_EQ(GetRollout("add-note-1")->state(), v1::ROLLOUT_STATE_PAUSED);
}

TEST_F(RolloutServiceTest, AnAbortedRolloutIsNotRolledBackWhileAnotherIsOnItsTarget) {
  const std::string plan = SetUpPlan();
  FakeAgent agent(Channel());
  agent.Serve(Items());
  agent.SayHello();
  ASSERT_THAT(CreateRollout(plan), IsOk());
  WaitFor("rollouts/add-note-1",
          [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  ASSERT_THAT(Change(kAbort, "add-note-1"), IsOk());
  ASSERT_THAT(CreateRollout(plan), IsOk());
  // One that has only been planned would wait; this one has changed something.
  WaitFor("rollouts/add-note-2",
          [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
  EXPECT_THAT(Rollback("add-note-1"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("rollouts/add-note-2")));
  EXPECT_EQ(GetRollout("add-note-1")->state(), v1::ROLLOUT_STATE_ABORTED);
}

TEST_F(RolloutServiceTest, AnApprovalNeedsAnActorAndAClosedGate) {
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  EXPECT_THAT(Approve("add-note-1", "nosuch/before"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch")));
  v1::ApproveRolloutRequest request;
  request.set_name("add-note-1");
  grpc::ClientContext context;
  v1::Rollout response;
  const absl::Status status =
      rpc::FromGrpc(v1::RolloutService::NewStub(Channel())->ApproveRollout(&context, request, &response));
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("actor")));
}

TEST_F(RolloutServiceTest, AnOverrideNeedsAnActorAReasonAndSomethingThatWaits) {
  const auto created = CreateRollout(SetUpPlan());
  ASSERT_THAT(created, IsOk());
  EXPECT_THAT(Override("", "", "x"), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("name")));
  EXPECT_THAT(Override("add-note-1", "", "x", ""),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("actor")));
  const auto blank = Override("add-note-1", "", "  \t");
  EXPECT_THAT(blank, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("reason")));
  EXPECT_EQ(base::Detail(blank.status(), base::kField), "reason");
  EXPECT_THAT(Override("nosuch", "", "x"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch")));
  EXPECT_THAT(
      Override("add-note-1", "nosuch", "x"),
      StatusIs(absl::StatusCode::kNotFound, HasSubstr("its targets are staging-crm, production-crm")));
  const auto nothing = Override("add-note-1", "targets/staging-crm", "x");
  EXPECT_THAT(nothing,
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("staging-crm is compiling")));
  EXPECT_EQ(base::Detail(nothing.status(), base::kReason), "NOTHING_WAITS");
  EXPECT_THAT(Override("add-note-1", "", "x", "bob", "v0"), StatusIs(absl::StatusCode::kAborted));
}

TEST_F(RolloutServiceTest, ASkipNeedsAnActorAReasonAndAStepThatHasFailed) {
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  const auto skip = [&](const v1::SkipStepRequest& request) {
    grpc::ClientContext context;
    v1::Rollout response;
    return rpc::FromGrpc(v1::RolloutService::NewStub(Channel())->SkipStep(&context, request, &response));
  };
  v1::SkipStepRequest request;
  EXPECT_THAT(skip(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("name")));
  request.set_name("add-note-1");
  EXPECT_THAT(skip(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("reason")));
  request.set_reason("not needed");
  EXPECT_THAT(skip(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("actor")));
  request.set_actor("bob");
  request.set_target("nosuch");
  EXPECT_THAT(skip(request), StatusIs(absl::StatusCode::kNotFound, HasSubstr("staging-crm, production-crm")));
  request.set_target("targets/staging-crm");
  request.set_step("nosuch");
  EXPECT_THAT(skip(request), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no step \"nosuch\"")));
  request.clear_step();
  EXPECT_THAT(skip(request),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no step that has failed")));
  request.set_etag("v0");
  EXPECT_THAT(skip(request), StatusIs(absl::StatusCode::kAborted));
}

TEST_F(RolloutServiceTest, ATuningNeedsAnActorSenseAndATargetThatThereIs) {
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  v1::TuneRolloutRequest request;
  request.mutable_tuning()->set_max_workers(2);
  EXPECT_THAT(Tune(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("name")));
  request.set_name("add-note-1");
  EXPECT_THAT(Tune(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("actor")));
  request.set_actor("bob");
  request.mutable_tuning()->set_max_workers(-2);
  const auto bad = Tune(request);
  EXPECT_THAT(bad, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("max_workers is -2")));
  EXPECT_EQ(base::Detail(bad.status(), base::kField), "max_workers");
  EXPECT_THAT(base::Detail(bad.status(), base::kHint), HasSubstr("curlew rollout pause"));
  request.mutable_tuning()->set_max_workers(2);
  request.set_target("nosuch");
  EXPECT_THAT(Tune(request), StatusIs(absl::StatusCode::kNotFound, HasSubstr("staging-crm, production-crm")));
  request.set_target("targets/production-crm");
  const auto tuned = Tune(request);
  ASSERT_THAT(tuned, IsOk());
  EXPECT_FALSE(tuned->runs(0).has_tuning());
  EXPECT_EQ(tuned->runs(1).tuning().max_workers(), 2);
  request.set_etag("v0");
  EXPECT_THAT(Tune(request), StatusIs(absl::StatusCode::kAborted));
  request.clear_etag();
  ASSERT_THAT(Change(kAbort, "add-note-1"), IsOk());
  EXPECT_THAT(Tune(request), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("aborted")));
}

TEST_F(RolloutServiceTest, RowsThatCouldNotBeWrittenComeFromTheAgentOfTheTarget) {
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  v1::ListRowProblemsRequest request;
  request.set_name("add-note-1");
  EXPECT_THAT(ListRowProblems(request),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("staging-crm, production-crm")));
  request.set_target("nosuch");
  EXPECT_THAT(ListRowProblems(request), StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch")));
  request.set_target("staging-crm");
  request.set_limit(-1);
  EXPECT_THAT(ListRowProblems(request), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("limit")));
  request.set_limit(5000);
  EXPECT_THAT(ListRowProblems(request),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no agent serves it")));

  FakeAgent agent(Channel());
  agent.SayHello();
  EXPECT_EQ(agent.TakeLease(), v1::LEASE_STATE_GRANTED);
  agent.SayReady("staging-crm");
  WaitForTarget("staging-crm", [](const v1::Target& target) { return target.served(); });
  const auto answer = [&](const std::string& error) {
    const auto question = agent.Take(v1::ControllerMessage::kReportRowProblems);
    ASSERT_THAT(question, IsOk());
    EXPECT_EQ(question->report_row_problems().run(), "rollouts/add-note-1/runs/staging-crm");
    EXPECT_EQ(question->report_row_problems().limit(), 1000) << "as many as a message holds";
    v1::AgentMessage message;
    v1::RowProblemReport& report = *message.mutable_row_problem_report();
    report.set_request(question->report_row_problems().request());
    report.set_target("staging-crm");
    report.set_error(error);
    report.set_total(7);
    report.add_problems()->set_row_key("items (id)=(42)");
    agent.Say(message);
  };
  std::thread first([&] { answer(""); });
  const auto list = ListRowProblems(request);
  first.join();
  ASSERT_THAT(list, IsOk());
  EXPECT_EQ(list->total(), 7);
  EXPECT_EQ(list->problems(0).row_key(), "items (id)=(42)");
  std::thread second([&] { answer("the database is down"); });
  EXPECT_THAT(ListRowProblems(request),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("the database is down")));
  second.join();
}

TEST_F(RolloutServiceTest, ListsInPagesWithoutSteps) {
  const std::string plan = SetUpPlan();
  FakeAgent agent(Channel());
  agent.Serve(Items());
  agent.SayHello();
  for (const char* id : {"one", "two", "three"}) {
    ASSERT_THAT(CreateRollout(plan, id), IsOk());
    WaitFor(id, [](const v1::Rollout& r) { return r.stages(0).state() == v1::STAGE_STATE_DONE; });
    ASSERT_THAT(Change(kAbort, id), IsOk());
  }
  std::vector<std::string> names;
  std::string token;
  do {
    const auto page = List(2, token);
    ASSERT_THAT(page, IsOk());
    for (const v1::Rollout& rollout : page->rollouts()) {
      names.push_back(rollout.name());
      EXPECT_EQ(rollout.runs(0).steps_size(), 0);
    }
    token = page->next_page_token();
  } while (!token.empty());
  EXPECT_THAT(names, ElementsAre("rollouts/three", "rollouts/two", "rollouts/one"));
  EXPECT_THAT(List(-3, ""), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(RolloutServiceTest, WhatAnAgentWaitsForIsShownUntilItsAttemptEnds) {
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  FakeAgent agent(Channel());
  agent.SayHello();
  agent.AnswerQuestions(Items());
  agent.SayReady("staging-crm");
  const auto dispatch = agent.Take(v1::ControllerMessage::kDispatch);
  ASSERT_THAT(dispatch, IsOk());
  agent.SayAck(dispatch->dispatch());
  v1::AgentMessage progress;
  progress.mutable_progress()->set_target("staging-crm");
  progress.mutable_progress()->set_step(dispatch->dispatch().step());
  progress.mutable_progress()->set_attempt(dispatch->dispatch().attempt());
  progress.mutable_progress()->mutable_waiting()->set_cause(v1::WAIT_CAUSE_LOCK);
  progress.mutable_progress()->mutable_waiting()->set_message("held by pid 42");
  agent.Say(progress);
  const auto waits_for_lock = [&] {
    const auto rollout = GetRollout("add-note-1");
    EXPECT_THAT(rollout, IsOk());
    return std::any_of(rollout->waiting().begin(), rollout->waiting().end(),
                       [](const v1::Waiting& waiting) { return waiting.cause() == v1::WAIT_CAUSE_LOCK; });
  };
  while (!waits_for_lock()) continue;
  agent.SayReady("staging-crm", 5);  // another epoch, and nothing held
  WaitForTarget("staging-crm", [](const v1::Target& target) { return target.epoch() == 5; });
  EXPECT_FALSE(waits_for_lock()) << "the agent does not hold the attempt any more";
}

}  // namespace
}  // namespace curlew::service
