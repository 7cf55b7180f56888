#include "common/metrics/metrics_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/metrics/registry.h"
#include "tests/common/metrics/http_get.h"
#include "tests/support/status_matchers.h"

namespace curlew::metrics {
namespace {

using ::curlew::testing::HttpGet;
using ::curlew::testing::HttpRequest;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

MetricsServerOptions At(std::string address) {
  return {.address = std::move(address),
          .collect = [] { return std::vector<prometheus::MetricFamily>(); },
          .health = [] { return std::string("ok"); }};
}

// The value of a line of Prometheus' text format; -1 where it is not there.
double ValueOf(const std::string& text, const std::string& metric) {
  double value = -1;
  const size_t line = text.find(absl::StrCat("\n", metric, " "));
  if (line == std::string::npos) return -1;
  const size_t from = line + metric.size() + 2;
  return absl::SimpleAtod(text.substr(from, text.find('\n', from) - from), &value) ? value : -1;
}

TEST(MetricsServerTest, GivesWhatWasCountedAndWhatIsLookedUpSortedByName) {
  Registry registry;
  registry.Counters("b_things_total", "Things.").Add({{"kind", "a \"quoted\" one"}}).Increment(3);
  registry.Counters("b_things_total", "Things.").Add({{"kind", "a"}});
  registry.Counters("never_total", "A family without a value does not appear.");
  MetricsServerOptions options = At("127.0.0.1:0");
  options.collect = [&] {
    auto families = registry.Collect();
    families.push_back(GaugesNow("a_height_ratio", "How high.", {{.labels = {{"of", "x"}}, .value = 0.5}}));
    families.push_back(GaugesNow("never_now_ratio", "Nor does this one.", {}));
    return families;
  };
  ASSERT_OK_AND_ASSIGN(const auto server, MetricsServer::Start(options));
  const std::string answer = HttpGet(server->port(), "/metrics");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"));
  EXPECT_THAT(answer, HasSubstr("# HELP a_height_ratio How high.\n"
                                "# TYPE a_height_ratio gauge\n"
                                "a_height_ratio{of=\"x\"} 0.5\n"
                                "# HELP b_things_total Things.\n"
                                "# TYPE b_things_total counter\n"
                                "b_things_total{kind=\"a\"} 0\n"
                                "b_things_total{kind=\"a \\\"quoted\\\" one\"} 3\n"
                                "# HELP process_cpu_seconds_total"));
  EXPECT_THAT(answer, Not(HasSubstr("never")));
}

TEST(MetricsServerTest, TellsOfTheProcess) {
  ASSERT_OK_AND_ASSIGN(const auto server, MetricsServer::Start(At("127.0.0.1:0")));
  const std::string before = HttpGet(server->port(), "/metrics");
  EXPECT_GT(ValueOf(before, "process_resident_memory_bytes"), 1e6);
  EXPECT_GT(ValueOf(before, "process_virtual_memory_bytes"),
            ValueOf(before, "process_resident_memory_bytes"));
  EXPECT_GE(ValueOf(before, "process_cpu_seconds_total"), 0);
  EXPECT_GE(ValueOf(before, "process_max_fds"), ValueOf(before, "process_open_fds"));
  const double now = absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch());
  EXPECT_NEAR(ValueOf(before, "process_start_time_seconds"), now, 600);
  std::ifstream files[20];
  for (std::ifstream& file : files) file.open("/proc/self/stat");
  const std::string after = HttpGet(server->port(), "/metrics");
  EXPECT_NEAR(ValueOf(after, "process_open_fds") - ValueOf(before, "process_open_fds"), 20, 5);
}

TEST(MetricsServerTest, SaysThatItIsWellOrWhyNotInOneLine) {
  absl::StatusOr<std::string> health = std::string("stands by");
  MetricsServerOptions options = At("localhost:0");
  options.health = [&] { return health; };
  ASSERT_OK_AND_ASSIGN(const auto server, MetricsServer::Start(options));
  EXPECT_THAT(HttpGet(server->port(), "/healthz"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), EndsWith("\r\n\r\nstands by\n")));
  health = absl::InternalError("the loop does\nnot answer");
  EXPECT_THAT(HttpGet(server->port(), "/healthz"),
              AllOf(StartsWith("HTTP/1.1 503 "), EndsWith("\r\n\r\nthe loop does not answer\n")));
}

TEST(MetricsServerTest, HasNothingElse) {
  ASSERT_OK_AND_ASSIGN(const auto server, MetricsServer::Start(At("127.0.0.1:0")));
  for (const char* path : {"/", "/other", "/metrics/x", "/healthz/../../etc/passwd", "/%2e%2e/etc/passwd"}) {
    EXPECT_THAT(HttpGet(server->port(), path), HasSubstr(" 404 ")) << path;
  }
  for (const char* method : {"POST", "PUT", "DELETE"}) {
    EXPECT_THAT(HttpRequest(server->port(), method, "/metrics"), Not(HasSubstr(" 200 "))) << method;
  }
}

TEST(MetricsServerTest, SaysWhereItCannotListen) {
  ASSERT_OK_AND_ASSIGN(const auto server, MetricsServer::Start(At("127.0.0.1:0")));
  const std::string taken = absl::StrCat("127.0.0.1:", server->port());
  EXPECT_THAT(MetricsServer::Start(At(taken)), StatusIs(absl::StatusCode::kUnavailable, HasSubstr(taken)));
  for (const char* address :
       {"", "nowhere", ":80", "127.0.0.1:x", "127.0.0.1:0s", "127.0.0.1:65536", "127.0.0.1:0,127.0.0.1:0"}) {
    EXPECT_THAT(MetricsServer::Start(At(address)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("127.0.0.1:9187")))
        << address;
  }
}

}  // namespace
}  // namespace curlew::metrics
