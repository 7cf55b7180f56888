#include "agent/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/common/metrics/http_get.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::HttpGet;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A server with a clock that the test turns.
class AgentMetricsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto server = MetricsServer::Start("127.0.0.1:0", &lease_, [this] { return now_; });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string Scrape() { return HttpGet(server_->port(), "/metrics"); }
  AgentMetrics* agent() { return server_->agent(); }

  absl::Duration now_ = absl::Hours(1);
  LeaseClock lease_{[this] { return now_; }};
  std::unique_ptr<MetricsServer> server_;
};

TEST_F(AgentMetricsTest, ServesWhatWalksTell) {
  WalkMetrics* walks = server_->walks();
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
  std::string answer = Scrape();
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
  answer = Scrape();
  EXPECT_THAT(answer, AllOf(HasSubstr(absl::StrCat("curlew_agent_backfill_rows_total", labels, " 150")),
                            Not(HasSubstr("curlew_agent_backfill_workers{"))));
}

TEST_F(AgentMetricsTest, KeepsWorkingTimeApartFromWaiting) {
  agent()->AttemptBegan("crm", "execute_sql");
  now_ += absl::Seconds(2);
  agent()->AttemptWaits("crm", v1::WAIT_CAUSE_LOCK);
  now_ += absl::Seconds(10);
  agent()->AttemptWaits("crm", v1::WAIT_CAUSE_LOCK);  // the same wait
  now_ += absl::Seconds(5);
  // Also while it goes on.
  EXPECT_THAT(Scrape(), HasSubstr(R"(curlew_agent_wait_seconds_total{cause="lock",target="crm"} 15)"));
  agent()->AttemptWaits("crm", v1::WAIT_CAUSE_UNSPECIFIED);
  now_ += absl::Seconds(1);
  agent()->AttemptWaits("crm", v1::WAIT_CAUSE_SESSIONS);
  now_ += absl::Seconds(60);
  agent()->AttemptEnded("crm", "succeeded");
  now_ += absl::Seconds(100);
  EXPECT_THAT(
      Scrape(),
      AllOf(HasSubstr(R"(curlew_agent_wait_seconds_total{cause="lock",target="crm"} 15)"),
            HasSubstr(R"(curlew_agent_wait_seconds_total{cause="sessions",target="crm"} 60)"),
            HasSubstr(R"(curlew_agent_waits_total{cause="lock",target="crm"} 1)"),
            HasSubstr(R"(curlew_agent_attempt_duration_seconds_count{kind="execute_sql"} 1)"),
            HasSubstr(R"(curlew_agent_attempt_duration_seconds_sum{kind="execute_sql"} 3)"),
            HasSubstr(
                R"(curlew_agent_attempts_total{kind="execute_sql",outcome="succeeded",target="crm"} 1)")));
}

TEST_F(AgentMetricsTest, AStepThatOnlyWaitsIsNoWorkWhateverItSays) {
  agent()->AttemptBegan("crm", "wait");
  now_ += absl::Seconds(2);
  agent()->AttemptWaits("crm", v1::WAIT_CAUSE_SESSIONS);
  now_ += absl::Seconds(3);
  agent()->AttemptWaits("crm", v1::WAIT_CAUSE_UNSPECIFIED);  // it looks again
  now_ += absl::Seconds(4);
  agent()->AttemptEnded("crm", "succeeded");
  EXPECT_THAT(
      Scrape(),
      AllOf(HasSubstr(R"(curlew_agent_wait_seconds_total{cause="sessions",target="crm"} 9)"),
            HasSubstr(R"(curlew_agent_waits_total{cause="sessions",target="crm"} 1)"),
            HasSubstr(R"(curlew_agent_attempts_total{kind="wait",outcome="succeeded",target="crm"} 1)"),
            Not(HasSubstr("curlew_agent_attempt_duration_seconds"))));
}

TEST_F(AgentMetricsTest, TellsHowTargetsStand) {
  agent()->TargetStands("a", TargetCondition::kReady, 7);
  agent()->TargetStands("b", TargetCondition::kProblem, 0);
  agent()->TargetStands("c", TargetCondition::kUnleased, 0);
  EXPECT_THAT(Scrape(), AllOf(HasSubstr(R"(curlew_agent_target_ready{target="a"} 1)"),
                              HasSubstr(R"(curlew_agent_target_ready{target="b"} 0)"),
                              HasSubstr(R"(curlew_agent_target_epoch{target="a"} 7)"),
                              HasSubstr(R"(curlew_agent_targets{state="ready"} 1)"),
                              HasSubstr(R"(curlew_agent_targets{state="problem"} 1)"),
                              HasSubstr(R"(curlew_agent_targets{state="unleased"} 1)")));
  agent()->TargetStands("a", TargetCondition::kUnleased, 0);
  EXPECT_THAT(Scrape(), AllOf(HasSubstr(R"(curlew_agent_target_ready{target="a"} 0)"),
                              HasSubstr(R"(curlew_agent_targets{state="ready"} 0)")));
}

TEST_F(AgentMetricsTest, CountsSessionsAfterTheFirst) {
  EXPECT_THAT(Scrape(), AllOf(HasSubstr("\ncurlew_agent_session_connected 0"),
                              HasSubstr("\ncurlew_agent_session_reconnects_total 0"),
                              HasSubstr("\ncurlew_agent_lease_valid 0")));
  agent()->SessionBegan();
  lease_.SetLeaseTime(absl::Seconds(15));
  lease_.Heard();
  EXPECT_THAT(Scrape(), AllOf(HasSubstr("\ncurlew_agent_session_connected 1"),
                              HasSubstr("\ncurlew_agent_session_reconnects_total 0"),
                              HasSubstr("\ncurlew_agent_lease_valid 1")));
  agent()->SessionEnded();
  EXPECT_THAT(Scrape(), HasSubstr("\ncurlew_agent_session_connected 0"));
  agent()->SessionBegan();
  EXPECT_THAT(Scrape(), HasSubstr("\ncurlew_agent_session_reconnects_total 1"));
}

TEST_F(AgentMetricsTest, IsUnwellOnlyWhereAThreadIsStuck) {
  EXPECT_THAT(HttpGet(server_->port(), "/healthz"), AllOf(StartsWith("HTTP/1.1 200 OK"), EndsWith("\nok\n")));
  const auto idle = std::make_shared<Pulse>(), busy = std::make_shared<Pulse>();
  server_->Watch("the session", idle, absl::ZeroDuration());
  server_->Watch("the loop of target crm", busy, absl::Hours(1));
  busy->Works();
  EXPECT_THAT(HttpGet(server_->port(), "/healthz"), StartsWith("HTTP/1.1 200 OK"));
  server_->Watch("the loop of target crm", busy, absl::ZeroDuration());
  EXPECT_THAT(
      HttpGet(server_->port(), "/healthz"),
      AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("the loop of target crm has been at the same thing")));
  {
    // Whoever waits for a database is not stuck, for however long.
    const Pulse::Elsewhere asks(busy.get());
    { const Pulse::Elsewhere asks_more(busy.get()); }
    EXPECT_THAT(HttpGet(server_->port(), "/healthz"), StartsWith("HTTP/1.1 200 OK"));
  }
  EXPECT_THAT(HttpGet(server_->port(), "/healthz"), StartsWith("HTTP/1.1 503 "));
  busy->Rests();
  EXPECT_THAT(HttpGet(server_->port(), "/healthz"), StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(AgentMetricsTest, SaysWhereItCannotListen) {
  const std::string taken = absl::StrCat("127.0.0.1:", server_->port());
  EXPECT_THAT(MetricsServer::Start(taken, &lease_),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr(taken)));
  EXPECT_THAT(MetricsServer::Start("nowhere", &lease_), StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST(NoMetricsTest, AgentsAndWalksMayTellNobody) {
  NoWalkMetrics nobody;
  nobody.Batch({"t", "a"}, 1, 1, absl::Seconds(1));
  nobody.Ended({"t", "a"});
  OrNobody(nullptr)->AttemptEnded("t", "failed");
}

}  // namespace
}  // namespace curlew::agent
