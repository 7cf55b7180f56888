#include "controller/dispatch/agent_requests.h"

#include <gmock/gmock.h>

#include <optional>
#include <vector>

#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "controller/dispatch/check_requests.h"
#include "controller/dispatch/preflight_requests.h"
#include "tests/controller/support/test_loop.h"
#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::curlew::testing::TestLoop;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class HandLink : public AgentLink {
 public:
  void Send(v1::ControllerMessage message) override { sent.push_back(std::move(message)); }
  const std::string& agent_id() const override { return id_; }
  const std::string& agent_version() const override { return id_; }
  absl::Time last_heard() const override { return absl::UnixEpoch(); }
  std::vector<v1::ControllerMessage> sent;

 private:
  const std::string id_ = "agent-a";
};

class AgentRequestsTest : public ::testing::Test {
 protected:
  AgentRequestsTest() {
    v1::Environment environment;
    environment.set_name("environments/staging");
    environment.add_targets("crm");
    targets_.SetEnvironments({environment});
    targets_.Find("crm")->link = &link_;
    targets_.Find("crm")->ready = true;
  }
  void AskCheck(absl::Duration timeout = absl::Seconds(10)) {
    v1::RunCheck check;
    check.set_configured("replication-ok");
    *check.mutable_timeout() = base::ToProto(timeout);
    checks_.Ask("crm", check, [this](absl::StatusOr<v1::CheckReport> report) { check_ = std::move(report); });
  }
  void AskPreflight() {
    v1::CompiledPlan plan;
    plan.set_plan_name("p");
    preflights_.Ask("crm", plan, {},
                    [this](absl::StatusOr<v1::Preflight> found) { preflight_ = std::move(found); });
  }

  TestLoop loop_;
  TargetTable targets_;
  HandLink link_, other_;
  CheckRequests checks_{&loop_, &targets_};
  PreflightRequests preflights_{&loop_, &targets_, absl::Minutes(1)};
  std::optional<absl::StatusOr<v1::CheckReport>> check_;
  std::optional<absl::StatusOr<v1::Preflight>> preflight_;
};

TEST_F(AgentRequestsTest, ACheckIsMadeByTheAgentOfItsTarget) {
  AskCheck();
  ASSERT_THAT(link_.sent, SizeIs(1));
  EXPECT_EQ(link_.sent[0].run_check().target(), "crm");
  EXPECT_EQ(link_.sent[0].run_check().configured(), "replication-ok");
  v1::CheckReport report;
  report.set_request(link_.sent[0].run_check().request());
  report.set_state(v1::CHECK_STATE_PASSING);
  checks_.Answered(&other_, report);
  EXPECT_FALSE(check_.has_value()) << "another agent was asked";
  checks_.Answered(&link_, report);
  ASSERT_TRUE(check_.has_value());
  ASSERT_THAT(*check_, IsOk());
  EXPECT_EQ((*check_)->state(), v1::CHECK_STATE_PASSING);
}

TEST_F(AgentRequestsTest, EachCheckHasItsOwnDeadlineAndAMomentForTheWay) {
  AskCheck(absl::Seconds(3));
  loop_.Pass(absl::Seconds(3));
  EXPECT_FALSE(check_.has_value());
  loop_.Pass(absl::Seconds(1));
  ASSERT_TRUE(check_.has_value());
  EXPECT_THAT(*check_, StatusIs(absl::StatusCode::kDeadlineExceeded));
}

TEST_F(AgentRequestsTest, WhoseAgentGoesIsNotServed) {
  AskCheck();
  AskPreflight();
  targets_.Find("crm")->ready = false;
  checks_.TargetDown("crm");
  preflights_.TargetDown("crm");
  ASSERT_TRUE(check_.has_value() && preflight_.has_value());
  EXPECT_EQ(base::Detail(check_->status(), base::kReason), kTargetNotServed);
  EXPECT_EQ(base::Detail(preflight_->status(), base::kReason), kTargetNotServed);
}

TEST_F(AgentRequestsTest, PreflightGetsThePlanAndGivesWhatWasFound) {
  AskPreflight();
  ASSERT_THAT(link_.sent, SizeIs(1));
  EXPECT_EQ(link_.sent[0].run_preflight().compiled_plan().plan_name(), "p");
  v1::PreflightReport report;
  report.set_request(link_.sent[0].run_preflight().request());
  report.mutable_preflight()->add_findings()->set_code("disk");
  preflights_.Answered(&link_, report);
  ASSERT_TRUE(preflight_.has_value());
  ASSERT_THAT(*preflight_, IsOk());
  EXPECT_EQ((*preflight_)->findings(0).code(), "disk");
}

TEST_F(AgentRequestsTest, APreflightThatCouldNotBeMadeSaysWhy) {
  AskPreflight();
  v1::PreflightReport report;
  report.set_request(link_.sent[0].run_preflight().request());
  report.set_error("the database is starting up");
  preflights_.Answered(&link_, report);
  ASSERT_TRUE(preflight_.has_value());
  EXPECT_THAT(*preflight_, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("starting up")));
  const v1::Preflight told = PreflightNotMade(preflight_->status(), absl::FromUnixSeconds(5));
  ASSERT_THAT(told.findings(), SizeIs(1));
  EXPECT_EQ(told.findings(0).severity(), v1::PREFLIGHT_SEVERITY_WARNING);
  EXPECT_THAT(told.findings(0).message(), HasSubstr("starting up"));
  EXPECT_TRUE(told.has_time());
}

TEST_F(AgentRequestsTest, AReportThatHoldsNothingIsNone) {
  AskPreflight();
  v1::PreflightReport report;
  report.set_request(link_.sent[0].run_preflight().request());
  preflights_.Answered(&link_, report);
  ASSERT_TRUE(preflight_.has_value());
  EXPECT_THAT(*preflight_, StatusIs(absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace curlew::dispatch
