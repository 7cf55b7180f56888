#include "agent/session/target_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/canonical_json.h"
#include "common/base/proto_time.h"
#include "tests/support/pg_test.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kRun[] = "rollouts/r1/runs/crm";

// Plays the controller of one target.
class TargetServerTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override {
    conninfo_ = NewDatabase(
        "CREATE TABLE contacts (id int PRIMARY KEY, phone text);"
        "INSERT INTO contacts SELECT g, g::text FROM generate_series(1, 100) g");
    lease_.SetLeaseTime(absl::Hours(1));
    lease_.Heard();
    outbox_.Open();
    plan_ = Plan();
  }
  void TearDown() override {
    server_.reset();
    PgTest::TearDown();
  }

  static v1::CompiledPlan Plan() {
    v1::CompiledPlan plan;
    plan.set_plan_name("p");
    const auto add = [&](const std::string& key, const std::string& sql) {
      v1::Step& step = *plan.add_steps();
      step.set_key(key);
      step.set_phase(v1::PHASE_ADD);
      step.mutable_action()->mutable_execute_sql()->add_statements(sql);
    };
    add("add-1", "ALTER TABLE contacts ADD COLUMN a int");
    plan.mutable_steps(0)->mutable_undo()->mutable_execute_sql()->add_statements(
        "ALTER TABLE contacts DROP COLUMN IF EXISTS a");
    add("add-2", "SELECT pg_sleep(300)");
    *plan.mutable_settings()->mutable_ddl_statement_timeout() = base::ToProto(absl::Minutes(10));
    return plan;
  }

  std::unique_ptr<TargetServer> Serve(const std::string& conninfo, const std::string& instance = "one",
                                      RowKeys row_keys = RowKeys::kWithhold) {
    TargetOptions options{.target = "crm", .agent_id = "agent", .instance_id = instance};
    options.row_keys = row_keys;
    options.pool.connect.conninfo = conninfo;
    options.retry = {.first = absl::Milliseconds(20), .longest = absl::Milliseconds(100)};
    return std::make_unique<TargetServer>(options, &outbox_, &lease_);
  }

  void Lease(v1::LeaseState state) {
    v1::ControllerMessage message;
    message.mutable_lease()->set_target("crm");
    message.mutable_lease()->set_state(state);
    server_->Handle(message);
  }

  // The next message of a kind; others are passed over.
  v1::AgentMessage Await(v1::AgentMessage::KindCase kind) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (absl::Now() < deadline) {
      const auto message = outbox_.Pop(deadline - absl::Now());
      if (message.has_value() && message->kind_case() == kind) return *message;
    }
    ADD_FAILURE() << "no message of kind " << kind;
    return {};
  }

  v1::TargetReady Ready() {
    Lease(v1::LEASE_STATE_GRANTED);
    v1::TargetReady ready = Await(v1::AgentMessage::kTargetReady).target_ready();
    epoch_ = ready.epoch();
    return ready;
  }

  v1::Dispatch Command(const std::string& step, int attempt, v1::Direction direction = v1::DIRECTION_DO) {
    v1::Dispatch dispatch;
    dispatch.set_target("crm");
    dispatch.set_run(kRun);
    dispatch.set_step(step);
    dispatch.set_attempt(attempt);
    dispatch.set_direction(direction);
    dispatch.set_epoch(epoch_);
    dispatch.set_compiled_digest(base::CanonicalDigest(plan_));
    *dispatch.mutable_compiled_plan() = plan_;
    return dispatch;
  }
  void Send(const v1::Dispatch& dispatch) {
    v1::ControllerMessage message;
    *message.mutable_dispatch() = dispatch;
    server_->Handle(message);
  }
  v1::Result Do(const v1::Dispatch& dispatch) {
    Send(dispatch);
    EXPECT_EQ(Await(v1::AgentMessage::kAck).ack().attempt(), dispatch.attempt());
    return Await(v1::AgentMessage::kResult).result();
  }
  v1::Nack Refused(const v1::Dispatch& dispatch) {
    Send(dispatch);
    return Await(v1::AgentMessage::kNack).nack();
  }
  void Cancel(int attempt) {
    v1::ControllerMessage message;
    message.mutable_cancel()->set_target("crm");
    message.mutable_cancel()->set_run(kRun);
    message.mutable_cancel()->set_attempt(attempt);
    message.mutable_cancel()->set_reason("an operator paused it");
    server_->Handle(message);
  }

  std::string conninfo_;
  Outbox outbox_;
  LeaseClock lease_;
  v1::CompiledPlan plan_;
  int64_t epoch_ = 0;
  std::unique_ptr<TargetServer> server_;
};

TEST_F(TargetServerTest, TakesTheTargetOverOnceTheLeaseIsGiven) {
  server_ = Serve(conninfo_);
  const v1::TargetReady ready = Ready();
  EXPECT_EQ(ready.epoch(), 1);
  EXPECT_GE(ready.server_version_num(), 140000);
  EXPECT_NE(ready.system_identifier(), "");
  EXPECT_THAT(ready.held(), SizeIs(0));
}

TEST_F(TargetServerTest, DoesAStepAndKeepsItsResultUntilItIsAcknowledged) {
  server_ = Serve(conninfo_);
  Ready();
  const v1::Result result = Do(Command("add-1", 1));
  EXPECT_EQ(result.outcome(), v1::ATTEMPT_STATE_SUCCEEDED) << result.DebugString();
  EXPECT_EQ(Query(conninfo_, "SELECT count(a) FROM contacts"), "0");

  // The stream broke before the controller had stored it.
  server_->SessionLost();
  outbox_.Open();
  const v1::TargetReady again = Ready();
  EXPECT_EQ(again.epoch(), 1);
  ASSERT_THAT(again.held(), SizeIs(1));
  EXPECT_EQ(again.held(0).attempt(), 1);
  EXPECT_EQ(Await(v1::AgentMessage::kResult).result().attempt(), 1);

  v1::ControllerMessage ack;
  ack.mutable_result_ack()->set_run(kRun);
  ack.mutable_result_ack()->set_attempt(1);
  server_->Handle(ack);
  EXPECT_THAT(Ready().held(), SizeIs(0));
}

TEST_F(TargetServerTest, AStepThatWaitsIsDoneAtOnceWhereItsCommandOverridesIt) {
  v1::Wait& wait = *plan_.mutable_steps(0)->mutable_action()->mutable_wait();
  wait.mutable_shape_unused()->add_uses()->set_table("public.contacts");
  wait.mutable_shape_unused()->mutable_uses(0)->set_column("phone");
  *wait.mutable_shape_unused()->mutable_quiet() = base::ToProto(absl::Hours(1));
  server_ = Serve(conninfo_);
  Ready();
  Send(Command("add-1", 1));
  EXPECT_EQ(Await(v1::AgentMessage::kAck).ack().attempt(), 1);
  Cancel(1);
  EXPECT_EQ(Await(v1::AgentMessage::kResult).result().outcome(), v1::ATTEMPT_STATE_CANCELLED);
  v1::Dispatch overridden = Command("add-1", 2);
  overridden.mutable_override()->set_actor("bob");
  overridden.mutable_override()->set_reason("only the old report");
  EXPECT_EQ(Do(overridden).outcome(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Query(conninfo_, "SELECT state FROM curlew.step WHERE step = 'add-1'"), "succeeded");
}

TEST_F(TargetServerTest, AStepThatTheJournalKnowsIsNotDoneAgain) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  server_ = Serve(conninfo_, "two");
  EXPECT_EQ(Ready().epoch(), 2);
  v1::Dispatch again = Command("add-1", 2);
  again.clear_compiled_plan();
  EXPECT_EQ(Do(again).outcome(), v1::ATTEMPT_STATE_SUCCEEDED);
}

TEST_F(TargetServerTest, WhatABackupHasMadeIsToldAgainByTheJournal) {
  plan_.mutable_steps(0)->mutable_action()->mutable_backup()->mutable_restore_point();
  plan_.mutable_steps(0)->clear_undo();
  server_ = Serve(conninfo_);
  Ready();
  const v1::Result first = Do(Command("add-1", 1));
  ASSERT_EQ(first.outcome(), v1::ATTEMPT_STATE_SUCCEEDED) << first.DebugString();
  ASSERT_THAT(first.backups(), SizeIs(1));
  EXPECT_THAT(first.backups(0).location(), HasSubstr("curlew-r1-add-1-1 at "));
  // The agent died before the controller had heard of it.
  server_ = Serve(conninfo_, "two");
  Ready();
  const v1::Result again = Do(Command("add-1", 2));
  ASSERT_THAT(again.backups(), SizeIs(1));
  EXPECT_EQ(again.backups(0).SerializeAsString(), first.backups(0).SerializeAsString());
}

// While a step runs, and whatever it has locked.
TEST_F(TargetServerTest, LooksAtTheTargetBesideItsWork) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  Send(Command("add-2", 2));
  EXPECT_EQ(Await(v1::AgentMessage::kAck).ack().attempt(), 2);
  v1::ControllerMessage message;
  message.mutable_run_check()->set_request(5);
  message.mutable_run_check()->set_sql("SELECT count(*) = 100 FROM contacts");
  server_->Handle(message);
  const v1::CheckReport report = Await(v1::AgentMessage::kCheckReport).check_report();
  EXPECT_EQ(report.request(), 5);
  EXPECT_EQ(report.state(), v1::CHECK_STATE_PASSING) << report.DebugString();
  *message.mutable_run_preflight()->mutable_compiled_plan() = plan_;
  server_->Handle(message);
  EXPECT_EQ(Await(v1::AgentMessage::kPreflightReport).preflight_report().error(), "");
  Cancel(2);
  EXPECT_EQ(Await(v1::AgentMessage::kResult).result().outcome(), v1::ATTEMPT_STATE_CANCELLED);
}

TEST_F(TargetServerTest, TellsWhatTheJournalHas) {
  server_ = Serve(conninfo_);
  v1::TargetReady ready = Ready();
  EXPECT_THAT(ready.journal(), SizeIs(0));
  EXPECT_TRUE(ready.journal_is_whole());
  Do(Command("add-1", 1));
  ready = Ready();
  ASSERT_THAT(ready.journal(), SizeIs(1));
  EXPECT_EQ(ready.journal(0).run(), kRun);
  EXPECT_EQ(ready.journal(0).compiled_digest(), base::CanonicalDigest(plan_));
  ASSERT_THAT(ready.journal(0).done(), SizeIs(1));
  EXPECT_EQ(ready.journal(0).done(0), "add-1");
  EXPECT_THAT(ready.journal(0).undone(), SizeIs(0));
  Do(Command("add-1", 2, v1::DIRECTION_UNDO));
  ready = Ready();
  ASSERT_THAT(ready.journal(0).undone(), SizeIs(1));
  EXPECT_EQ(ready.journal(0).undone(0), "add-1");
  // What was only begun is not done.
  Query(conninfo_,
        "INSERT INTO curlew.step (run, step, direction, state, attempt, epoch) SELECT run, 'add-2', 'do',"
        " 'intent', 3, 1 FROM curlew.run");
  EXPECT_THAT(Ready().journal(0).done(), SizeIs(1));
  Query(conninfo_,
        "INSERT INTO curlew.run SELECT 'r' || g, 'p', 'd', '{}', now() - make_interval(days => g) FROM"
        " generate_series(1, 16) g");
  ready = Ready();
  EXPECT_FALSE(ready.journal_is_whole());
  ASSERT_THAT(ready.journal(), SizeIs(16));
  EXPECT_EQ(ready.journal(0).run(), kRun);
  EXPECT_EQ(ready.journal(15).run(), "r15");
}

// A standby that was promoted lacks the step: that is no mistake of the controller's.
TEST_F(TargetServerTest, WhatTheJournalLacksIsTheDatabasesFaultWhereItIsNotTheSameAnyMore) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  Query(conninfo_, "DELETE FROM curlew.step; UPDATE curlew.target SET epoch = epoch - 1");
  Send(Command("add-2", 2));
  // It ends the session, so that the controller gives the lease anew.
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (outbox_.open() && absl::Now() < deadline) {
    const auto message = outbox_.Pop(absl::Milliseconds(5));
    if (message.has_value() && message->has_nack()) {
      EXPECT_EQ(message->nack().reason(), v1::NACK_REASON_WRONG_EPOCH);
    }
  }
  ASSERT_FALSE(outbox_.open());
  outbox_.Open();
  const v1::TargetReady ready = Ready();
  EXPECT_EQ(ready.epoch(), 1);  // after 0
  ASSERT_THAT(ready.journal(), SizeIs(1));
  EXPECT_THAT(ready.journal(0).done(), SizeIs(0));
  EXPECT_THAT(ready.held(), SizeIs(0));
}

TEST_F(TargetServerTest, TheUndoOfWhatWasNeverDoneIsJournaledToo) {
  server_ = Serve(conninfo_);
  Ready();
  EXPECT_EQ(Do(Command("add-1", 1, v1::DIRECTION_UNDO)).outcome(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Query(conninfo_, "SELECT state FROM curlew.step WHERE direction = 'undo'"), "succeeded");
}

TEST_F(TargetServerTest, AnAttemptThatTakesLongerThanItsDeadlineIsErrored) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  v1::Dispatch dispatch = Command("add-2", 2);
  *dispatch.mutable_deadline() = base::ToProto(absl::Milliseconds(300));
  const absl::Time began = absl::Now();
  const v1::Result result = Do(dispatch);
  EXPECT_EQ(result.outcome(), v1::ATTEMPT_STATE_ERRORED);
  EXPECT_THAT(result.error().message(), HasSubstr("longer than its deadline of 300ms"));
  EXPECT_THAT(result.error().message(), HasSubstr("add-2"));
  EXPECT_NE(result.error().hint(), "");
  EXPECT_GE(absl::Now() - began, absl::Milliseconds(300));
  EXPECT_LT(absl::Now() - began, absl::Seconds(10));
  // Another may begin, and whom an operator stops is CANCELLED, not out of time.
  v1::Dispatch patient = Command("add-2", 3);
  *patient.mutable_deadline() = base::ToProto(absl::Hours(1));
  Send(patient);
  Await(v1::AgentMessage::kAck);
  Cancel(3);
  EXPECT_EQ(Await(v1::AgentMessage::kResult).result().outcome(), v1::ATTEMPT_STATE_CANCELLED);
}

TEST_F(TargetServerTest, WhomAnOperatorStoppedIsNotOutOfTimeWhereItsDeadlineComesMeanwhile) {
  *plan_.mutable_steps(1)->mutable_action()->mutable_execute_sql()->mutable_statements(0) =
      "DO $$ DECLARE until timestamptz := clock_timestamp() + '1500ms'; BEGIN LOOP BEGIN PERFORM "
      "pg_sleep(300);"
      " EXCEPTION WHEN query_canceled THEN IF clock_timestamp() > until THEN RAISE; END IF; END; END LOOP;"
      " END $$";
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  v1::Dispatch dispatch = Command("add-2", 2);
  *dispatch.mutable_deadline() = base::ToProto(absl::Seconds(1));
  Send(dispatch);
  Await(v1::AgentMessage::kAck);
  const std::string at_work =
      "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()";
  while (Query(conninfo_, at_work) == "0") absl::SleepFor(absl::Milliseconds(5));
  Cancel(2);
  EXPECT_EQ(Await(v1::AgentMessage::kResult).result().outcome(), v1::ATTEMPT_STATE_CANCELLED);
}

TEST_F(TargetServerTest, UndoesAStep) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  EXPECT_EQ(Do(Command("add-1", 2, v1::DIRECTION_UNDO)).outcome(), v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Query(conninfo_,
                  "SELECT count(*) FROM pg_attribute WHERE attrelid = 'contacts'::regclass"
                  " AND attname = 'a'"),
            "0");
  EXPECT_EQ(Refused(Command("add-1", 3)).reason(), v1::NACK_REASON_INVALID);
}

TEST_F(TargetServerTest, RefusesWhatMakesNoSenseAndSaysWhy) {
  server_ = Serve(conninfo_);
  Ready();
  v1::Dispatch bad = Command("add-1", 1);
  bad.clear_compiled_plan();
  EXPECT_EQ(Refused(bad).reason(), v1::NACK_REASON_NEED_PLAN);

  bad = Command("add-1", 2);
  bad.set_epoch(99);
  EXPECT_EQ(Refused(bad).reason(), v1::NACK_REASON_WRONG_EPOCH);

  bad = Command("add-1", 3);
  bad.set_compiled_digest("0000");
  const v1::Nack nack = Refused(bad);
  EXPECT_EQ(nack.reason(), v1::NACK_REASON_INVALID);
  EXPECT_THAT(nack.message(), HasSubstr("digest"));

  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM curlew.step"), "0");
}

// A database that was restored to before the run was pinned, with many others in its journal, so that this
// one is not among those that are told of: the controller hears that nothing of it is done, and begins anew.
TEST_F(TargetServerTest, ARunThatTheJournalDoesNotKnowAndThatIsNotAtItsBeginningWasLost) {
  server_ = Serve(conninfo_);
  Ready();
  Query(conninfo_,
        "INSERT INTO curlew.run SELECT 'r' || g, 'p', 'd', '{}', now() - make_interval(days => g) FROM"
        " generate_series(1, 20) g");
  EXPECT_FALSE(Ready().journal_is_whole());
  EXPECT_EQ(Refused(Command("add-2", 4)).reason(), v1::NACK_REASON_WRONG_EPOCH);
  const v1::TargetReady ready = Await(v1::AgentMessage::kTargetReady).target_ready();
  EXPECT_EQ(ready.journal(0).run(), kRun);
  EXPECT_EQ(ready.journal(0).compiled_digest(), base::CanonicalDigest(plan_));
  EXPECT_THAT(ready.journal(0).done(), SizeIs(0));
  // Told once, it is the controller's mistake.
  EXPECT_EQ(Refused(Command("add-2", 5)).reason(), v1::NACK_REASON_INVALID);
}

// The command and the agent's word that it holds nothing have crossed: the controller has given the first
// attempt up and will not cancel it.
TEST_F(TargetServerTest, ALaterAttemptOfTheRunEndsTheOneThatRuns) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  Send(Command("add-2", 2));
  Await(v1::AgentMessage::kAck);
  EXPECT_EQ(Refused(Command("add-2", 3)).reason(), v1::NACK_REASON_BUSY);
  const v1::Result result = Await(v1::AgentMessage::kResult).result();
  EXPECT_EQ(result.attempt(), 2);
  EXPECT_EQ(result.outcome(), v1::ATTEMPT_STATE_CANCELLED);
  // Neither an older one, nor another run's, has a say.
  Send(Command("add-2", 4));
  Await(v1::AgentMessage::kAck);
  EXPECT_EQ(Refused(Command("add-2", 3)).reason(), v1::NACK_REASON_BUSY);
  v1::Dispatch other = Command("add-1", 9);
  other.set_run("rollouts/r2/runs/crm");
  EXPECT_EQ(Refused(other).reason(), v1::NACK_REASON_BUSY);
  EXPECT_THAT(Ready().held(), SizeIs(3));  // two ended, one runs
  EXPECT_EQ(
      Query(conninfo_,
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(300)' AND state = 'active'"
            " AND pid <> pg_backend_pid() AND datname = current_database()"),
      "1");
  Cancel(4);
}

TEST_F(TargetServerTest, RefusesToReplaceThePlanOfARun) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  plan_.mutable_steps(1)->set_title("changed");
  EXPECT_EQ(Refused(Command("add-2", 2)).reason(), v1::NACK_REASON_INVALID);
}

TEST_F(TargetServerTest, RunsOneAttemptAtATimeAndCancelsItOnRequest) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  Send(Command("add-2", 2));
  Await(v1::AgentMessage::kAck);
  Send(Command("add-2", 2));
  EXPECT_EQ(Await(v1::AgentMessage::kAck).ack().attempt(), 2);
  EXPECT_EQ(Refused(Command("add-2", 1)).reason(), v1::NACK_REASON_BUSY);
  Cancel(2);
  const v1::Result result = Await(v1::AgentMessage::kResult).result();
  EXPECT_EQ(result.outcome(), v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_THAT(result.error().message(), HasSubstr("add-2"));
}

TEST_F(TargetServerTest, ACommandThatComesAgainAfterItsAttemptWasCancelledBeginsNothing) {
  server_ = Serve(conninfo_);
  Ready();
  EXPECT_EQ(Do(Command("add-1", 1)).outcome(), v1::ATTEMPT_STATE_SUCCEEDED);
  Send(Command("add-2", 2));
  Await(v1::AgentMessage::kAck);
  Cancel(2);
  EXPECT_EQ(Await(v1::AgentMessage::kResult).result().outcome(), v1::ATTEMPT_STATE_CANCELLED);
  v1::ControllerMessage stored;
  stored.mutable_result_ack()->set_run(kRun);
  stored.mutable_result_ack()->set_attempt(2);
  server_->Handle(stored);
  const v1::Nack nack = Refused(Command("add-2", 2));
  EXPECT_EQ(nack.reason(), v1::NACK_REASON_INVALID);
  EXPECT_THAT(nack.message(), HasSubstr("attempt 2 is an old one"));
}

TEST_F(TargetServerTest, HoldsARunningAttemptOverAReconnect) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  Send(Command("add-2", 2));
  Await(v1::AgentMessage::kAck);
  server_->SessionLost();
  outbox_.Open();
  const v1::TargetReady ready = Ready();
  EXPECT_EQ(ready.epoch(), 1);
  ASSERT_THAT(ready.held(), SizeIs(2));  // one ended, one running
  Cancel(2);
}

TEST_F(TargetServerTest, SaysNothingOfAnAttemptThatItStopsBecauseItEnds) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  Send(Command("add-2", 2));
  Await(v1::AgentMessage::kAck);
  const absl::Time began = absl::Now();
  server_->Stop();
  EXPECT_LT(absl::Now() - began, absl::Seconds(10));
  while (const auto message = outbox_.Pop(absl::ZeroDuration())) EXPECT_FALSE(message->has_result());
  EXPECT_EQ(Query(conninfo_,
                  "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active'"
                  " AND pid <> pg_backend_pid() AND datname = current_database()"),
            "0");
}

TEST_F(TargetServerTest, StopsWhatItRunsWhenItsLeaseIsTaken) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  Send(Command("add-2", 2));
  Await(v1::AgentMessage::kAck);
  Lease(v1::LEASE_STATE_REVOKED);
  EXPECT_THAT(Ready().held(), SizeIs(1));  // the result of add-1
}

TEST_F(TargetServerTest, BeginsNothingPastItsLease) {
  server_ = Serve(conninfo_);
  Ready();
  lease_.SetLeaseTime(absl::ZeroDuration());
  EXPECT_EQ(Refused(Command("add-1", 1)).reason(), v1::NACK_REASON_NO_LEASE);
}

TEST_F(TargetServerTest, GivesTheTargetUpWhenAnotherInstanceHasTakenItAndComesBackWithANewEpoch) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  ASSERT_OK(
      TakeOver(
          {.connect = {.conninfo = conninfo_}, .target = "crm", .agent_id = "agent", .instance_id = "two"},
          CancelToken())
          .status());
  const v1::TargetReady ready = Ready();
  EXPECT_EQ(ready.epoch(), 3);
  EXPECT_THAT(ready.held(), SizeIs(0));
}

TEST_F(TargetServerTest, DoesNotTakeTheTargetBackUnlessTheControllerSaysSoAnew) {
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  Send(Command("add-2", 2));
  Await(v1::AgentMessage::kAck);
  // As if this agent had been frozen meanwhile: its statement is ended, another one works.
  ASSERT_OK(
      TakeOver(
          {.connect = {.conninfo = conninfo_}, .target = "crm", .agent_id = "agent", .instance_id = "two"},
          CancelToken())
          .status());
  // It ends its session, to say hello again: at once, or, where it looked at the journal before the other
  // one had raised the epoch, with the next command.
  int attempt = 2;
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (outbox_.open()) {
    ASSERT_LT(absl::Now(), deadline);
    const auto message = outbox_.Pop(absl::Milliseconds(20));
    if (message.has_value() && message->has_target_ready()) Send(Command("add-2", ++attempt));
  }
  EXPECT_EQ(Query(conninfo_, "SELECT epoch || ' ' || instance_id FROM curlew.target"), "2 two");
  outbox_.Open();
  Lease(v1::LEASE_STATE_STANDBY);
  EXPECT_EQ(Refused(Command("add-2", ++attempt)).reason(), v1::NACK_REASON_WRONG_EPOCH);
  EXPECT_EQ(Query(conninfo_, "SELECT epoch FROM curlew.target"), "2");
}

TEST_F(TargetServerTest, ReportsTheSchema) {
  server_ = Serve(conninfo_);
  Ready();
  v1::ControllerMessage message;
  message.mutable_report_schema()->set_request(7);
  message.mutable_report_schema()->set_target("crm");
  message.mutable_report_schema()->mutable_scope()->add_tables("contacts");
  server_->Handle(message);
  const v1::SchemaReport report = Await(v1::AgentMessage::kSchemaReport).schema_report();
  EXPECT_EQ(report.request(), 7);
  EXPECT_EQ(report.error(), "");
  ASSERT_THAT(report.schema().tables(), SizeIs(1));
  EXPECT_EQ(report.schema().tables(0).name(), "contacts");
  EXPECT_THAT(report.sizes(), SizeIs(1));
}

TEST_F(TargetServerTest, ReportsRowsThatCouldNotBeWrittenWithTheirKeysWhereItMay) {
  server_ = Serve(conninfo_);
  Ready();
  Query(conninfo_, R"(
    INSERT INTO curlew.run (run, plan_name, compiled_digest, compiled)
      VALUES ('rollouts/r1/runs/crm', 'p', 'd', '{}'), ('rollouts/r2/runs/crm', 'p', 'd', '{}');
    INSERT INTO curlew.problem (run, step, attempt, row_key, sqlstate, message, state, found)
      SELECT 'rollouts/r1/runs/crm', 'fill', 1, '"Weird""Table" (id)=(' || g || ')', '22P02', repeat('m', 5000),
             (ARRAY['found', 'quarantined', 'mended', 'accepted'])[g], timestamptz '2026-01-01 UTC'
        FROM generate_series(1, 4) g ORDER BY g;
    INSERT INTO curlew.problem (run, step, attempt, row_key, sqlstate, message)
      VALUES ('rollouts/r2/runs/crm', 'fill', 1, 'of another run', '22P02', 'm'))");
  const auto ask = [&](int limit) {
    v1::ControllerMessage message;
    message.mutable_report_row_problems()->set_request(7);
    message.mutable_report_row_problems()->set_target("crm");
    message.mutable_report_row_problems()->set_run(kRun);
    message.mutable_report_row_problems()->set_limit(limit);
    server_->Handle(message);
    return Await(v1::AgentMessage::kRowProblemReport).row_problem_report();
  };
  const v1::RowProblemReport withheld = ask(3);
  EXPECT_EQ(withheld.request(), 7);
  EXPECT_EQ(withheld.target(), "crm");
  EXPECT_EQ(withheld.error(), "");
  EXPECT_EQ(withheld.total(), 4);
  ASSERT_THAT(withheld.problems(), SizeIs(3));
  EXPECT_EQ(withheld.problems(0).state(), v1::ROW_PROBLEM_STATE_ACCEPTED) << "the newest first";
  EXPECT_EQ(withheld.problems(1).state(), v1::ROW_PROBLEM_STATE_MENDED);
  EXPECT_EQ(withheld.problems(0).sqlstate(), "22P02");
  EXPECT_EQ(withheld.problems(0).found_time().seconds(), 1767225600);
  EXPECT_EQ(withheld.problems(0).row_key(), "");
  EXPECT_EQ(withheld.problems(0).message(), "");

  server_.reset();
  server_ = Serve(conninfo_, "two", RowKeys::kReport);
  Ready();
  const v1::RowProblemReport reported = ask(100);
  ASSERT_THAT(reported.problems(), SizeIs(4));
  EXPECT_EQ(reported.problems(3).state(), v1::ROW_PROBLEM_STATE_FOUND);
  EXPECT_EQ(reported.problems(3).row_key(), "\"Weird\"\"Table\" (id)=(1)");
  EXPECT_THAT(reported.problems(3).message(), SizeIs(1000)) << "a thousand must fit a message";
  Query(conninfo_, "DROP TABLE curlew.problem");
  EXPECT_THAT(ask(1).error(), HasSubstr("target crm: "));
}

TEST_F(TargetServerTest, ADatabaseThatRefusesConnectionsIsAProblemWithPostgresqlsWords) {
  server_ = Serve(absl::StrCat("host=127.0.0.1 dbname=crm user=curlew password=hunter2 port=",
                               curlew::testing::FreePort()));
  Lease(v1::LEASE_STATE_GRANTED);
  const v1::TargetProblem problem = Await(v1::AgentMessage::kTargetProblem).target_problem();
  EXPECT_THAT(problem.message(), HasSubstr("Connection refused"));
  EXPECT_THAT(problem.message(), HasSubstr("it keeps trying"));
  EXPECT_THAT(problem.message(), ::testing::Not(HasSubstr("hunter2")));
  // It does keep trying.
  Await(v1::AgentMessage::kTargetProblem);
}

TEST_F(TargetServerTest, SaysNothingOfACommitThatNobodyKnowsOfUntilTheJournalCanBeAsked) {
  const std::string name = Query(conninfo_, "SELECT current_database()");
  const std::string admin = NewDatabase();
  Query(conninfo_, R"(
      CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(300); RETURN NULL; END';
      CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON contacts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION slow();)");
  *plan_.mutable_steps(1)->mutable_action()->mutable_execute_sql()->mutable_statements(0) =
      "INSERT INTO contacts VALUES (-1, 'x')";
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  Send(Command("add-2", 2));
  Await(v1::AgentMessage::kAck);
  const std::string committing = absl::StrCat("FROM pg_stat_activity WHERE datname = '", name,
                                              "' AND query = 'COMMIT' AND wait_event = 'PgSleep'");
  while (Query(admin, absl::StrCat("SELECT count(*) ", committing)) == "0")
    absl::SleepFor(absl::Milliseconds(5));
  Query(admin, absl::StrCat("ALTER DATABASE ", name, " ALLOW_CONNECTIONS false"));
  Query(admin,
        absl::StrCat("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '", name, "'"));
  bool problem = false;
  while (!problem) {
    const auto message = outbox_.Pop(absl::Seconds(60));
    ASSERT_TRUE(message.has_value());
    ASSERT_FALSE(message->has_result()) << message->DebugString();
    problem = message->has_target_problem();
  }
  Query(admin, absl::StrCat("ALTER DATABASE ", name, " ALLOW_CONNECTIONS true"));
  const v1::TargetReady ready = Await(v1::AgentMessage::kTargetReady).target_ready();
  ASSERT_THAT(ready.held(), SizeIs(1));
  EXPECT_EQ(ready.held(0).attempt(), 1);
}

// Ends the connections of this process with the servers, as a network that is cut does: they do not hear of
// it.
void CutConnections() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int fd = std::stoi(entry.path().filename());
    sockaddr_storage peer{};
    socklen_t size = sizeof(peer);
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0) shutdown(fd, SHUT_RD);
  }
}

// Else the commit could come after the journal was read, and the work be done twice.
TEST_F(TargetServerTest, ACommitThatMayStillComeIsEndedBeforeTheTargetIsReadyAgain) {
  const std::string admin = NewDatabase();
  // Whom a cancel request does not stop.
  Query(conninfo_, R"(
      CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN LOOP BEGIN
        PERFORM pg_sleep(300); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END';
      CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON contacts DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        EXECUTE FUNCTION slow();)");
  *plan_.mutable_steps(1)->mutable_action()->mutable_execute_sql()->mutable_statements(0) =
      "INSERT INTO contacts VALUES (-1, 'x')";
  server_ = Serve(conninfo_);
  Ready();
  Do(Command("add-1", 1));
  Send(Command("add-2", 2));
  Await(v1::AgentMessage::kAck);
  const std::string committing = absl::StrCat("SELECT count(*) FROM pg_stat_activity WHERE datname = '",
                                              Query(conninfo_, "SELECT current_database()"),
                                              "' AND query = 'COMMIT' AND wait_event = 'PgSleep'");
  while (Query(admin, committing) == "0") absl::SleepFor(absl::Milliseconds(5));
  CutConnections();
  // It does not wait for the outcome, then.
  Cancel(2);
  const v1::TargetReady ready = Await(v1::AgentMessage::kTargetReady).target_ready();
  EXPECT_EQ(Query(admin, committing), "0");
  EXPECT_EQ(ready.epoch(), 2);
  ASSERT_THAT(ready.held(), SizeIs(1));
  EXPECT_EQ(ready.held(0).attempt(), 1);
}

TEST_F(TargetServerTest, PicksADatabaseUpWhenItComesBack) {
  const std::string name = Query(conninfo_, "SELECT current_database()");
  const std::string admin = NewDatabase();
  Query(admin, absl::StrCat("ALTER DATABASE ", name, " ALLOW_CONNECTIONS false"));
  server_ = Serve(conninfo_);
  Lease(v1::LEASE_STATE_GRANTED);
  EXPECT_THAT(Await(v1::AgentMessage::kTargetProblem).target_problem().message(), HasSubstr(name));
  Query(admin, absl::StrCat("ALTER DATABASE ", name, " ALLOW_CONNECTIONS true"));
  EXPECT_EQ(Await(v1::AgentMessage::kTargetReady).target_ready().epoch(), 1);
}

}  // namespace
}  // namespace curlew::agent
