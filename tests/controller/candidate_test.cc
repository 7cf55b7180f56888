#include "controller/candidate.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/base/error_detail.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/error.h"
#include "curlew/v1/agent.grpc.pb.h"
#include "curlew/v1/operator.grpc.pb.h"
#include "tests/controller/support/shared_store.h"
#include "tests/support/status_matchers.h"

namespace curlew::controller {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::SharedStore;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

// A lease that several candidates of one process can have, and what can go wrong with it. Thread-safe.
class FakeLocation : public store::StoreLocation {
 public:
  explicit FakeLocation(absl::Duration term = absl::InfiniteDuration()) : term_(term) {}

  std::string Name() const override { return "fake"; }
  absl::StatusOr<std::unique_ptr<store::LeaderLease>> OpenLease(
      const store::LeaderIdentity& identity) override {
    return std::make_unique<Lease>(this, identity);
  }
  absl::StatusOr<std::unique_ptr<store::RolloutStore>> OpenStore(int64_t epoch) override {
    absl::MutexLock lock(&mutex_);
    if (!store_error_.ok()) return store_error_;
    opened_ = epoch;
    return std::make_unique<View>(this, epoch);
  }
  absl::Status Backup(const std::string&) override { return absl::UnimplementedError("fake"); }
  absl::Status Restore(const std::string&) override { return absl::UnimplementedError("fake"); }
  absl::StatusOr<std::string> Check() override { return absl::UnimplementedError("fake"); }
  absl::StatusOr<std::string> Migrate() override { return absl::UnimplementedError("fake"); }

  // Somebody else has the lease from now on; nobody where `address` is empty.
  void GiveTo(const std::string& address) {
    absl::MutexLock lock(&mutex_);
    holder_ = address.empty() ? "" : "another";
    address_ = address;
    if (!address.empty()) ++epoch_;
  }
  // As GiveTo, but whoever asks is told that it still leads: a process that has been asleep.
  void RaiseEpochSecretly() {
    absl::MutexLock lock(&mutex_);
    ++store_epoch_offset_;
  }
  void FailLease(absl::Status error) {
    absl::MutexLock lock(&mutex_);
    lease_error_ = std::move(error);
  }
  void FailStore(absl::Status error) {
    absl::MutexLock lock(&mutex_);
    store_error_ = std::move(error);
  }
  std::string holder() const {
    absl::MutexLock lock(&mutex_);
    return holder_;
  }
  int64_t epoch() const {
    absl::MutexLock lock(&mutex_);
    return epoch_;
  }
  // For which the store was opened last.
  int64_t opened() const {
    absl::MutexLock lock(&mutex_);
    return opened_;
  }

 private:
  class Lease : public store::LeaderLease {
   public:
    Lease(FakeLocation* location, store::LeaderIdentity identity)
        : location_(location), identity_(std::move(identity)) {}
    ~Lease() override { Release(); }
    absl::StatusOr<store::Leadership> Hold() override {
      absl::MutexLock lock(&location_->mutex_);
      if (!location_->lease_error_.ok()) return location_->lease_error_;
      if (location_->holder_.empty()) {
        location_->holder_ = identity_.instance;
        location_->address_ = identity_.address;
        ++location_->epoch_;
      }
      return store::Leadership{location_->holder_ == identity_.instance, location_->epoch_,
                               location_->address_};
    }
    void Release() override {
      absl::MutexLock lock(&location_->mutex_);
      if (location_->holder_ == identity_.instance) location_->holder_.clear();
    }
    absl::Duration term() const override { return location_->term_; }

   private:
    FakeLocation* const location_;
    const store::LeaderIdentity identity_;
  };

  // The one store, as the leader of an epoch sees it.
  class View : public SharedStore {
   public:
    View(FakeLocation* location, int64_t epoch) : location_(location), epoch_(epoch) {}
    absl::StatusOr<v1::StoredPlan> PutPlan(const v1::StoredPlan& plan, const store::Record& record) override {
      if (Fenced()) return Refused();
      return SharedStore::PutPlan(plan, record);
    }
    absl::Status PutEnvironments(const std::vector<v1::Environment>& environments,
                                 const store::Record& record) override {
      if (Fenced()) return Refused();
      return SharedStore::PutEnvironments(environments, record);
    }
    absl::StatusOr<int64_t> Commit(const store::RolloutChange& change) override {
      if (Fenced()) return Refused();
      return SharedStore::Commit(change);
    }

   private:
    bool Fenced() const {
      absl::MutexLock lock(&location_->mutex_);
      return location_->epoch_ + location_->store_epoch_offset_ != epoch_;
    }
    static absl::Status Refused() {
      return base::WithDetail(absl::AbortedError("another controller leads"), base::kReason,
                              store::kNotLeader);
    }

    FakeLocation* const location_;
    const int64_t epoch_;
  };

  const absl::Duration term_;
  mutable absl::Mutex mutex_;
  std::string holder_ ABSL_GUARDED_BY(mutex_);
  std::string address_ ABSL_GUARDED_BY(mutex_);
  int64_t epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t opened_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t store_epoch_offset_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status lease_error_ ABSL_GUARDED_BY(mutex_);
  absl::Status store_error_ ABSL_GUARDED_BY(mutex_);
};

// A candidate with the thread that calls Act.
class Runner {
 public:
  explicit Runner(FakeLocation* location, const std::string& listen = "127.0.0.1:0") {
    CandidateOptions options;
    options.server.listen = listen;
    options.retry = {.first = absl::Milliseconds(20), .longest = absl::Milliseconds(40)};
    auto candidate = Candidate::Start(location, &clock_, options, [this] {
      absl::MutexLock lock(&mutex_);
      woken_ = true;
    });
    EXPECT_THAT(candidate, IsOk());
    candidate_ = *std::move(candidate);
  }

  Candidate& candidate() { return *candidate_; }

  // Acts until `wanted` holds; false where it does not within 20 s.
  bool RunUntil(const std::function<bool()>& wanted) {
    const absl::Time end = absl::Now() + absl::Seconds(20);
    while (!wanted() && absl::Now() < end) {
      const absl::Duration pause = std::min(candidate_->Act(), absl::Milliseconds(50));
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(&woken_), pause);
      woken_ = false;
    }
    return wanted();
  }
  bool RunUntilItLeads() {
    return RunUntil([this] { return candidate_->leads(); });
  }
  bool RunUntilItStandsBy() {
    return RunUntil([this] { return !candidate_->leads(); });
  }

 private:
  base::SystemClock clock_;
  absl::Mutex mutex_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Candidate> candidate_;
};

std::shared_ptr<grpc::Channel> ChannelTo(const std::string& addresses) {
  return *rpc::MakeChannel(addresses, rpc::Transport::Plain());
}

// 1 is SERVING, 2 NOT_SERVING. The health service's messages are one field each, number 1, as these are.
int Health(const std::string& address, const std::string& service) {
  v1::GetPlanRequest request;  // string name = 1
  request.set_name(service);
  v1::ListPlansRequest response;  // int32 page_size = 1
  grpc::ClientContext context;
  const grpc::internal::RpcMethod method("/grpc.health.v1.Health/Check",
                                         grpc::internal::RpcMethod::NORMAL_RPC);
  const auto channel = ChannelTo(address);
  const grpc::Status status =
      grpc::internal::BlockingUnaryCallImpl<google::protobuf::MessageLite, google::protobuf::MessageLite>(
          channel.get(), method, &context, request, &response)
          .status();
  EXPECT_TRUE(status.ok()) << status.error_message();
  return response.page_size();
}

absl::Status ListEnvironments(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
  v1::ListEnvironmentsResponse response;
  return rpc::FromGrpc(v1::EnvironmentService::NewStub(channel)->ListEnvironments(&context, {}, &response));
}

absl::Status ApplyEnvironments(const std::string& address) {
  grpc::ClientContext context;
  v1::ApplyEnvironmentsRequest request;
  request.add_environments()->set_name("environments/staging");
  request.mutable_environments(0)->add_targets("crm");
  v1::ListEnvironmentsResponse response;
  return rpc::FromGrpc(
      v1::EnvironmentService::NewStub(ChannelTo(address))->ApplyEnvironments(&context, request, &response));
}

TEST(CandidateTest, LeadsWhereNobodyDoesAndSaysSo) {
  FakeLocation location;
  Runner runner(&location);
  ASSERT_TRUE(runner.candidate().leads());
  const std::string address = runner.candidate().address();
  EXPECT_EQ(Health(address, ""), 1);
  EXPECT_EQ(Health(address, rpc::kLeaderService), 1);
  EXPECT_THAT(ListEnvironments(ChannelTo(address)), IsOk());
}

TEST(CandidateTest, StandsByWhileAnotherLeadsAndNamesIt) {
  FakeLocation location;
  location.GiveTo("10.0.0.7:7441");
  Runner runner(&location);
  ASSERT_FALSE(runner.candidate().leads());
  const std::string address = runner.candidate().address();
  EXPECT_EQ(Health(address, ""), 1);
  EXPECT_EQ(Health(address, rpc::kLeaderService), 2);
  const absl::Status refused = ListEnvironments(ChannelTo(address));
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("10.0.0.7:7441 leads")));
  EXPECT_EQ(base::Detail(refused, base::kReason), rpc::kStandbyReason);
  // Streams too: an agent that comes here is told at once.
  grpc::ClientContext context;
  const auto channel = ChannelTo(address);
  const auto stub = v1::AgentService::NewStub(channel);
  const auto stream = stub->Session(&context);
  EXPECT_THAT(rpc::FromGrpc(stream->Finish()),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("stands by")));
}

TEST(CandidateTest, TakesOverOnItsOwnPortWhenTheLeaseIsFree) {
  FakeLocation location;
  location.GiveTo("10.0.0.7:7441");
  Runner runner(&location);
  const std::string address = runner.candidate().address();
  location.GiveTo("");
  ASSERT_TRUE(runner.RunUntilItLeads());
  EXPECT_EQ(runner.candidate().address(), address);
  EXPECT_EQ(Health(address, rpc::kLeaderService), 1);
  EXPECT_THAT(ListEnvironments(ChannelTo(address)), IsOk());
}

TEST(CandidateTest, AClientOfSeveralFindsTheOneThatLeadsAndTheNext) {
  FakeLocation location;
  auto first = std::make_unique<Runner>(&location);
  Runner second(&location);
  ASSERT_TRUE(first->candidate().leads());
  ASSERT_FALSE(second.candidate().leads());
  const auto channel =
      ChannelTo(absl::StrCat(second.candidate().address(), ",", first->candidate().address()));
  // Never the one that stands by, however often it is asked.
  for (int i = 0; i < 10; ++i) ASSERT_THAT(ListEnvironments(channel), IsOk());
  first.reset();
  ASSERT_TRUE(second.RunUntilItLeads());
  for (int i = 0; i < 10; ++i) ASSERT_THAT(ListEnvironments(channel), IsOk());
}

TEST(CandidateTest, EndsItsTermWhenAnotherHasTheLease) {
  FakeLocation location(absl::Milliseconds(500));
  Runner runner(&location);
  ASSERT_TRUE(runner.candidate().leads());
  location.GiveTo("10.0.0.7:7441");
  ASSERT_TRUE(runner.RunUntilItStandsBy());
  const std::string address = runner.candidate().address();
  ASSERT_TRUE(runner.RunUntil([&] { return Health(address, rpc::kLeaderService) == 2; }));
  EXPECT_THAT(ListEnvironments(ChannelTo(address)),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("10.0.0.7:7441 leads")));
}

TEST(CandidateTest, EndsItsTermWhenTheLeaseCannotBeRenewedInTimeAndLeadsAgainWhenItCan) {
  FakeLocation location(absl::Milliseconds(500));
  Runner runner(&location);
  ASSERT_TRUE(runner.candidate().leads());
  const absl::Time begin = absl::Now();
  location.FailLease(absl::UnavailableError("the store is away"));
  ASSERT_TRUE(runner.RunUntilItStandsBy());
  EXPECT_GT(absl::Now() - begin, absl::Milliseconds(200)) << "not at the first failure";
  location.FailLease(absl::OkStatus());
  EXPECT_TRUE(runner.RunUntilItLeads());
  EXPECT_EQ(location.epoch(), 1) << "nobody else had it";
}

TEST(CandidateTest, WhatAnotherDidBetweenTwoLooksIsReadInATermOfItsOwn) {
  FakeLocation location(absl::Milliseconds(500));
  Runner runner(&location);
  ASSERT_EQ(location.opened(), 1);
  location.GiveTo("10.0.0.7:7441");
  location.GiveTo("");
  EXPECT_TRUE(runner.RunUntil([&] { return location.opened() == 3; }));
  EXPECT_TRUE(runner.RunUntilItLeads());
}

TEST(CandidateTest, ARefusedWriteEndsTheTermAndIsNoSuccess) {
  FakeLocation location;
  Runner runner(&location);
  const std::string address = runner.candidate().address();
  EXPECT_THAT(ApplyEnvironments(address), IsOk());
  location.RaiseEpochSecretly();
  const absl::Status refused = ApplyEnvironments(address);
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("another controller leads")));
  EXPECT_EQ(base::Detail(refused, base::kReason), rpc::kStandbyReason) << "it may be repeated";
  EXPECT_TRUE(runner.RunUntilItStandsBy());
  // Not again under the same epoch, though the lease says that it is its own.
  EXPECT_TRUE(runner.RunUntilItLeads());
  EXPECT_EQ(location.epoch(), 2);
}

TEST(CandidateTest, ARolloutOrPlanThatIsRefusedMayBeRepeatedElsewhere) {
  FakeLocation location;
  Runner runner(&location);
  const auto channel = ChannelTo(runner.candidate().address());
  ASSERT_THAT(ApplyEnvironments(runner.candidate().address()), IsOk());
  v1::CreatePlanRequest plan;
  plan.mutable_plan()->set_name("p");
  plan.mutable_plan()->add_operations()->mutable_drop_table()->set_table("t");
  v1::StoredPlan stored;
  {
    grpc::ClientContext context;
    ASSERT_THAT(rpc::FromGrpc(v1::PlanService::NewStub(channel)->CreatePlan(&context, plan, &stored)),
                IsOk());
  }
  location.RaiseEpochSecretly();
  grpc::ClientContext context;
  v1::CreateRolloutRequest request;
  request.set_plan(stored.name());
  v1::Rollout rollout;
  const absl::Status refused =
      rpc::FromGrpc(v1::RolloutService::NewStub(channel)->CreateRollout(&context, request, &rollout));
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("another controller leads")));
  EXPECT_EQ(base::Detail(refused, base::kReason), rpc::kStandbyReason);
}

TEST(CandidateTest, LeadsAndStandsByOnAPathToo) {
  FakeLocation location;
  const std::string address = absl::StrCat("unix:", ::testing::TempDir(), "/candidate-", getpid(), ".sock");
  Runner runner(&location, address);
  ASSERT_TRUE(runner.candidate().leads());
  EXPECT_EQ(runner.candidate().address(), address);
  EXPECT_THAT(ListEnvironments(ChannelTo(address)), IsOk());
  location.GiveTo("10.0.0.7:7441");
  // It looks for the lease every 10 s only, where that has no term.
  location.RaiseEpochSecretly();
  EXPECT_FALSE(ApplyEnvironments(address).ok());
  ASSERT_TRUE(runner.RunUntilItStandsBy());
  EXPECT_EQ(runner.candidate().address(), address);
  EXPECT_EQ(Health(address, rpc::kLeaderService), 2);
  location.GiveTo("");
  ASSERT_TRUE(runner.RunUntilItLeads());
  EXPECT_EQ(runner.candidate().address(), address);
  EXPECT_EQ(Health(address, rpc::kLeaderService), 1);
}

TEST(CandidateTest, GivesTheLeaseUpWhereItCannotLeadAndTriesAgain) {
  FakeLocation location;
  location.GiveTo("10.0.0.7:7441");
  Runner runner(&location);
  location.FailStore(absl::UnavailableError("the store is away"));
  location.GiveTo("");
  ASSERT_TRUE(runner.RunUntil([&] { return location.epoch() >= 3; })) << "each try takes the lease anew";
  EXPECT_FALSE(runner.candidate().leads());
  EXPECT_EQ(Health(runner.candidate().address(), ""), 1);
  location.FailStore(absl::OkStatus());
  EXPECT_TRUE(runner.RunUntilItLeads());
}

TEST(CandidateTest, ShutdownGivesTheLeaseUp) {
  FakeLocation location;
  Runner runner(&location);
  EXPECT_FALSE(location.holder().empty());
  runner.candidate().Shutdown();
  EXPECT_TRUE(location.holder().empty());
}

}  // namespace
}  // namespace curlew::controller
