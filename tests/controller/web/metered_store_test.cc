// What the ledger counts, through the store that feeds it. The same changes give the same numbers.
#include "controller/web/metered_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "controller/rollout/machine.h"
#include "tests/support/fake_rollout_store.h"
#include "tests/support/status_matchers.h"

namespace curlew::web {
namespace {

using ::curlew::testing::FakeRolloutStore;
using ::curlew::testing::IsOk;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TurnedClock : public base::Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Time now = absl::FromUnixSeconds(1'800'000'000);
};

class MeteredStoreTest : public ::testing::Test {
 protected:
  // Applies an input, as the driver does.
  void Apply(const rollout::Input& input) {
    auto transition = rollout::Advance(rollout_, input, clock_.now, options_);
    ASSERT_THAT(transition, IsOk());
    store::RolloutChange change;
    change.expected_version = version_;
    change.rollout = transition->state;
    change.events = transition->events;
    for (size_t i = 0; i < transition->commands.size(); ++i) {
      change.outbox.push_back({.rollout = transition->state.name(), .target = "crm", .kind = "dispatch"});
    }
    const auto version = metered_->Commit(change);
    ASSERT_THAT(version, IsOk());
    version_ = *version;
    rollout_ = transition->state;
    for (const rollout::Command& command : transition->commands) {
      if (const auto* dispatch = std::get_if<rollout::DispatchAttempt>(&command)) sent_ = *dispatch;
    }
  }

  // A rollout through one environment with a gate before it, served by an agent: at the gate, compiled. Once
  // that is open, the run is compiled again.
  void Start() {
    v1::Environment environment;
    environment.set_name("environments/staging");
    environment.add_targets("crm");
    environment.mutable_before()->set_approvals(1);
    rollout_ = rollout::NewRollout(
        {.name = "rollouts/secret", .plan = "plans/p", .plan_digest = "d", .creator = "alice"}, {environment},
        clock_.now);
    Apply(rollout::Started{"alice"});
    Apply(rollout::AgentReady{.target = "crm", .epoch = 1});
    Compile();
  }
  void Compile() {
    v1::CompiledPlan plan;
    for (const char* key : {"add", "fill"}) {
      v1::Step* step = plan.add_steps();
      step->set_key(key);
      step->set_phase(step->key() == "add" ? v1::PHASE_ADD : v1::PHASE_BACKFILL);
    }
    Apply(rollout::Compiled{.target = "crm", .plan = plan, .digest = "c", .steps_digest = "s"});
  }
  void Succeed(absl::Duration after) {
    Apply(rollout::AttemptAcked{"crm", sent_.attempt});
    clock_.now += after;
    Apply(rollout::AttemptEnded{
        .target = "crm", .attempt = sent_.attempt, .outcome = v1::ATTEMPT_STATE_SUCCEEDED});
  }

  std::string Scrape() {
    auto families = ledger_.Collect(clock_.now);
    metrics::Append(registry_.Collect(), &families);
    return prometheus::TextSerializer().Serialize(families);
  }

  rollout::MachineOptions options_;
  TurnedClock clock_;
  metrics::Registry registry_;
  StoreMetrics store_metrics_{&registry_};
  RolloutLedger ledger_{&registry_};
  FakeRolloutStore store_;
  std::unique_ptr<MeteredStore> metered_ =
      std::make_unique<MeteredStore>(&store_, &clock_, &store_metrics_, &ledger_);
  v1::Rollout rollout_;
  int64_t version_ = 0;
  rollout::DispatchAttempt sent_;
};

TEST_F(MeteredStoreTest, SplitsARolloutIntoWorkAndWhomItWaitedFor) {
  Start();
  EXPECT_THAT(Scrape(), AllOf(HasSubstr("curlew_rollouts{state=\"running\"} 1"),
                              HasSubstr(R"(curlew_runs{environment="staging",state="compiled"} 1)"),
                              HasSubstr(R"(curlew_waits{cause="approval",party="people"} 1)")));
  clock_.now += absl::Hours(3);
  EXPECT_THAT(Scrape(),
              AllOf(HasSubstr("curlew_gate_longest_wait_seconds 10800"),
                    HasSubstr(R"(curlew_waiting_seconds_total{cause="approval",party="people"} 10800)")));
  clock_.now += absl::Hours(1);
  Apply(rollout::Approved{.gate = "", .actor = "bob"});
  Compile();
  Succeed(absl::Seconds(30));
  Apply(rollout::AgentLost{"crm"});
  clock_.now += absl::Seconds(40);
  Apply(rollout::AgentReady{.target = "crm", .epoch = 2});
  Succeed(absl::Seconds(20));
  ASSERT_EQ(rollout_.state(), v1::ROLLOUT_STATE_SUCCEEDED) << rollout_.DebugString();
  const std::string scrape = Scrape();
  const auto part = [](const char* name, int seconds) {
    return HasSubstr(absl::StrCat("curlew_rollout_duration_seconds_sum{part=\"", name,
                                  "\",state=\"succeeded\"} ", seconds, "\n"));
  };
  EXPECT_THAT(scrape, AllOf(part("work", 50), part("people", 14400), part("machines", 40),
                            part("applications", 0), part("unseen", 0)));
  EXPECT_THAT(scrape,
              AllOf(HasSubstr(R"(curlew_step_attempts_total{outcome="succeeded",phase="add"} 1)"),
                    HasSubstr(R"(curlew_step_attempts_total{outcome="lost",phase="backfill"} 1)"),
                    HasSubstr(R"(curlew_step_attempts_total{outcome="succeeded",phase="backfill"} 1)")));
  EXPECT_THAT(scrape, AllOf(HasSubstr(R"(curlew_step_duration_seconds_sum{phase="add"} 30)"),
                            HasSubstr(R"(curlew_step_duration_seconds_sum{phase="backfill"} 20)"),
                            HasSubstr(R"(curlew_gate_wait_seconds_sum{gate="before"} 14400)"),
                            HasSubstr(R"(curlew_waiting_seconds_total{cause="agent",party="machines"} 40)"),
                            HasSubstr(R"(curlew_events_total{type="gate_opened"} 1)"),
                            HasSubstr("curlew_rollouts{state=\"running\"} 0"),
                            HasSubstr("curlew_gate_longest_wait_seconds 0")));
  EXPECT_THAT(scrape, AllOf(Not(HasSubstr("secret")), Not(HasSubstr("crm")))) << "unbounded labels";
}

TEST_F(MeteredStoreTest, APausedOrFailedRolloutWaitsForPeople) {
  Start();
  Apply(rollout::Approved{.gate = "", .actor = "bob"});
  Compile();
  Apply(rollout::AttemptAcked{"crm", sent_.attempt});
  Apply(
      rollout::AttemptEnded{.target = "crm", .attempt = sent_.attempt, .outcome = v1::ATTEMPT_STATE_FAILED});
  clock_.now += absl::Minutes(10);
  EXPECT_THAT(Scrape(),
              AllOf(HasSubstr(R"(curlew_rollouts{state="failed"} 1)"),
                    HasSubstr(R"(curlew_waiting_seconds_total{cause="failure",party="people"} 600)"),
                    HasSubstr(R"(curlew_step_attempts_total{outcome="failed",phase="add"} 1)")));
}

TEST_F(MeteredStoreTest, NumbersDoNotDependOnWhenSomebodyLooks) {
  Start();
  for (int i = 0; i < 60; ++i) {
    clock_.now += absl::Minutes(1);
    Scrape();
  }
  EXPECT_THAT(Scrape(), HasSubstr(R"(curlew_waiting_seconds_total{cause="approval",party="people"} 3600)"));
}

TEST_F(MeteredStoreTest, TheNextTermTakesOverWhatTheStoreHas) {
  Start();
  clock_.now += absl::Hours(1);
  metered_.reset();
  EXPECT_THAT(Scrape(), HasSubstr("curlew_rollouts{state=\"running\"} 0"));
  // Another process leads meanwhile: what it does is not this one's.
  clock_.now += absl::Hours(5);
  metered_ = std::make_unique<MeteredStore>(&store_, &clock_, &store_metrics_, &ledger_);
  std::string next;
  ASSERT_THAT(metered_->ListRollouts({}, &next), IsOk());
  clock_.now += absl::Hours(1);
  EXPECT_THAT(Scrape(),
              AllOf(HasSubstr("curlew_rollouts{state=\"running\"} 1"),
                    HasSubstr(R"(curlew_waiting_seconds_total{cause="approval",party="people"} 7200)"),
                    HasSubstr("curlew_gate_longest_wait_seconds 25200")));
  Apply(rollout::AbortAsked{"bob", ""});
  EXPECT_THAT(
      Scrape(),
      AllOf(HasSubstr(R"(curlew_rollout_duration_seconds_sum{part="people",state="aborted"} 3600)"),
            HasSubstr(R"(curlew_rollout_duration_seconds_sum{part="unseen",state="aborted"} 21600)")));
}

TEST_F(MeteredStoreTest, WhatAgentsTellThatTheyWaitForIsAddedUp) {
  const absl::Time since = clock_.now - absl::Seconds(5);
  ledger_.AgentsWait({{Cause::kLock, since}, {Cause::kLock, since}, {Cause::kThrottle, since}}, clock_.now);
  EXPECT_THAT(Scrape(), AllOf(HasSubstr(R"(curlew_waits{cause="lock",party="applications"} 2)"),
                              HasSubstr(R"(seconds_total{cause="lock",party="applications"} 10)"),
                              HasSubstr(R"(seconds_total{cause="throttle",party="machines"} 5)")));
  clock_.now += absl::Seconds(1);
  ledger_.AgentsWait({{Cause::kLock, since}}, clock_.now);
  EXPECT_THAT(Scrape(), AllOf(HasSubstr(R"(curlew_waits{cause="lock",party="applications"} 1)"),
                              HasSubstr(R"(seconds_total{cause="lock",party="applications"} 11)"),
                              HasSubstr(R"(seconds_total{cause="throttle",party="machines"} 5)")));
}

TEST_F(MeteredStoreTest, CountsCallsTheirErrorsAndTheOutbox) {
  Start();
  EXPECT_THAT(Scrape(), HasSubstr("curlew_outbox_entries 1"));  // a compile
  Apply(rollout::Approved{.gate = "", .actor = "bob"});         // another one
  EXPECT_THAT(Scrape(), HasSubstr("curlew_outbox_entries 2"));
  ASSERT_THAT(metered_->PendingOutbox(), IsOk());
  EXPECT_THAT(Scrape(), HasSubstr("curlew_outbox_entries 2"));
  store_.FailWith(absl::UnavailableError("the disk is full"));
  EXPECT_FALSE(metered_->Commit({}).ok());
  EXPECT_FALSE(metered_->ListEnvironments().ok());
  EXPECT_FALSE(metered_->PutEnvironments({}, {}).ok());
  EXPECT_FALSE(metered_->records().Put({}).ok());
  EXPECT_FALSE(metered_->records().AuditHead().ok());
  EXPECT_THAT(
      Scrape(),
      AllOf(HasSubstr(R"(curlew_store_errors_total{code="unavailable",operation="commit"} 1)"),
            HasSubstr(R"(curlew_store_errors_total{code="unavailable",operation="list_environments"} 1)"),
            HasSubstr(R"(curlew_store_errors_total{code="unavailable",operation="put_record"} 1)"),
            HasSubstr(R"(curlew_store_errors_total{code="unavailable",operation="audit_head"} 1)"),
            HasSubstr(R"(curlew_store_operation_duration_seconds_count{operation="commit"} 5)")));
}

TEST_F(MeteredStoreTest, EveryCallOfTheRecordsIsCountedAndPassed) {
  store::Record record;
  record.audit.emplace_back().set_action("baseline.take");
  record.notifications.emplace_back().set_message("drift");
  store::RecordStore& records = metered_->records();
  ASSERT_THAT(records.Put(record), IsOk());
  EXPECT_EQ(store_.records().AuditHead()->number(), 1);
  EXPECT_EQ(records.AuditHead()->number(), 1);
  EXPECT_EQ(records.ListAudit(0, 10)->size(), 1u);
  const auto pending = records.PendingNotifications(0, 10);
  ASSERT_THAT(pending, IsOk());
  ASSERT_EQ(pending->size(), 1u);
  ASSERT_THAT(records.UpdateNotification(pending->front()), IsOk());
  ASSERT_THAT(records.RemoveNotification(pending->front().id()), IsOk());
  v1::TargetRecord on_record;
  on_record.set_target("crm");
  ASSERT_THAT(records.AddTargetRecord(on_record, {}), IsOk());
  ASSERT_THAT(records.NewestTargetRecord("crm"), IsOk());
  std::string next;
  EXPECT_EQ(records.ListTargetRecords("crm", {}, &next)->size(), 1u);
  const std::string scrape = Scrape();
  for (const char* operation :
       {"put_record", "list_audit", "audit_head", "pending_notifications", "remove_notification",
        "update_notification", "add_target_record", "newest_target_record", "list_target_records"}) {
    EXPECT_THAT(scrape, HasSubstr(absl::StrCat("curlew_store_operation_duration_seconds_count{operation=\"",
                                               operation, "\"} 1")));
  }
  EXPECT_THAT(scrape, Not(HasSubstr("curlew_store_errors_total{")));
}

TEST_F(MeteredStoreTest, SoIsEveryCallOfTheTokens) {
  store::TokenEntry entry{.hash = std::string(64, 'a'), .token = {}};
  entry.token.set_name("tokens/ci");
  ASSERT_THAT(metered_->tokens().AddToken(entry, {}), IsOk());
  std::string next;
  EXPECT_EQ(store_.tokens().ListTokens({}, &next)->size(), 1u);
  EXPECT_EQ(metered_->tokens().ListTokens({}, &next)->size(), 1u);
  v1::Token revocation = entry.token;
  revocation.mutable_revoke_time()->set_seconds(1);
  EXPECT_TRUE(metered_->tokens().RevokeToken(revocation, {})->has_revoke_time());
  const std::string scrape = Scrape();
  for (const char* operation : {"add_token", "list_tokens", "revoke_token"}) {
    EXPECT_THAT(scrape, HasSubstr(absl::StrCat("curlew_store_operation_duration_seconds_count{operation=\"",
                                               operation, "\"} 1")));
  }
}

}  // namespace
}  // namespace curlew::web
