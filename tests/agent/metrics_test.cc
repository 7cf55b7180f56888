#include "agent/metrics.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// What a server on this machine answers, with its header.
std::string Get(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
    const std::string request = absl::StrCat("GET ", path, " HTTP/1.0\r\n\r\n");
    EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
    char buffer[4096];
    for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;) answer.append(buffer, n);
  }
  close(fd);
  return answer;
}

TEST(MetricsTest, ServesWhatWalksTell) {
  ASSERT_OK_AND_ASSIGN(const auto server, MetricsServer::Start("127.0.0.1:0"));
  WalkMetrics* walks = server->walks();
  const WalkName walk = {"staging-crm", R"(public."Weird""Name")"};
  walks->Batch(walk, 100, 8, absl::Milliseconds(40));
  walks->Batch(walk, 50, 4, absl::Milliseconds(20));
  v1::Load load;
  load.set_workers(2);
  load.set_utilisation(0.25);
  walks->Load(walk, load);
  walks->Throttled(walk, "replica_lag_ms", absl::Milliseconds(1500));
  walks->Quarantined(walk, 3);
  const std::string labels = R"({table="public.\"Weird\"\"Name\"",target="staging-crm"})";
  std::string answer = Get(server->port(), "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(
      answer,
      AllOf(HasSubstr(absl::StrCat("curlew_agent_backfill_rows_total", labels, " 150")),
            HasSubstr(absl::StrCat("curlew_agent_backfill_blocks_total", labels, " 12")),
            HasSubstr(absl::StrCat("curlew_agent_backfill_batch_duration_seconds_count", labels, " 2")),
            HasSubstr(absl::StrCat("curlew_agent_backfill_workers", labels, " 2")),
            HasSubstr(absl::StrCat("curlew_agent_backfill_load_utilisation_ratio", labels, " 0.25")),
            HasSubstr(absl::StrCat("curlew_agent_backfill_quarantined_rows", labels, " 3")),
            HasSubstr(R"(signal="replica_lag_ms")"), HasSubstr("curlew_agent_info")));

  walks->Ended(walk);
  answer = Get(server->port(), "/metrics");
  EXPECT_THAT(answer, AllOf(HasSubstr(absl::StrCat("curlew_agent_backfill_rows_total", labels, " 150")),
                            Not(HasSubstr("curlew_agent_backfill_workers{"))));
}

TEST(MetricsTest, SaysThatItIsAlive) {
  ASSERT_OK_AND_ASSIGN(const auto server, MetricsServer::Start("localhost:0"));
  EXPECT_THAT(Get(server->port(), "/healthz"), StartsWith("HTTP/1.1 200 OK"));
  EXPECT_THAT(Get(server->port(), "/other"), HasSubstr(" 404 "));
}

TEST(MetricsTest, SaysWhereItCannotListen) {
  ASSERT_OK_AND_ASSIGN(const auto server, MetricsServer::Start("127.0.0.1:0"));
  const std::string taken = absl::StrCat("127.0.0.1:", server->port());
  EXPECT_THAT(MetricsServer::Start(taken), StatusIs(absl::StatusCode::kUnavailable, HasSubstr(taken)));
  EXPECT_THAT(MetricsServer::Start("nowhere"), StatusIs(absl::StatusCode::kUnavailable));
}

TEST(MetricsTest, WalksMayTellNobody) {
  NoWalkMetrics nobody;
  nobody.Batch({"t", "a"}, 1, 1, absl::Seconds(1));
  nobody.Ended({"t", "a"});
}

}  // namespace
}  // namespace curlew::agent
