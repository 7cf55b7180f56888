// /metrics and /healthz of a controller with a real server and an agent that the test speaks for.
#include "controller/web/controller_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/base/proto_time.h"
#include "tests/common/metrics/http_get.h"
#include "tests/controller/support/controller_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::web {
namespace {

using ::curlew::testing::ControllerTest;
using ::curlew::testing::FakeAgent;
using ::curlew::testing::FakeRolloutStore;
using ::curlew::testing::HttpGet;
using ::curlew::testing::IsOk;
using ::curlew::testing::Items;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class ControllerMetricsTest : public ControllerTest {
 protected:
  void SetUp() override { Serve({}); }
  ~ControllerMetricsTest() override { Stop(); }

  void Serve(ControllerMetricsOptions options) {
    Stop();
    options.address = "127.0.0.1:0";
    options.version = "1.2.3";
    auto started = ControllerMetrics::Start(options, &clock_);
    ASSERT_TRUE(started.ok()) << started.status();
    metrics_ = *std::move(started);
    options_.metrics = metrics_.get();
    options_.epoch = 7;
  }
  std::string Scrape() { return HttpGet(metrics_->port(), "/metrics"); }
  // The first scrape that has all of this; else the last one. A caller may have its answer before the server
  // is done with the call.
  std::string ScrapeUntil(const std::vector<std::string>& wanted) {
    std::string scrape;
    for (const absl::Time deadline = absl::Now() + absl::Seconds(10); absl::Now() < deadline;) {
      scrape = Scrape();
      if (std::all_of(wanted.begin(), wanted.end(),
                      [&](const std::string& text) { return absl::StrContains(scrape, text); })) {
        break;
      }
    }
    return scrape;
  }
  std::string Health() { return HttpGet(metrics_->port(), "/healthz"); }

  std::unique_ptr<ControllerMetrics> metrics_;
};

TEST_F(ControllerMetricsTest, AStandbyIsWellAndLeadsNothing) {
  EXPECT_THAT(Health(), AllOf(StartsWith("HTTP/1.1 200 OK"), EndsWith("\nstands by\n")));
  EXPECT_THAT(Scrape(), AllOf(HasSubstr("\ncurlew_leader 0"), HasSubstr("\ncurlew_leader_epoch 0"),
                              HasSubstr("curlew_controller_info{version=\"1.2.3\"} 1"),
                              Not(HasSubstr("curlew_targets"))));
  Restart();
  EXPECT_THAT(Health(), AllOf(StartsWith("HTTP/1.1 200 OK"), EndsWith("\nleads\n")));
  EXPECT_THAT(Scrape(), AllOf(HasSubstr("\ncurlew_leader 1"), HasSubstr("\ncurlew_leader_epoch 7")));
  Stop();
  EXPECT_THAT(Health(), EndsWith("\nstands by\n"));
  EXPECT_THAT(Scrape(), AllOf(HasSubstr("\ncurlew_leader 0"), HasSubstr("\ncurlew_leader_epoch 7")));
}

TEST_F(ControllerMetricsTest, CountsWhatHappensOverSeveralTerms) {
  Restart();
  {
    FakeAgent agent(Channel(), {"agent-a", "instance-1", {"staging-crm", "production-crm"}});
    agent.Serve(Items());
    agent.SayHello();
    v1::ApplyEnvironmentsRequest environments = testing::TwoEnvironments();
    environments.mutable_environments(1)->add_targets("nobody-crm");
    environments.mutable_environments(1)->set_max_unavailable(1);
    *environments.mutable_environments(1)->mutable_target_deadline() = base::ToProto(absl::Milliseconds(1));
    ASSERT_THAT(ApplyEnvironments(environments), IsOk());
    const auto plan = CreatePlan(testing::AddNote());
    ASSERT_THAT(plan, IsOk());
    ASSERT_THAT(CreateRollout(plan->name()), IsOk());
    WaitFor("rollouts/add-note-1", [](const v1::Rollout& r) {
      return r.stages(0).state() == v1::STAGE_STATE_DONE && r.stages(1).before().has_reached_time();
    });
    const std::string scrape =
        ScrapeUntil({R"(curlew_rpcs_total{code="ok",method="RolloutService/CreateRollout"} 1)"});
    EXPECT_THAT(
        scrape,
        AllOf(HasSubstr(R"(curlew_targets{served="true"} 2)"),
              HasSubstr(R"(curlew_targets{served="false"} 1)"), HasSubstr("\ncurlew_agent_sessions 1"),
              HasSubstr(R"(curlew_rollouts{state="running"} 1)"),
              HasSubstr(R"(curlew_runs{environment="production",state="compiled"} 1)"),
              HasSubstr("\ncurlew_drifted_targets 0"), HasSubstr("\ncurlew_running_checks 0"),
              HasSubstr(R"(curlew_waits{cause="approval",party="people"} 1)"),
              HasSubstr(R"(curlew_open_rpcs{method="AgentService/Session"} 1)"),
              HasSubstr(R"(curlew_rpcs_total{code="ok",method="RolloutService/CreateRollout"} 1)"),
              HasSubstr(R"(curlew_rpc_duration_seconds_count{method="PlanService/CreatePlan"} 1)"),
              HasSubstr(R"(outcome="succeeded",phase="add")"),
              HasSubstr(R"(curlew_store_operation_duration_seconds_count{operation="commit"})")));
  }
  Restart();
  EXPECT_THAT(ScrapeUntil({R"(curlew_open_rpcs{method="AgentService/Session"} 0)"}),
              AllOf(HasSubstr(R"(curlew_rollouts{state="running"} 1)"),
                    HasSubstr(R"(curlew_rpcs_total{code="ok",method="RolloutService/CreateRollout"} 1)"),
                    HasSubstr(R"(curlew_events_total{type="rollout_created"} 1)"),
                    HasSubstr(R"(curlew_open_rpcs{method="AgentService/Session"} 0)")));
}

TEST_F(ControllerMetricsTest, CountsCallsThatFailByTheirCode) {
  Restart();
  EXPECT_FALSE(GetRollout("rollouts/nosuch").ok());
  const std::string counted = R"(curlew_rpcs_total{code="not_found",method="RolloutService/GetRollout"} 1)";
  EXPECT_THAT(ScrapeUntil({counted}), HasSubstr(counted));
}

TEST_F(ControllerMetricsTest, CallersCannotMakeLabels) {
  EXPECT_EQ(MethodLabel("/curlew.v1.RolloutService/GetRollout"), "RolloutService/GetRollout");
  for (const char* method :
       {"/curlew.v1.RolloutService/Nosuch", "/nosuch.Service/Method", "", "/", "GetRollout",
        "/curlew.v1.RolloutService.GetRollout/", "/grpc.health.v1.Health/Check"}) {
    EXPECT_EQ(MethodLabel(method), "other") << method;
  }
}

TEST_F(ControllerMetricsTest, ALoopThatDoesNotAnswerIsUnwellAndHoldsUpNoScrape) {
  Serve({.deadline = absl::Milliseconds(50), .period = absl::Hours(1)});
  FakeRolloutStore store;
  dispatch::Engine engine(&store, &clock_, dispatch::EngineOptions());
  metrics_->Leads(&engine, 3);
  EXPECT_THAT(Health(), EndsWith("\nleads\n"));
  absl::Notification go_on;
  engine.loop().Post([&] { go_on.WaitForNotification(); });
  EXPECT_THAT(Health(), AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("has not answered within 50ms")));
  EXPECT_THAT(Scrape(), AllOf(StartsWith("HTTP/1.1 200 OK"), HasSubstr("\ncurlew_leader 1"),
                              HasSubstr("curlew_rollouts"), Not(HasSubstr("curlew_targets"))));
  go_on.Notify();
  engine.loop().Run([] {});
  EXPECT_THAT(Health(), EndsWith("\nleads\n"));
  metrics_->StandsBy();
}

}  // namespace
}  // namespace curlew::web
