// Pause and abort reach what is running: from the controller's Cancel to the statement's end takes less than
// a second, whatever kind of step it is.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/session/target_server.h"
#include "common/base/canonical_json.h"
#include "common/base/proto_time.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

constexpr char kRun[] = "rollouts/r1/runs/crm";

// How soon is soon.
constexpr absl::Duration kSoon = absl::Seconds(1);

class CancelTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override {
    conninfo_ = NewDatabase(
        "CREATE TABLE contacts (id int PRIMARY KEY, phone text, filled int);"
        "INSERT INTO contacts SELECT g, g::text FROM generate_series(1, 2000) g");
    lease_.SetLeaseTime(absl::Hours(1));
    lease_.Heard();
    outbox_.Open();
    TargetOptions options{.target = "crm", .agent_id = "agent", .instance_id = "one"};
    options.pool.connect.conninfo = conninfo_;
    server_ = std::make_unique<TargetServer>(options, &outbox_, &lease_);
    v1::ControllerMessage message;
    message.mutable_lease()->set_target("crm");
    message.mutable_lease()->set_state(v1::LEASE_STATE_GRANTED);
    server_->Handle(message);
    epoch_ = Await(v1::AgentMessage::kTargetReady).target_ready().epoch();
  }
  void TearDown() override {
    application_.reset();
    server_.reset();
    PgTest::TearDown();
  }

  v1::AgentMessage Await(v1::AgentMessage::KindCase kind) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (absl::Now() < deadline) {
      const auto message = outbox_.Pop(deadline - absl::Now());
      if (message.has_value() && message->kind_case() == kind) return *message;
    }
    ADD_FAILURE() << "no message of kind " << kind;
    return {};
  }

  void Hold(const std::string& sql) {
    application_ = Connect(conninfo_);
    ASSERT_OK(application_->Execute("BEGIN").status());
    ASSERT_OK(application_->Execute(sql).status());
  }

  // How many of the agent's sessions run a statement like `pattern`.
  std::string Running(const std::string& pattern) {
    return Query(conninfo_,
                 absl::StrCat("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                              " AND starts_with(application_name, 'curlew crm') AND state = 'active'"
                              " AND query LIKE '",
                              pattern, "'"));
  }
  void Until(const std::string& pattern, const std::string& count) {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (Running(pattern) != count && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
    ASSERT_EQ(Running(pattern), count);
  }

  // Begins the step, waits until `sessions` sessions run a statement like `pattern`, cancels, and measures.
  // `blocked` are clean-ups that go on for as long as somebody else's transaction is open.
  enum class Result { kAtOnce, kOnceTheApplicationHasGone };
  void ExpectStopsSoon(const v1::Action& action, const std::string& pattern, Result result = Result::kAtOnce,
                       const std::string& sessions = "1") {
    v1::CompiledPlan plan;
    plan.set_plan_name("p");
    v1::Step& step = *plan.add_steps();
    step.set_key("step-1");
    *step.mutable_action() = action;
    *plan.mutable_settings()->mutable_ddl_statement_timeout() = base::ToProto(absl::Minutes(10));
    *plan.mutable_settings()->mutable_max_lock_timeout() = base::ToProto(absl::Minutes(5));
    v1::ControllerMessage message;
    v1::Dispatch& dispatch = *message.mutable_dispatch();
    dispatch.set_target("crm");
    dispatch.set_run(kRun);
    dispatch.set_step("step-1");
    dispatch.set_attempt(1);
    dispatch.set_direction(v1::DIRECTION_DO);
    dispatch.set_epoch(epoch_);
    dispatch.set_compiled_digest(base::CanonicalDigest(plan));
    *dispatch.mutable_compiled_plan() = plan;
    server_->Handle(message);
    Await(v1::AgentMessage::kAck);
    ASSERT_NO_FATAL_FAILURE(Until(pattern, sessions));

    v1::ControllerMessage cancel;
    cancel.mutable_cancel()->set_target("crm");
    cancel.mutable_cancel()->set_run(kRun);
    cancel.mutable_cancel()->set_attempt(1);
    cancel.mutable_cancel()->set_reason("an operator paused it");
    const absl::Time began = absl::Now();
    server_->Handle(cancel);
    ASSERT_NO_FATAL_FAILURE(Until(pattern, "0"));
    const absl::Duration gone = absl::Now() - began;
    EXPECT_LT(gone, kSoon);
    if (result == Result::kOnceTheApplicationHasGone) application_.reset();
    const v1::Result ended = Await(v1::AgentMessage::kResult).result();
    EXPECT_EQ(ended.outcome(), v1::ATTEMPT_STATE_CANCELLED) << ended.DebugString();
    const absl::Duration told = absl::Now() - began;
    EXPECT_LT(told, kSoon);
    std::cout << "statement gone after " << absl::FormatDuration(absl::Floor(gone, absl::Milliseconds(1)))
              << ", told after " << absl::FormatDuration(absl::Floor(told, absl::Milliseconds(1))) << "\n";
  }

  std::string conninfo_;
  Outbox outbox_;
  LeaseClock lease_;
  int64_t epoch_ = 0;
  std::unique_ptr<TargetServer> server_;
  std::unique_ptr<pg::Connection> application_;
};

TEST_F(CancelTest, AnIndexThatWaitsForAnOpenTransaction) {
  ASSERT_NO_FATAL_FAILURE(Hold("UPDATE contacts SET phone = 'x' WHERE id = 1"));
  v1::Action action;
  v1::ExecuteSqlConcurrently& index = *action.mutable_execute_sql_concurrently();
  index.set_statement("CREATE INDEX CONCURRENTLY contacts_phone ON public.contacts (phone)");
  index.set_index("public.contacts_phone");
  index.set_table("public.contacts");
  index.set_effect(v1::ExecuteSqlConcurrently::EFFECT_CREATES);
  // The index that is not finished is removed at once, which waits for the same transaction.
  ExpectStopsSoon(action, "CREATE INDEX%", Result::kOnceTheApplicationHasGone);
  EXPECT_EQ(Query(conninfo_, "SELECT to_regclass('contacts_phone') IS NULL"), "t");
}

TEST_F(CancelTest, AnIndexThatIsBeingBuilt) {
  Query(conninfo_,
        "CREATE FUNCTION slow(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_sleep(0.05); RETURN t; END'");
  v1::Action action;
  v1::ExecuteSqlConcurrently& index = *action.mutable_execute_sql_concurrently();
  index.set_statement("CREATE INDEX CONCURRENTLY contacts_phone ON public.contacts (public.slow(phone))");
  index.set_index("public.contacts_phone");
  index.set_table("public.contacts");
  index.set_effect(v1::ExecuteSqlConcurrently::EFFECT_CREATES);
  ExpectStopsSoon(action, "CREATE INDEX%");
}

TEST_F(CancelTest, AValidationThatReads) {
  Query(conninfo_, "ALTER TABLE contacts ADD CONSTRAINT slow CHECK (pg_sleep(0.05) IS NOT NULL) NOT VALID");
  v1::Action action;
  action.mutable_validate_constraint()->set_table("public.contacts");
  action.mutable_validate_constraint()->set_constraint("slow");
  ExpectStopsSoon(action, "ALTER TABLE%VALIDATE%");
}

TEST_F(CancelTest, ABatchThatTakesLong) {
  v1::Action action;
  v1::Backfill& backfill = *action.mutable_backfill();
  backfill.set_table("public.contacts");
  backfill.set_pending("t.filled IS NULL");
  v1::Assignment& assignment = *backfill.add_assignments();
  assignment.set_column("filled");
  // For each row: that its first batch ended by itself is no excuse.
  assignment.set_expression("(SELECT t.id FROM pg_sleep(10))");
  ExpectStopsSoon(action, "%pg_sleep(10)%");
}

TEST_F(CancelTest, AWaitForALockInTheServer) {
  ASSERT_NO_FATAL_FAILURE(Hold("SELECT count(*) FROM contacts"));
  v1::Action action;
  // The step does not say that it wants the table, so nobody looks before it queues.
  action.mutable_execute_sql()->add_statements("ALTER TABLE contacts ADD COLUMN a int");
  // It tries again and again: whatever it is at when the request comes, it ends.
  ExpectStopsSoon(action, "ALTER TABLE%");
  EXPECT_EQ(Query(conninfo_,
                  "SELECT count(*) FROM pg_attribute WHERE attrelid = 'contacts'::regclass AND"
                  " attname = 'a'"),
            "0");
}

TEST_F(CancelTest, AScanOfAVerification) {
  v1::Action action;
  v1::RowScan& scan = *action.mutable_verify()->add_scans();
  scan.set_table("public.contacts");
  scan.set_key("t.id::text");
  v1::RowCheck& check = *scan.add_checks();
  check.set_description("it is there");
  check.set_violation("pg_sleep(0.05) IS NULL");
  ExpectStopsSoon(action, "%pg_sleep(0.05)%");
}

TEST_F(CancelTest, AQueryOfAVerification) {
  v1::Action action;
  v1::Check& check = *action.mutable_verify()->add_checks();
  check.set_description("nothing");
  check.set_count_query("SELECT count(*) FROM pg_sleep(60)");
  ExpectStopsSoon(action, "%pg_sleep(60)%");
}

TEST_F(CancelTest, AnAnalyzeThatTakesLong) {
  Query(conninfo_,
        "CREATE FUNCTION slow(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS"
        " 'BEGIN IF current_query() LIKE ''ANALYZE%'' THEN PERFORM pg_sleep(0.05); END IF;"
        " RETURN t; END';"
        "CREATE INDEX contacts_slow ON contacts (slow(phone))");
  v1::Action action;
  action.mutable_analyze()->set_table("public.contacts");
  ExpectStopsSoon(action, "ANALYZE%");
}

TEST_F(CancelTest, ATransformation) {
  Query(conninfo_, "CREATE TABLE other (id int PRIMARY KEY)");
  v1::Action action;
  v1::TransformRows& transform = *action.mutable_transform_rows();
  transform.set_table("public.contacts");
  transform.add_key("id");
  transform.set_statement(
      "INSERT INTO public.other SELECT id FROM batch, LATERAL (SELECT pg_sleep(0.2 + 0 * batch.id)) AS s");
  transform.set_search_path("public");
  ExpectStopsSoon(action, "%pg_sleep(0.2%");
}

}  // namespace
}  // namespace curlew::agent
