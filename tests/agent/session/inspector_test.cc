#include "agent/session/inspector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/journal/fenced_transaction.h"
#include "agent/journal/takeover.h"
#include "common/base/proto_time.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::testing::HasSubstr;

class InspectorTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override {
    conninfo_ = NewDatabase("CREATE TABLE jobs (id int)");
    outbox_.Open();
    Make(conninfo_);
  }
  void TearDown() override {
    inspector_.reset();
    PgTest::TearDown();
  }
  void Make(const std::string& conninfo) {
    inspector_ = std::make_unique<Inspector>(
        InspectorOptions{.target = "crm",
                         .connect = {.conninfo = conninfo},
                         .checks = {{"empty", {.sql = "SELECT NOT EXISTS (SELECT FROM jobs)"}}}},
        &outbox_);
  }
  void Ask(int64_t request, const std::string& sql, absl::Duration timeout = absl::Seconds(30)) {
    v1::ControllerMessage message;
    v1::RunCheck& check = *message.mutable_run_check();
    check.set_request(request);
    check.set_target("crm");
    check.set_sql(sql);
    *check.mutable_timeout() = base::ToProto(timeout);
    inspector_->Handle(message);
  }
  v1::AgentMessage Answer() {
    const auto message = outbox_.Pop(absl::Seconds(60));
    EXPECT_TRUE(message.has_value());
    return message.value_or(v1::AgentMessage());
  }
  // Until so many sessions do what `condition` says.
  void AwaitSessions(const std::string& condition, const std::string& count) {
    const std::string sql = absl::StrCat(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND ",
        condition);
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (Query(conninfo_, sql) != count && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
    EXPECT_EQ(Query(conninfo_, sql), count);
  }

  std::string conninfo_;
  Outbox outbox_;
  std::unique_ptr<Inspector> inspector_;
};

TEST_F(InspectorTest, AnswersChecksAndPreflightsByTheirNumbers) {
  v1::ControllerMessage message;
  message.mutable_run_check()->set_request(3);
  message.mutable_run_check()->set_target("crm");
  message.mutable_run_check()->set_configured("empty");
  inspector_->Handle(message);
  const v1::CheckReport report = Answer().check_report();
  EXPECT_EQ(report.request(), 3);
  EXPECT_EQ(report.state(), v1::CHECK_STATE_PASSING) << report.DebugString();
  message.mutable_run_preflight()->set_request(4);
  inspector_->Handle(message);
  const v1::PreflightReport preflight = Answer().preflight_report();
  EXPECT_EQ(preflight.request(), 4);
  EXPECT_EQ(preflight.target(), "crm");
  EXPECT_EQ(preflight.error(), "");
  EXPECT_TRUE(preflight.preflight().has_time());
}

TEST_F(InspectorTest, MakesAFewAtATimeAndQueuesTheRest) {
  Query(conninfo_, "CREATE TABLE gate (id int)");
  auto holder = Connect(conninfo_);
  ASSERT_OK(holder->Execute("BEGIN; LOCK TABLE gate").status());
  for (int i = 1; i <= 4; ++i) Ask(i, "SELECT count(*) = 0 FROM gate");
  AwaitSessions("wait_event_type = 'Lock'", absl::StrCat(Inspector::kMostAtOnce));
  ASSERT_OK(holder->Execute("COMMIT").status());
  std::map<int64_t, v1::CheckState> states;
  for (int i = 1; i <= 4; ++i) {
    const v1::CheckReport report = Answer().check_report();
    states[report.request()] = report.state();
  }
  EXPECT_EQ(states.size(), 4);
  for (const auto& [request, state] : states) EXPECT_EQ(state, v1::CHECK_STATE_PASSING) << request;
}

TEST_F(InspectorTest, RefusesWhatIsTooMuch) {
  auto holder = Connect(conninfo_);
  ASSERT_OK(holder->Execute("BEGIN; LOCK TABLE jobs").status());
  const int most = Inspector::kMostAtOnce + static_cast<int>(Inspector::kMostWaiting);
  for (int i = 1; i <= most + 2; ++i) Ask(i, "SELECT count(*) = 0 FROM jobs");
  const v1::CheckReport report = Answer().check_report();
  EXPECT_EQ(report.state(), v1::CHECK_STATE_ERROR);
  EXPECT_THAT(report.message(), HasSubstr("looks wait already"));
}

TEST_F(InspectorTest, NeedsNoLockOfTheTargetAndIsEndedByATakeover) {
  // An agent is at work, and holds the work lock.
  TakeoverOptions options{
      .connect = {.conninfo = conninfo_}, .target = "crm", .agent_id = "a", .instance_id = "one"};
  CancelToken never;
  ASSERT_OK_AND_ASSIGN(const Tenure tenure, TakeOver(options, never));
  auto worker = Connect(conninfo_);
  ASSERT_OK(FenceSession(worker.get(), {tenure.epoch, "one"}));
  Ask(1, "SELECT true");
  EXPECT_EQ(Answer().check_report().state(), v1::CHECK_STATE_PASSING);
  worker.reset();
  // A takeover just then: what was asked is asked once more.
  Query(conninfo_, "CREATE TABLE gate (id int)");
  auto holder = Connect(conninfo_);
  ASSERT_OK(holder->Execute("BEGIN; LOCK TABLE gate").status());
  Ask(2, "SELECT count(*) = 0 FROM gate");
  AwaitSessions("wait_event_type = 'Lock'", "1");
  options.instance_id = "two";
  ASSERT_OK(TakeOver(options, never).status());
  AwaitSessions("wait_event_type = 'Lock'", "1");
  ASSERT_OK(holder->Execute("COMMIT").status());
  EXPECT_EQ(Answer().check_report().state(), v1::CHECK_STATE_PASSING);
}

TEST_F(InspectorTest, StopsAtOnce) {
  auto holder = Connect(conninfo_);
  ASSERT_OK(holder->Execute("BEGIN; LOCK TABLE jobs").status());
  for (int i = 1; i <= 4; ++i) Ask(i, "SELECT count(*) = 0 FROM jobs", absl::Minutes(5));
  AwaitSessions("wait_event_type = 'Lock'", absl::StrCat(Inspector::kMostAtOnce));
  const absl::Time began = absl::Now();
  inspector_->Stop();
  EXPECT_LT(absl::Now() - began, absl::Seconds(10));
  Ask(5, "SELECT true");
  outbox_.Close();
  EXPECT_FALSE(outbox_.Pop(absl::ZeroDuration()).has_value());
}

TEST_F(InspectorTest, AnswersAlsoWhereTheTargetCannotBeReached) {
  Make("host=/no/such/socket dbname=x password=geheim");
  Ask(1, "SELECT true");
  const v1::CheckReport report = Answer().check_report();
  EXPECT_EQ(report.state(), v1::CHECK_STATE_ERROR);
  EXPECT_THAT(report.message(), ::testing::Not(HasSubstr("geheim")));
  v1::ControllerMessage message;
  message.mutable_run_preflight()->set_request(2);
  inspector_->Handle(message);
  EXPECT_THAT(Answer().preflight_report().error(), HasSubstr("target crm: "));
}

}  // namespace
}  // namespace curlew::agent
