// What calls cost others, over real connections: deadlines, rates, streams, sessions, rights that end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/base/error_detail.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/error.h"
#include "controller/access/guard.h"
#include "controller/limits/limiter.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/certificates.h"
#include "tests/support/raw_call.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::AddNote;
using ::curlew::testing::Certificates;
using ::curlew::testing::ControllerTest;
using ::curlew::testing::FakeAgent;
using ::curlew::testing::IsOk;
using ::curlew::testing::Items;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using Kind = v1::ControllerMessage::KindCase;

constexpr absl::Duration kPatience = absl::Seconds(20);

std::vector<const google::protobuf::MethodDescriptor*> UnaryMethods() {
  std::vector<const google::protobuf::MethodDescriptor*> methods;
  const google::protobuf::FileDescriptor* file = v1::CreatePlanRequest::descriptor()->file();
  for (int i = 0; i < file->service_count(); ++i) {
    for (int j = 0; j < file->service(i)->method_count(); ++j) {
      const google::protobuf::MethodDescriptor* method = file->service(i)->method(j);
      if (!method->server_streaming() && !method->client_streaming()) methods.push_back(method);
    }
  }
  return methods;
}

absl::Status Ask(const std::shared_ptr<grpc::Channel>& channel,
                 const google::protobuf::MethodDescriptor& method) {
  return testing::RawCall(channel, absl::StrCat("/", method.service()->full_name(), "/", method.name()), "")
      .status();
}

absl::Status ListPlans(const std::shared_ptr<grpc::Channel>& channel, absl::Duration deadline = kPatience) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
  v1::ListPlansResponse response;
  return rpc::FromGrpc(v1::PlanService::NewStub(channel)->ListPlans(&context, {}, &response));
}

absl::Duration Median(std::vector<absl::Duration> times) {
  if (times.empty()) return absl::InfiniteDuration();
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

class LimitsTest : public ControllerTest {
 protected:
  ~LimitsTest() override { Stop(); }

  void Limit(const limits::Options& options) {
    Stop();
    limiter_ = std::make_unique<limits::Limiter>(options);
    options_.limiter = limiter_.get();
    Restart();
  }
  // With certificates from now on, and this access file.
  void Secure(const limits::Options& options, const std::string& access) {
    Stop();
    access_ = certificates_.folder() + "/access.yaml";
    Permit(access);
    transport_ = *rpc::Transport::Make(certificates_.Controller(), absl::Now());
    guard_ = *access::Guard::Load(access_, "curlew");
    options_.transport = transport_.get();
    options_.guard = guard_.get();
    Limit(options);
  }
  // At once, as a mounted file is replaced.
  void Permit(const std::string& access) {
    std::ofstream(access_ + ".new") << access;
    ASSERT_EQ(rename((access_ + ".new").c_str(), access_.c_str()), 0);
  }
  std::shared_ptr<grpc::Channel> As(const rpc::TransportOptions& options) {
    const auto transport = rpc::Transport::Make(options, absl::Now());
    EXPECT_THAT(transport, IsOk());
    return *rpc::MakeChannel(absl::StrCat("127.0.0.1:", server_->port()), **transport);
  }

  Certificates certificates_;
  std::string access_;
  std::unique_ptr<const rpc::Transport> transport_;
  std::unique_ptr<access::Guard> guard_;
  std::unique_ptr<limits::Limiter> limiter_;
};

// --- Deadlines. ---

TEST_F(LimitsTest, EveryCallWithOneAnswerIsAnsweredWhereTheLoopStandsStill) {
  limits::Options options = limits::Options::Off();
  options.call_deadline = absl::Milliseconds(300);
  Limit(options);
  const auto channel = Channel();
  ASSERT_THAT(ListPlans(channel), IsOk());
  std::vector<std::pair<std::string, absl::Status>> answers(UnaryMethods().size());
  {
    const auto frozen = store_.Freeze();
    // The loop is in this one, and what it writes when it goes on again is written to what nobody reads.
    const absl::Status stuck = ListPlans(channel);
    EXPECT_THAT(stuck,
                StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("ListPlans is not done within")));
    EXPECT_THAT(base::Detail(stuck, base::kHint), HasSubstr("before you repeat it"));
    std::vector<std::thread> threads;
    for (size_t i = 0; i < answers.size(); ++i) {
      threads.emplace_back([&, i] {
        const auto* method = UnaryMethods()[i];
        answers[i] = {method->name(), Ask(channel, *method)};
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_GT(answers.size(), 30u);
  for (const auto& [name, status] : answers) {
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDeadlineExceeded,
                                 AllOf(HasSubstr("did not come to " + name), HasSubstr("nothing was done"))));
  }
  EXPECT_THAT(ListPlans(channel), IsOk()) << "when the store answers again, so does it";
}

TEST_F(LimitsTest, WhatAnAgentAnswersTooLateIsDropped) {
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  limits::Options options = limits::Options::Off();
  options.call_deadline = absl::Milliseconds(200);
  Limit(options);
  FakeAgent agent(Channel());
  agent.SayHello();
  ASSERT_EQ(agent.TakeLease(), v1::LEASE_STATE_GRANTED);
  agent.SayReady("staging-crm");
  WaitForTarget("staging-crm", [](const v1::Target& target) { return target.served(); });
  const auto get = [&](absl::Duration deadline) {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + deadline));
    v1::GetSchemaRequest request;
    request.set_name("staging-crm");
    v1::GetSchemaResponse response;
    return rpc::FromGrpc(v1::TargetService::NewStub(Channel())->GetSchema(&context, request, &response));
  };
  EXPECT_THAT(get(kPatience),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("GetSchema is not done within")));
  // The caller's own deadline, where it is earlier.
  const absl::Time begin = absl::Now();
  EXPECT_THAT(get(absl::Milliseconds(20)), StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_LT(absl::Now() - begin, absl::Seconds(10));
  // Both questions are answered now, the schema goes to calls that have ended, and the next gets its own.
  agent.AnswerQuestions(Items());
  const absl::Time end = absl::Now() + kPatience;
  absl::Status status = get(kPatience);
  while (!status.ok() && absl::Now() < end) status = get(kPatience);
  EXPECT_THAT(status, IsOk());
}

// --- How often. ---

TEST_F(LimitsTest, WhoCallsTooOftenIsToldWhenToTryAgain) {
  Secure({.calls_per_second = 0.5, .call_burst = 2}, "roles: [{role: viewer, users: [alice, bob]}]\n");
  const auto alice = As(certificates_.User("alice"));
  EXPECT_THAT(ListPlans(alice), IsOk());
  EXPECT_THAT(ListPlans(alice), IsOk());
  grpc::ClientContext context;
  v1::ListPlansResponse response;
  const grpc::Status refused = v1::PlanService::NewStub(alice)->ListPlans(&context, {}, &response);
  EXPECT_THAT(rpc::FromGrpc(refused),
              StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("user/alice")));
  google::rpc::Status rich;
  ASSERT_TRUE(rich.ParseFromString(refused.error_details()));
  google::rpc::RetryInfo retry;
  int found = 0;
  for (const auto& detail : rich.details()) found += detail.UnpackTo(&retry) ? 1 : 0;
  EXPECT_EQ(found, 1);
  EXPECT_GT(retry.retry_delay().seconds() * 1e9 + retry.retry_delay().nanos(), 0);
  EXPECT_LE(retry.retry_delay().seconds(), 2);
  EXPECT_THAT(ListPlans(As(certificates_.User("bob"))), IsOk());
}

TEST_F(LimitsTest, WhoFloodsCostsOthersNothing) {
  std::string users;
  constexpr int kUsers = 5, kEach = 10;
  for (int i = 0; i < kUsers; ++i) absl::StrAppend(&users, "user-", i, ", ");
  Secure({.calls_per_second = 4, .call_burst = 2 * kEach},
         absl::StrCat("roles: [{role: author, users: [", users, "flood]}]\n"));
  std::vector<std::shared_ptr<grpc::Channel>> others;
  for (int i = 0; i < kUsers; ++i) others.push_back(As(certificates_.User(absl::StrCat("user-", i))));
  const auto measure = [&] {
    std::vector<absl::Duration> times;
    for (int i = 0; i < kUsers * kEach; ++i) {
      const absl::Time begin = absl::Now();
      EXPECT_THAT(ListPlans(others[i % kUsers]), IsOk());
      times.push_back(absl::Now() - begin);
    }
    return Median(times);
  };
  for (const auto& channel : others) {
    EXPECT_TRUE(channel->WaitForConnected(absl::ToChronoTime(absl::Now() + kPatience)));
  }
  const absl::Duration before = measure();

  // A plan that it takes the loop long to judge.
  v1::CreatePlanRequest costly;
  *costly.mutable_plan() = AddNote();
  costly.mutable_plan()->clear_operations();
  for (int i = 0; i < 1000; ++i) {
    v1::AddCheck* check = costly.mutable_plan()->add_operations()->mutable_add_check();
    check->set_table("items");
    check->set_name(absl::StrCat("c", i));
    check->set_expression(absl::StrCat("id > ", i, " AND (note IS NULL OR length(note) < 100 + ", i, ")"));
  }
  std::atomic<bool> over = false;
  std::atomic<int> refused = 0, done = 0;
  absl::Notification limited;
  std::vector<std::thread> flood;
  for (int i = 0; i < 4; ++i) {
    flood.emplace_back([&, stub = v1::PlanService::NewStub(As(certificates_.User("flood")))] {
      while (!over) {
        grpc::ClientContext context;
        context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
        v1::StoredPlan stored;
        const grpc::Status status = stub->CreatePlan(&context, costly, &stored);
        if (status.ok()) ++done;
        if (status.error_code() == grpc::StatusCode::RESOURCE_EXHAUSTED && ++refused == 1) limited.Notify();
      }
    });
  }
  EXPECT_TRUE(limited.WaitForNotificationWithTimeout(kPatience)) << "the burst is over";
  const absl::Duration during = measure();
  over = true;
  for (std::thread& thread : flood) thread.join();
  std::cout << "a call takes " << before << ", and " << during << " while another identity has " << done
            << " plans taken and " << refused << " refused\n";
  EXPECT_LT(during, 10 * before + absl::Milliseconds(100));
  EXPECT_GT(refused, 0);
}

TEST_F(LimitsTest, AnIdentityHasSoManyStreamsOpenAndAnotherItsOwn) {
  const std::string plan = SetUpPlan();
  ASSERT_THAT(CreateRollout(plan, "r"), IsOk());
  Secure({.streams = 2}, "roles: [{role: viewer, users: [alice, bob]}]\n");
  struct Watch {
    grpc::ClientContext context;
    std::unique_ptr<v1::RolloutService::Stub> stub;
    std::unique_ptr<grpc::ClientReader<v1::WatchRolloutResponse>> reader;
  };
  const auto open = [](const std::shared_ptr<grpc::Channel>& channel) {
    auto watch = std::make_unique<Watch>();
    watch->context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    watch->stub = v1::RolloutService::NewStub(channel);
    v1::WatchRolloutRequest request;
    request.set_name("r");
    watch->reader = watch->stub->WatchRollout(&watch->context, request);
    return watch;
  };
  const auto begins = [](Watch& watch) {
    v1::WatchRolloutResponse message;
    return watch.reader->Read(&message) ? absl::OkStatus() : rpc::FromGrpc(watch.reader->Finish());
  };
  const auto alice = As(certificates_.User("alice"));
  auto first = open(alice);
  EXPECT_THAT(begins(*first), IsOk());
  const auto second = open(alice);
  EXPECT_THAT(begins(*second), IsOk());
  EXPECT_THAT(begins(*open(alice)), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("2 watches")));
  v1::PreviewRolloutRequest preview;
  *preview.mutable_plan() = AddNote();
  grpc::ClientContext context;
  v1::TargetPreview message;
  const auto previews = v1::RolloutService::NewStub(alice)->PreviewRollout(&context, preview);
  EXPECT_FALSE(previews->Read(&message));
  EXPECT_EQ(previews->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(ListPlans(alice), IsOk()) << "other calls go on";
  const auto other = open(As(certificates_.User("bob")));
  EXPECT_THAT(begins(*other), IsOk());
  first->context.TryCancel();
  first->reader->Finish();
  const absl::Time end = absl::Now() + kPatience;
  absl::Status again = begins(*open(alice));
  while (!again.ok() && absl::Now() < end) again = begins(*open(alice));
  EXPECT_THAT(again, IsOk()) << "one that has ended makes room";
  for (Watch* watch : {second.get(), other.get()}) {
    watch->context.TryCancel();
    watch->reader->Finish();
  }
}

// --- Agents. ---

TEST_F(LimitsTest, AnAgentThatComesAgainAndAgainIsHeldUpAndOthersAreNot) {
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  Secure({.sessions_per_minute = 3}, "roles: [{role: viewer, users: [alice]}]\n");
  const auto staging = As(certificates_.Agent("staging-crm"));
  for (int i = 0; i < 3; ++i) {
    FakeAgent agent(staging, {"staging-crm", absl::StrCat("i", i), {"staging-crm"}});
    agent.SayHello();
    EXPECT_THAT(agent.Take(Kind::kWelcome), IsOk());
  }
  FakeAgent again(staging, {"staging-crm", "i4", {"staging-crm"}});
  EXPECT_THAT(again.End(), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("3 sessions")));
  FakeAgent other(As(certificates_.Agent("production-crm")), {"production-crm", "i", {"production-crm"}});
  other.SayHello();
  EXPECT_THAT(other.Take(Kind::kWelcome), IsOk());
}

TEST_F(LimitsTest, ARightThatIsTakenAwayEndsTheSession) {
  ASSERT_THAT(ApplyEnvironments(), IsOk());
  options_.session.heartbeat_interval = absl::Milliseconds(50);
  options_.session.lease_time = absl::Seconds(2);
  Secure(limits::Options::Off(),
         "roles: [{role: viewer, users: [alice]}]\nagents: [{agent: many, targets: [staging-crm]}]\n");
  v1::AgentMessage heartbeat, progress;
  heartbeat.mutable_heartbeat();
  progress.mutable_progress()->set_target("staging-crm");
  // One that sends heartbeats, and one that says everything else.
  for (const v1::AgentMessage& message : {heartbeat, progress}) {
    Permit("roles: [{role: viewer, users: [alice]}]\nagents: [{agent: many, targets: [staging-crm]}]\n");
    const auto channel = As(certificates_.Agent("many"));
    std::unique_ptr<FakeAgent> agent;
    const absl::Time end = absl::Now() + kPatience;
    bool granted = false;
    while (!granted && absl::Now() < end) {  // the file is looked at again within a moment
      agent = std::make_unique<FakeAgent>(channel, testing::AgentIdentity{"many", "i", {"staging-crm"}});
      agent->SayHello();
      granted = agent->TakeLease() == v1::LEASE_STATE_GRANTED;
    }
    ASSERT_TRUE(granted);
    agent->Say(message);
    EXPECT_THAT(agent->End(absl::Milliseconds(100)), StatusIs(absl::StatusCode::kInternal)) << "it may stay";
    Permit("roles: [{role: viewer, users: [alice]}]\nagents: [{agent: many, targets: [other]}]\n");
    const absl::Time taken = absl::Now();
    absl::Status ended;
    do {
      agent->Say(message);
      ended = agent->End(absl::Milliseconds(20));
    } while (absl::IsInternal(ended) && absl::Now() < end);
    EXPECT_THAT(ended,
                StatusIs(absl::StatusCode::kPermissionDenied,
                         AllOf(HasSubstr("was taken away"), HasSubstr("may not serve target staging-crm"))));
    EXPECT_LT(absl::Now() - taken, absl::Seconds(10));
  }
}

}  // namespace
}  // namespace curlew
