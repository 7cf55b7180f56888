#include "controller/server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/rpc/error.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::controller {
namespace {

using ::curlew::testing::ControllerTest;
using ::curlew::testing::FakeAgent;
using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

class ServerTest : public ControllerTest {};

TEST_F(ServerTest, RefusesAnAddressThatOthersReach) {
  ServerOptions options;
  options.listen = "0.0.0.0:0";
  EXPECT_THAT(Server::Start(&store_, &clock_, options),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("0.0.0.0:0")));
}

TEST_F(ServerTest, SaysWhenThePortIsTaken) {
  ServerOptions options;
  options.listen = absl::StrCat("127.0.0.1:", server_->port());
  testing::SharedStore other;
  EXPECT_THAT(Server::Start(&other, &clock_, options),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("another process")));
}

TEST_F(ServerTest, DoesNotStartOnAStoreThatCannotBeRead) {
  testing::SharedStore broken;
  broken.FailWith(absl::UnavailableError("the disk is gone"));
  EXPECT_THAT(Server::Start(&broken, &clock_, options_),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("the disk is gone")));
}

TEST_F(ServerTest, HealthAndReflectionAnswer) {
  // The health service's messages are one string field and one enum field, both number 1.
  for (const char* service :
       {"", "curlew.v1.AgentService", "curlew.v1.PlanService", "curlew.v1.RolloutService", "curlew.leader",
        "curlew.v1.TargetService", "curlew.v1.EnvironmentService", "curlew.v1.AuditService"}) {
    v1::GetPlanRequest request;  // string name = 1
    request.set_name(service);
    v1::ListPlansRequest response;  // int32 page_size = 1
    grpc::ClientContext context;
    const grpc::internal::RpcMethod method("/grpc.health.v1.Health/Check",
                                           grpc::internal::RpcMethod::NORMAL_RPC);
    const auto channel = Channel();
    const grpc::Status status =
        grpc::internal::BlockingUnaryCallImpl<google::protobuf::MessageLite, google::protobuf::MessageLite>(
            channel.get(), method, &context, request, &response)
            .status();
    EXPECT_TRUE(status.ok()) << service << ": " << status.error_message();
    EXPECT_EQ(response.page_size(), 1) << service << " is not SERVING";
  }
  // Reflection's ServerReflectionInfo is a stream; that it is there at all is what we are after.
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
  const grpc::internal::RpcMethod method("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
                                         grpc::internal::RpcMethod::BIDI_STREAMING);
  const auto channel = Channel();
  std::unique_ptr<grpc::ClientReaderWriter<v1::GetPlanRequest, v1::GetPlanRequest>> stream(
      grpc::internal::ClientReaderWriterFactory<v1::GetPlanRequest, v1::GetPlanRequest>::Create(
          channel.get(), method, &context));
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ServerTest, WhatANewerAgentSaysAndThisControllerDoesNotKnowIsIgnoredOrAnError) {
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  FakeAgent agent(Channel());
  agent.SayHello();
  ASSERT_EQ(agent.TakeLease(), v1::LEASE_STATE_GRANTED);
  v1::AgentMessage message;
  // Field 99 of the message, with two bytes in it: a kind of a later version.
  ASSERT_TRUE(message.ParseFromString("\x9a\x06\x02hi"));
  ASSERT_EQ(message.kind_case(), v1::AgentMessage::KIND_NOT_SET);
  agent.Say(message);
  message.mutable_nack()->set_run("rollouts/add-note-1/runs/staging-crm");
  message.mutable_nack()->set_reason(static_cast<v1::NackReason>(99));
  agent.Say(message);
  message.mutable_result()->set_target("staging-crm");
  message.mutable_result()->set_run("rollouts/add-note-1/runs/staging-crm");
  message.mutable_result()->set_attempt(1);
  message.mutable_result()->set_outcome(static_cast<v1::AttemptState>(99));
  agent.Say(message);
  message.mutable_heartbeat();
  agent.Say(message);
  EXPECT_THAT(agent.Take(v1::ControllerMessage::kHeartbeat), IsOk()) << "the session goes on";
  agent.Serve(testing::Items());
  EXPECT_EQ(WaitForState("rollouts/add-note-1", v1::ROLLOUT_STATE_RUNNING).state(),
            v1::ROLLOUT_STATE_RUNNING);
}

TEST_F(ServerTest, ClientsOfAnotherVersionAreRefusedOnEveryServiceAndOlderOnesWithoutAVersionAreNot) {
  const auto with = [&](const char* version, auto call) {
    grpc::ClientContext context;
    if (*version != 0) context.AddMetadata("curlew-version", version);
    const absl::Status status = rpc::FromGrpc(call(&context));
    const auto& answered = context.GetServerInitialMetadata();
    EXPECT_EQ(answered.count("curlew-version"), 1u);
    return status;
  };
  const auto list_plans = [&](grpc::ClientContext* context) {
    v1::ListPlansResponse response;
    return v1::PlanService::NewStub(Channel())->ListPlans(context, {}, &response);
  };
  const auto list_targets = [&](grpc::ClientContext* context) {
    v1::ListTargetsResponse response;
    return v1::TargetService::NewStub(Channel())->ListTargets(context, {}, &response);
  };
  const auto apply = [&](grpc::ClientContext* context) {
    v1::ListEnvironmentsResponse response;
    return v1::EnvironmentService::NewStub(Channel())->ApplyEnvironments(context, testing::TwoEnvironments(),
                                                                         &response);
  };
  const auto watch = [&](grpc::ClientContext* context) {
    v1::WatchRolloutRequest request;
    request.set_name("rollouts/nosuch");
    const auto channel = Channel();
    const auto stub = v1::RolloutService::NewStub(channel);
    const auto reader = stub->WatchRollout(context, request);
    v1::WatchRolloutResponse response;
    while (reader->Read(&response)) continue;
    return reader->Finish();
  };
  const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("the client version 7.0.0"));
  EXPECT_THAT(with("7.0.0", list_plans), refused);
  EXPECT_THAT(with("7.0.0", list_targets), refused);
  EXPECT_THAT(with("7.0.0", apply), refused);
  EXPECT_THAT(with("7.0.0", watch), refused);
  EXPECT_THAT(GetTarget("staging-crm"), StatusIs(absl::StatusCode::kNotFound)) << "nothing was applied";
  EXPECT_THAT(with("", list_plans), IsOk());
  EXPECT_THAT(with("", apply), IsOk());
}

TEST_F(ServerTest, ShutsDownInTimeWithOpenStreamsOfEveryKind) {
  const std::string plan = SetUpPlan();
  ASSERT_THAT(CreateRollout(plan), IsOk());
  std::vector<std::unique_ptr<FakeAgent>> agents;
  agents.push_back(std::make_unique<FakeAgent>(Channel()));
  agents[0]->SayHello();
  ASSERT_EQ(agents[0]->TakeLease(), v1::LEASE_STATE_GRANTED);
  agents[0]->SayReady("staging-crm");
  ASSERT_THAT(agents[0]->Take(v1::ControllerMessage::kReportSchema), IsOk());
  for (int i = 0; i < 20; ++i) agents.push_back(std::make_unique<FakeAgent>(Channel()));  // never say a word

  std::vector<std::thread> callers;
  std::vector<absl::Status> ends(2);
  absl::Notification watching;
  // A watch, and a compilation that waits for the agent.
  callers.emplace_back([&, channel = Channel()] {
    grpc::ClientContext context;
    v1::WatchRolloutRequest request;
    request.set_name("rollouts/add-note-1");
    const auto stub = v1::RolloutService::NewStub(channel);
    const auto reader = stub->WatchRollout(&context, request);
    v1::WatchRolloutResponse message;
    if (reader->Read(&message)) watching.Notify();
    while (reader->Read(&message)) continue;
    ends[0] = rpc::FromGrpc(reader->Finish());
  });
  callers.emplace_back([&, channel = Channel()] {
    grpc::ClientContext context;
    v1::CompilePlanRequest request;
    *request.mutable_plan() = testing::AddNote();
    request.set_target("staging-crm");
    v1::CompilePlanResponse response;
    ends[1] = rpc::FromGrpc(v1::PlanService::NewStub(channel)->CompilePlan(&context, request, &response));
  });
  ASSERT_THAT(agents[0]->Take(v1::ControllerMessage::kReportSchema), IsOk()) << "the compilation waits";
  ASSERT_TRUE(watching.WaitForNotificationWithTimeout(absl::Seconds(10)));
  const absl::Time begin = absl::Now();
  server_->Shutdown();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(4));
  for (std::thread& caller : callers) caller.join();
  EXPECT_THAT(ends[0], StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(ends[1], StatusIs(absl::StatusCode::kUnavailable));
  for (const auto& agent : agents) EXPECT_THAT(agent->End(), StatusIs(absl::StatusCode::kUnavailable));
  server_->Shutdown();
}

TEST_F(ServerTest, ClientsThatReadNothingDoNotHoldUpTheEnd) {
  ASSERT_THAT(CreateRollout(SetUpPlan()), IsOk());
  grpc::ClientContext context;
  v1::WatchRolloutRequest request;
  request.set_name("rollouts/add-note-1");
  const auto channel = Channel();
  const auto stub = v1::RolloutService::NewStub(channel);
  const auto reader = stub->WatchRollout(&context, request);
  const absl::Time begin = absl::Now();
  Stop();
  EXPECT_LT(absl::Now() - begin, absl::Seconds(4));
  context.TryCancel();
  reader->Finish();
}

}  // namespace
}  // namespace curlew::controller
