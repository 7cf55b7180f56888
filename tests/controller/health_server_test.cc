#include "controller/health_server.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/rpc/endpoint.h"
#include "controller/dispatch/thread_loop.h"
#include "tests/support/raw_call.h"
#include "tests/support/status_matchers.h"

namespace curlew::controller {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;

// HealthCheckResponse.status: SERVING, NOT_SERVING.
constexpr char kServing = 1;
constexpr char kNotServing = 2;

// What the health service says of `service`: the only field of its answer.
absl::StatusOr<int> Health(const std::string& address, const std::string& service) {
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  const std::string request =
      service.empty() ? "" : absl::StrCat("\x0a", std::string(1, static_cast<char>(service.size())), service);
  const auto answer = testing::RawCall(channel, "/grpc.health.v1.Health/Check", request);
  if (!answer.ok()) return answer.status();
  return answer->size() == 2 ? answer->at(1) : -1;
}

TEST(HealthServerTest, SaysThatItLivesAndWhetherItLeadsAndNothingElse) {
  auto server = HealthServer::Start("0.0.0.0:0");
  ASSERT_THAT(server, IsOk());
  const std::string address =
      absl::StrCat("127.0.0.1", (*server)->address().substr((*server)->address().rfind(':')));
  EXPECT_THAT(Health(address, ""), testing::IsOkAndHolds(kServing));
  EXPECT_THAT(Health(address, rpc::kLeaderService), testing::IsOkAndHolds(kNotServing));
  (*server)->SetLeads(true);
  EXPECT_THAT(Health(address, rpc::kLeaderService), testing::IsOkAndHolds(kServing));
  EXPECT_THAT(testing::RawCall(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()),
                               "/curlew.v1.PlanService/ListPlans", ""),
              StatusIs(absl::StatusCode::kUnimplemented));
}

TEST(HealthServerTest, IsNotHealthyWhileTheLoopStandsStill) {
  auto server = HealthServer::Start("0.0.0.0:0",
                                    {.deadline = absl::Milliseconds(100), .period = absl::Milliseconds(20)});
  ASSERT_THAT(server, IsOk());
  const std::string address =
      absl::StrCat("127.0.0.1", (*server)->address().substr((*server)->address().rfind(':')));
  const auto becomes = [&](int wanted) {
    const absl::Time end = absl::Now() + absl::Seconds(20);
    absl::StatusOr<int> now = Health(address, "");
    while (!(now.ok() && *now == wanted) && absl::Now() < end) now = Health(address, "");
    return now;
  };
  dispatch::ThreadLoop loop;
  (*server)->WatchLoop(&loop);
  EXPECT_THAT(Health(address, ""), testing::IsOkAndHolds(kServing));
  absl::Notification goes_on;
  loop.Post([&] { goes_on.WaitForNotification(); });
  EXPECT_THAT(becomes(kNotServing), testing::IsOkAndHolds(kNotServing));
  EXPECT_THAT(Health(address, rpc::kLeaderService), testing::IsOkAndHolds(kNotServing));
  goes_on.Notify();
  EXPECT_THAT(becomes(kServing), testing::IsOkAndHolds(kServing));
  // A term that ends is no loop that stands still.
  (*server)->WatchLoop(nullptr);
  loop.Stop();
  EXPECT_THAT(Health(address, ""), testing::IsOkAndHolds(kServing));
}

TEST(HealthServerTest, RefusesWhatIsNoAddress) {
  EXPECT_THAT(HealthServer::Start("7443"), StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace curlew::controller
