// Checks of gates and of health, through an engine.
#include "controller/dispatch/check_dispatcher.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "tests/controller/support/engine_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::AddsColumn;
using ::curlew::testing::EngineFixture;
using ::curlew::testing::IsOk;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class CheckDispatcherTest : public EngineFixture {
 protected:
  static v1::HealthCheck Http(const std::string& name, absl::Duration interval = absl::Seconds(30)) {
    v1::HealthCheck check;
    check.set_name(name);
    check.mutable_http()->set_url("http://health/{target}");
    *check.mutable_interval() = base::ToProto(interval);
    return check;
  }
  static v1::HealthCheck OfAgent(const std::string& name) {
    v1::HealthCheck check;
    check.set_name(name);
    check.mutable_agent()->set_name("replication-ok");
    return check;
  }
  static v1::HealthCheck OfPlan(const std::string& name) {
    v1::HealthCheck check;
    check.set_name(name);
    check.mutable_plan()->set_name("no-orphans");
    return check;
  }
  // A rollout before whose environment these must hold; its run is compiled.
  void StartBehind(const std::vector<v1::HealthCheck>& checks, const v1::Plan& plan = AddsColumn("p"),
                   const std::vector<std::string>& targets = {"crm"}) {
    v1::Environment staging = Environment("staging", targets);
    for (const v1::HealthCheck& check : checks) *staging.mutable_before()->add_checks() = check;
    Apply({staging});
    for (const std::string& target : targets) Serve(&agent_, target);
    ASSERT_THAT(Start("a", StorePlan(plan)), IsOk());
    loop_.RunReady();
  }
  const v1::Gate& GateNow() {
    rollout_ = Get("a");
    return rollout_.stages(0).before();
  }
  std::vector<v1::RunCheck> AskedOfAgent() {
    std::vector<v1::RunCheck> asked;
    for (const v1::ControllerMessage& message : agent_.kept) {
      if (message.has_run_check()) asked.push_back(message.run_check());
    }
    return asked;
  }
  static v1::CheckReport Says(v1::CheckState state, const std::string& value = "") {
    v1::CheckReport report;
    report.set_state(state);
    report.set_value(value);
    return report;
  }

 private:
  v1::Rollout rollout_;
};

TEST_F(CheckDispatcherTest, AGateOpensWhenItsCheckHolds) {
  StartBehind({Http("up")});
  ASSERT_THAT(checks_.asked, SizeIs(1));
  EXPECT_EQ(checks_.asked.front().first.http().url(), "http://health/crm");
  loop_.Pass(absl::Minutes(5));
  EXPECT_THAT(checks_.asked, SizeIs(1)) << "one at a time";
  EXPECT_EQ(dispatched_, 0);
  checks_.Answer(v1::CHECK_STATE_FAILING, "503");
  loop_.RunReady();
  ASSERT_THAT(GateNow().checks(), SizeIs(1));
  EXPECT_EQ(GateNow().checks(0).state(), v1::CHECK_STATE_FAILING);
  EXPECT_EQ(GateNow().checks(0).samples(0).value(), "503");
  loop_.Pass(absl::Seconds(29));
  EXPECT_THAT(checks_.asked, IsEmpty()) << "it was made just now";
  loop_.Pass(absl::Seconds(2));
  ASSERT_THAT(checks_.asked, SizeIs(1));
  checks_.Answer(v1::CHECK_STATE_PASSING, "200");
  loop_.Pass(absl::Seconds(5));
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_SUCCEEDED) << Get("a").DebugString();
  loop_.Pass(absl::Hours(1));
  EXPECT_THAT(checks_.asked, IsEmpty()) << "nobody wants to know any more";
}

TEST_F(CheckDispatcherTest, AfterARestartWhatWasAskedIsDueAgain) {
  StartBehind({Http("up")});
  ASSERT_THAT(checks_.asked, SizeIs(1));
  Restart();
  loop_.RunReady();
  EXPECT_THAT(checks_.asked, SizeIs(1));
}

TEST_F(CheckDispatcherTest, TheAgentMakesItsOwnChecksAndThoseOfThePlan) {
  v1::Plan plan = AddsColumn("p");
  v1::PlanCheck* declared = plan.add_checks();
  declared->set_name("no-orphans");
  declared->set_sql("SELECT true");
  StartBehind({OfAgent("mine"), OfPlan("plans")}, plan);
  const auto asked = AskedOfAgent();
  ASSERT_THAT(asked, SizeIs(2));
  EXPECT_EQ(asked[0].configured(), "replication-ok");
  EXPECT_EQ(base::FromProto(asked[0].timeout()), absl::Seconds(10));
  EXPECT_EQ(asked[1].sql(), "SELECT true");
  EXPECT_EQ(asked[1].target(), "crm");
  agent_.make_check = [](const v1::RunCheck&) { return Says(v1::CHECK_STATE_PASSING, "t"); };
  agent_.TakeUp();
  loop_.Pass(absl::Seconds(5));
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_SUCCEEDED) << Get("a").DebugString();
}

TEST_F(CheckDispatcherTest, ACheckThatThePlanDoesNotDeclareIsAnError) {
  StartBehind({OfPlan("plans")});
  EXPECT_THAT(AskedOfAgent(), IsEmpty());
  EXPECT_EQ(GateNow().checks(0).state(), v1::CHECK_STATE_ERROR);
  EXPECT_THAT(GateNow().checks(0).message(), HasSubstr("declares none of that name"));
}

TEST_F(CheckDispatcherTest, AnAgentThatDoesNotAnswerInTimeIsAnError) {
  StartBehind({OfAgent("mine")});
  ASSERT_THAT(AskedOfAgent(), SizeIs(1));
  agent_.kept.clear();
  loop_.Pass(absl::Seconds(12));
  EXPECT_EQ(GateNow().checks(0).state(), v1::CHECK_STATE_ERROR);
  EXPECT_EQ(GateNow().checks(0).failures(), 1);
  EXPECT_EQ(dispatched_, 0);
}

TEST_F(CheckDispatcherTest, AGateIsClosedWhereTheAgentIsGone) {
  StartBehind({OfAgent("mine"), Http("up")});
  Lose("crm");
  loop_.RunReady();
  EXPECT_EQ(GateNow().checks(0).state(), v1::CHECK_STATE_ERROR);
  EXPECT_THAT(GateNow().checks(0).message(), HasSubstr("not served"));
}

TEST_F(CheckDispatcherTest, WhoCannotBeReachedIsNotUnhealthy) {
  v1::Environment staging = Environment("staging", {"crm", "shop"});
  *staging.add_health() = OfAgent("mine");
  Apply({staging});
  agent_.works = false;
  agent_.make_check = [](const v1::RunCheck&) { return Says(v1::CHECK_STATE_PASSING); };
  for (const char* target : {"crm", "shop"}) Serve(&agent_, target);
  ASSERT_THAT(Start("a", StorePlan(AddsColumn("p"))), IsOk());
  loop_.Pass(absl::Minutes(1));
  ASSERT_THAT(Get("a").stages(0).health(), SizeIs(2)) << Get("a").DebugString();
  Lose("shop");
  loop_.Pass(absl::Minutes(10));
  const v1::Rollout rollout = Get("a");
  EXPECT_EQ(rollout.state(), v1::ROLLOUT_STATE_RUNNING) << "it was not paused: " << rollout.reason();
  for (const v1::CheckStatus& status : rollout.stages(0).health()) EXPECT_EQ(status.failures(), 0);
}

TEST_F(CheckDispatcherTest, HealthThatFailsThreeTimesPausesTheRollout) {
  v1::Environment staging = Environment("staging", {"crm"});
  *staging.add_health() = Http("errors");
  Apply({staging});
  agent_.works = false;
  Serve(&agent_, "crm");
  ASSERT_THAT(Start("a", StorePlan(AddsColumn("p"))), IsOk());
  for (int i = 0; i < 3; ++i) {
    loop_.Pass(absl::Seconds(31));
    EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_RUNNING);
    ASSERT_THAT(checks_.asked, SizeIs(1));
    checks_.Answer(v1::CHECK_STATE_FAILING, "0.7");
  }
  loop_.RunReady();
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_PAUSED) << Get("a").DebugString();
}

TEST_F(CheckDispatcherTest, NotMoreThanSoManyAtOnceAndNobodyIsForgotten) {
  options_.checks.most_at_once = 3;
  Restart();
  std::vector<std::string> targets;
  for (int i = 0; i < 10; ++i) targets.push_back(absl::StrCat("t", i));
  StartBehind({Http("up", absl::Hours(1))}, AddsColumn("p"), targets);
  int made = 0;
  while (!checks_.asked.empty()) {
    EXPECT_LE(checks_.asked.size(), 3u);
    checks_.Answer(v1::CHECK_STATE_PASSING);
    loop_.RunReady();
    ++made;
  }
  EXPECT_EQ(made, 10);
  loop_.Pass(absl::Minutes(1));
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_SUCCEEDED) << Get("a").DebugString();
}

TEST_F(CheckDispatcherTest, WithoutARunnerAChecksOverHttpIsAnError) {
  options_.checks.runner = nullptr;
  Restart();
  StartBehind({Http("up")});
  EXPECT_EQ(GateNow().checks(0).state(), v1::CHECK_STATE_ERROR);
}

TEST_F(CheckDispatcherTest, AtTheEndNothingIsReportedAnyMore) {
  StartBehind({Http("up"), OfAgent("mine")});
  engine().Drain(absl::UnavailableError("the controller is shutting down"));
  const int commits = store_.commits;
  checks_.Answer(v1::CHECK_STATE_PASSING);
  loop_.Pass(absl::Minutes(1));
  EXPECT_EQ(store_.commits, commits);
}

}  // namespace
}  // namespace curlew::dispatch
