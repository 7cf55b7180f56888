#include "cli/client.h"

#include <deque>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "cli/exit_code.h"
#include "common/base/error_detail.h"
#include "common/rpc/error.h"
#include "gmock/gmock.h"
#include "grpcpp/health_check_service_interface.h"
#include "gtest/gtest.h"
#include "tests/support/status_matchers.h"

namespace curlew::cli {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

absl::Status Standby(const std::string& message) {
  return base::WithDetail(absl::UnavailableError(message), base::kReason, rpc::kStandbyReason);
}

// A controller that leads or stands by as it is told, and counts what it is asked. Thread-safe.
class Controller final : public v1::RolloutService::Service, public v1::EnvironmentService::Service {
 public:
  explicit Controller(bool leads) {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(static_cast<v1::RolloutService::Service*>(this));
    builder.RegisterService(static_cast<v1::EnvironmentService::Service*>(this));
    server_ = builder.BuildAndStart();
    Lead(leads);
  }
  ~Controller() override { server_->Shutdown(absl::ToChronoTime(absl::Now())); }

  void Lead(bool leads) { server_->GetHealthCheckService()->SetServingStatus(rpc::kLeaderService, leads); }
  // The answers to the next calls; OK after them.
  void AnswerWith(std::deque<absl::Status> answers) {
    absl::MutexLock lock(&mutex_);
    answers_ = std::move(answers);
  }
  int asked() const {
    absl::MutexLock lock(&mutex_);
    return asked_;
  }
  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }

  grpc::Status CreateRollout(grpc::ServerContext*, const v1::CreateRolloutRequest*, v1::Rollout*) override {
    return Answer();
  }
  grpc::Status GetRollout(grpc::ServerContext*, const v1::GetRolloutRequest*, v1::Rollout*) override {
    return Answer();
  }
  grpc::Status ListEnvironments(grpc::ServerContext*, const v1::ListEnvironmentsRequest*,
                                v1::ListEnvironmentsResponse*) override {
    return Answer();
  }

 private:
  grpc::Status Answer() {
    absl::MutexLock lock(&mutex_);
    ++asked_;
    if (answers_.empty()) return grpc::Status::OK;
    const absl::Status answer = std::move(answers_.front());
    answers_.pop_front();
    return rpc::ToGrpc(answer);
  }

  int port_ = 0;
  mutable absl::Mutex mutex_;
  std::deque<absl::Status> answers_ ABSL_GUARDED_BY(mutex_);
  int asked_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<grpc::Server> server_;
};

// As the library says it: without details.
const absl::Status kLost = absl::UnavailableError("Socket closed");

class ClientTest : public ::testing::Test {
 protected:
  std::unique_ptr<Client> Make(const std::string& address, absl::Duration timeout = absl::Seconds(20)) {
    auto client = Client::Make(
        address, timeout,
        rpc::Transport::Make({.plain_text = rpc::PlainText::kLoopbackOnly}, absl::Now()).value());
    EXPECT_THAT(client, IsOk());
    return *std::move(client);
  }
  std::unique_ptr<Client> ToBoth(absl::Duration timeout = absl::Seconds(20)) {
    return Make(absl::StrCat(standby_.address(), ",", leader_.address()), timeout);
  }
  static absl::Status Change(Client& client) {
    return client.Call(&v1::RolloutService::Stub::CreateRollout, v1::CreateRolloutRequest()).status();
  }
  static absl::Status Read(Client& client) {
    return client.Call(&v1::RolloutService::Stub::GetRollout, v1::GetRolloutRequest()).status();
  }

  Controller standby_{false};
  Controller leader_{true};
};

TEST_F(ClientTest, OfSeveralAsksTheOneThatLeads) {
  const auto client = ToBoth();
  for (int i = 0; i < 5; ++i) EXPECT_THAT(Read(*client), IsOk());
  for (int i = 0; i < 5; ++i) EXPECT_THAT(Change(*client), IsOk());
  EXPECT_EQ(leader_.asked(), 10);
  EXPECT_EQ(standby_.asked(), 0);
}

TEST_F(ClientTest, RepeatsWhatWasNotDone) {
  leader_.AnswerWith({Standby("stands by"), Standby("stands by")});
  const auto client = ToBoth();
  EXPECT_THAT(Change(*client), IsOk());
  EXPECT_EQ(leader_.asked(), 3);
}

TEST_F(ClientTest, RepeatsAReadWhoseAnswerWasLost) {
  leader_.AnswerWith({kLost});
  EXPECT_THAT(Read(*ToBoth()), IsOk());
  EXPECT_EQ(leader_.asked(), 2);
}

TEST_F(ClientTest, NeverRepeatsAChangeThatMayHaveBeenDone) {
  leader_.AnswerWith({kLost});
  const absl::Status lost = Change(*ToBoth());
  EXPECT_THAT(lost, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(base::Detail(lost, base::kHint), HasSubstr("before you repeat it"));
  EXPECT_EQ(ExitCodeOf(lost), ExitCode::kUnreachable);
  EXPECT_EQ(leader_.asked(), 1);

  leader_.AnswerWith({absl::DeadlineExceededError("Deadline Exceeded")});
  const absl::Status late = Change(*ToBoth());
  EXPECT_THAT(base::Detail(late, base::kHint), HasSubstr("before you repeat it"));
  EXPECT_EQ(leader_.asked(), 2);

  // What the controller says itself stands, whether it is worth repeating or not.
  leader_.AnswerWith({base::WithDetail(absl::UnavailableError("in doubt"), base::kReason, "STORE_IN_DOUBT")});
  EXPECT_THAT(Change(*ToBoth()), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("in doubt")));
  EXPECT_EQ(leader_.asked(), 3);
}

TEST_F(ClientTest, WhoCallsTooOftenWaitsAndTriesAgainAFewTimes) {
  const absl::Status refused = base::WithDetail(
      base::WithDetail(absl::ResourceExhaustedError("too often"), base::kReason, "TOO_MANY_CALLS"),
      rpc::kRetryAfter, "1ms");
  const auto client = Make(leader_.address());
  leader_.AnswerWith({refused, refused, refused, refused});
  EXPECT_THAT(Change(*client), IsOk()) << "nothing was done: a change may be repeated";
  EXPECT_EQ(leader_.asked(), 5);
  leader_.AnswerWith({refused, refused, refused, refused, refused});
  EXPECT_THAT(Read(*client), StatusIs(absl::StatusCode::kResourceExhausted, HasSubstr("too often")));
  EXPECT_EQ(leader_.asked(), 10);
  // Not where it is told no time, and not beyond its own.
  leader_.AnswerWith({absl::ResourceExhaustedError("the disk is full")});
  EXPECT_THAT(Read(*client), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(leader_.asked(), 11);
  leader_.AnswerWith({base::WithDetail(absl::ResourceExhaustedError("too often"), rpc::kRetryAfter, "1h")});
  EXPECT_THAT(Read(*client), StatusIs(absl::StatusCode::kResourceExhausted));
  EXPECT_EQ(leader_.asked(), 12);
}

TEST_F(ClientTest, OneControllerIsAskedOnce) {
  const auto client = Make(leader_.address());
  leader_.AnswerWith({Standby("stands by"), kLost, kLost});
  const absl::Status standby = Change(*client);
  EXPECT_EQ(ExitCodeOf(standby), ExitCode::kUnreachable);
  EXPECT_EQ(leader_.asked(), 1);
  EXPECT_THAT(base::Detail(Change(*client), base::kHint), HasSubstr("before you repeat it"));
  EXPECT_THAT(base::Detail(Read(*client), base::kHint), HasSubstr("check that curlew-controller runs"));
  EXPECT_EQ(leader_.asked(), 3);
}

TEST_F(ClientTest, WhatNeverReachedAControllerWasNotDone) {
  const absl::Status refused = Change(*Make("127.0.0.1:1"));
  EXPECT_THAT(base::Detail(refused, base::kHint), HasSubstr("check that curlew-controller runs"));
}

TEST_F(ClientTest, GoesToTheNextLeader) {
  const auto client = ToBoth();
  ASSERT_THAT(Change(*client), IsOk());
  leader_.AnswerWith(std::deque<absl::Status>(1000, Standby("stands by")));
  leader_.Lead(false);
  standby_.Lead(true);
  EXPECT_THAT(Change(*client), IsOk());
  EXPECT_EQ(standby_.asked(), 1);
}

TEST_F(ClientTest, SaysOfEachWhyNoneIsAsked) {
  leader_.Lead(false);
  standby_.AnswerWith({Standby("the controller at x stands by")});
  const std::string all = absl::StrCat(standby_.address(), ",127.0.0.1:1");
  const absl::Status none = Change(*Make(all, absl::Milliseconds(200)));
  EXPECT_THAT(none, StatusIs(absl::StatusCode::kUnavailable,
                             HasSubstr(absl::StrCat("of ", all,
                                                    ": the controller at x stands by; the "
                                                    "controller at 127.0.0.1:1 cannot be reached"))));
  EXPECT_EQ(ExitCodeOf(none), ExitCode::kUnreachable);
}

}  // namespace
}  // namespace curlew::cli
