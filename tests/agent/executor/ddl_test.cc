#include "agent/executor/ddl.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::HasSubstr;

class DdlTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(
        Prepare("CREATE TABLE contacts (id int PRIMARY KEY, name text);"
                "INSERT INTO contacts SELECT g, 'n' || g FROM generate_series(1, 2000) g;"
                "CREATE TABLE \"Weird\"\"Name\" (\"a b\" int)"));
  }
  const v1::Action add_column_ = Statements({"ALTER TABLE public.contacts ADD COLUMN phone text"});
};

TEST_F(DdlTest, CommitsTheStatementsWithTheJournal) {
  const Outcome outcome = Run("add-1", add_column_);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Sql("SELECT count(phone) FROM contacts"), "0");
  EXPECT_EQ(Journaled("add-1"), "succeeded");
}

TEST_F(DdlTest, CommitsNothingWhereOneStatementFails) {
  const Outcome outcome = Run("add-1", Statements({"ALTER TABLE public.contacts ADD COLUMN phone text",
                                                   "ALTER TABLE public.contacts ADD COLUMN name text"}));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "42701");
  EXPECT_THAT(outcome.error.message(), HasSubstr("target crm, step add-1"));
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_attribute WHERE attname = 'phone'"), "0");
  EXPECT_EQ(Journaled("add-1"), "");
}

TEST_F(DdlTest, AcceptsHostileNames) {
  Lock("public.\"Weird\"\"Name\"", "AccessExclusiveLock");
  const Outcome outcome =
      Run("add-1", Statements({"ALTER TABLE public.\"Weird\"\"Name\" ADD COLUMN \"; DROP\" int"}));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
}

TEST_F(DdlTest, NamesTheTransactionThatHoldsItsLockAndGoesOnOnceItEnds) {
  Lock("public.contacts", "AccessExclusiveLock");
  HeldTransaction application(conninfo_, "crm-web", "SELECT count(*) FROM contacts");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("add-1", add_column_); });
  EXPECT_TRUE(progress_.AwaitWaiting(
      absl::StrCat("public.contacts is held by pid ", application.pid(), " (application \"crm-web\"")));
  // It waits without queueing: the application's other sessions are not held up.
  const auto neighbour =
      *pg::Connection::Connect({.conninfo = conninfo_, .statement_timeout = absl::Seconds(5)});
  EXPECT_OK(neighbour->Execute("SELECT count(*) FROM contacts").status());
  application.Commit();
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(progress_.reports().front().waiting().cause(), v1::WAIT_CAUSE_LOCK);
}

TEST_F(DdlTest, TriesAgainWhenTheLockTimeOutEndsATry) {
  // The step does not know that it locks contacts, so only the lock time-out protects the application.
  HeldTransaction application(conninfo_, "crm-web", "SELECT count(*) FROM contacts");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("add-1", add_column_); });
  EXPECT_TRUE(progress_.AwaitWaiting("try 2 did not get its locks"));
  application.Commit();
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
}

TEST_F(DdlTest, GivesUpAtItsDeadlineAndNamesWhoHeldTheLock) {
  *settings_.mutable_lock_retry_deadline() = base::ToProto(absl::Milliseconds(300));
  Lock("public.contacts", "AccessExclusiveLock");
  HeldTransaction application(conninfo_, "crm-web", "SELECT count(*) FROM contacts");
  const Outcome outcome = Run("add-1", add_column_);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_ERRORED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("crm-web"));
  EXPECT_THAT(outcome.error.hint(), HasSubstr("resume"));
}

TEST_F(DdlTest, WaitsForAPreparedTransaction) {
  if (Sql("SHOW max_prepared_transactions") == "0") GTEST_SKIP() << "the server has no prepared transactions";
  Lock("public.contacts", "AccessExclusiveLock");
  const auto session = Connect(conninfo_);
  ASSERT_OK(session->Execute("BEGIN; SELECT * FROM contacts LIMIT 1; PREPARE TRANSACTION 'p'").status());
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("add-1", add_column_); });
  EXPECT_TRUE(progress_.AwaitWaiting("pg_prepared_xacts"));
  ASSERT_OK(session->Execute("COMMIT PREPARED 'p'").status());
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED);
}

TEST_F(DdlTest, StopsWaitingWhenCancelled) {
  Lock("public.contacts", "AccessExclusiveLock");
  HeldTransaction application(conninfo_, "crm-web", "SELECT count(*) FROM contacts");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("add-1", add_column_); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  cancel_.Cancel("an operator paused it");
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_EQ(Journaled("add-1"), "");
}

TEST_F(DdlTest, FailsWhereTheStatementsAreTooSlowForTheirDeadline) {
  *settings_.mutable_ddl_statement_timeout() = base::ToProto(absl::Milliseconds(50));
  const Outcome outcome = Run("add-1", Statements({"SELECT pg_sleep(5)"}));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.hint(), HasSubstr("ddl_statement_timeout"));
}

TEST_F(DdlTest, TheDeadlineCountsForAllStatementsTogether) {
  *settings_.mutable_ddl_statement_timeout() = base::ToProto(absl::Milliseconds(250));
  const Outcome outcome = Run("add-1", Statements({"SELECT pg_sleep(0.15)", "SELECT pg_sleep(0.15)"}));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
}

TEST_F(DdlTest, DoesNothingOnceAnotherAgentHasTakenTheTargetOver) {
  ASSERT_NO_FATAL_FAILURE(TakeOverByAnother());
  const Outcome outcome = Run("add-1", add_column_);
  EXPECT_TRUE(outcome.fenced_out) << outcome.error.DebugString();
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_attribute WHERE attname = 'phone'"), "0");
}

TEST_F(DdlTest, GetsPastAnAutovacuumWithinItsShortTimeOuts) {
  // Slow enough to be met: an autovacuum that sleeps at every page.
  Sql("ALTER SYSTEM SET autovacuum_naptime = '1s'");
  Sql("SELECT pg_reload_conf()");
  Sql("CREATE TABLE big (id int, filler text) WITH (autovacuum_vacuum_cost_delay = 100, "
      "autovacuum_vacuum_cost_limit = 1,"
      " autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0)");
  Sql("INSERT INTO big SELECT g, repeat('x', 500) FROM generate_series(1, 20000) g");
  Sql("DELETE FROM big WHERE id % 2 = 0");
  const std::string running =
      "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.relation = 'big'::regclass"
      " AND a.backend_type = 'autovacuum worker'";
  for (int i = 0; i < 1200 && Sql(running) == "0"; ++i)
    EXPECT_OK(CancelToken().Pause(absl::Milliseconds(50)));
  ASSERT_NE(Sql(running), "0") << "no autovacuum came";
  Lock("public.big", "AccessExclusiveLock");
  const Outcome outcome = Run("add-1", Statements({"ALTER TABLE public.big ADD COLUMN a int"}));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_LT(progress_.reports().size(), 5u);
  Sql("ALTER SYSTEM RESET autovacuum_naptime");
  Sql("SELECT pg_reload_conf()");
}

TEST_F(DdlTest, ARoleThatMayNotSetDeadlockTimeoutWorksToo) {
  const std::string role = NewRole("LOGIN");
  Sql(absl::StrCat("ALTER TABLE contacts OWNER TO ", role));
  Sql(absl::StrCat("GRANT pg_monitor TO ", role));
  Sql(absl::StrCat("GRANT ALL ON SCHEMA public, curlew TO ", role));
  Sql(absl::StrCat("GRANT ALL ON ALL TABLES IN SCHEMA curlew TO ", role));
  pg::PoolOptions options;
  options.connect.conninfo = AsUser(conninfo_, role);
  pool_ = std::make_unique<pg::Pool>(options);
  const Outcome outcome = Run("add-1", add_column_);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
}

class InstallTriggerTest : public DdlTest {
 protected:
  v1::Action Trigger(const std::string& create) {
    v1::Action action;
    v1::InstallTrigger& install = *action.mutable_install_trigger();
    install.set_table("public.contacts");
    install.set_function("curlew.f");
    install.add_statements(
        "CREATE FUNCTION curlew.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'");
    install.add_statements(create);
    install.add_triggers("t Rigger");
    return action;
  }
};

TEST_F(InstallTriggerTest, InstallsFunctionAndTrigger) {
  const Outcome outcome =
      Run("dual-1", Trigger("CREATE TRIGGER \"t Rigger\" BEFORE INSERT ON public.contacts FOR EACH ROW"
                            " EXECUTE FUNCTION curlew.f()"));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
}

TEST_F(InstallTriggerTest, AMissingTriggerIsNeverSwallowed) {
  const Outcome outcome = Run("dual-1", Trigger("SELECT 1"));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("trigger t Rigger on public.contacts is not there"));
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_proc WHERE proname = 'f'"), "0");
}

class ValidateConstraintTest : public DdlTest {
 protected:
  v1::Action Validate() {
    v1::Action action;
    action.mutable_validate_constraint()->set_table("public.contacts");
    action.mutable_validate_constraint()->set_constraint("Name Check");
    return action;
  }
};

TEST_F(ValidateConstraintTest, MakesTheConstraintValidHoweverOftenItRuns) {
  Sql("ALTER TABLE contacts ADD CONSTRAINT \"Name Check\" CHECK (name <> '') NOT VALID");
  EXPECT_EQ(Run("constrain-1", Validate()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT convalidated FROM pg_constraint WHERE conname = 'Name Check'"), "t");
  EXPECT_EQ(Run("constrain-1", Validate()).state, v1::ATTEMPT_STATE_SUCCEEDED);
}

TEST_F(ValidateConstraintTest, FailsWhereARowBreaksIt) {
  Sql("ALTER TABLE contacts ADD CONSTRAINT \"Name Check\" CHECK (name <> 'n7') NOT VALID");
  const Outcome outcome = Run("constrain-1", Validate());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "23514");
  EXPECT_NE(outcome.error.hint(), "");
}

TEST_F(DdlTest, AnalyzeTakesStatistics) {
  v1::Action action;
  action.mutable_analyze()->set_table("public.contacts");
  EXPECT_EQ(Run("backfill-2", action).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT reltuples FROM pg_class WHERE relname = 'contacts'"), "2000");
}

TEST_F(DdlTest, AStepWithoutAnUndoIsUndoneByTheJournalAlone) {
  v1::Step step;
  step.set_key("backfill-1");
  *step.mutable_action() = add_column_;
  const RunContext context = Context("backfill-1", v1::DIRECTION_UNDO);
  EXPECT_EQ(RunStep(context, ActionFor(step, v1::DIRECTION_UNDO)).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Journaled("backfill-1", "undo"), "succeeded");
}

TEST_F(DdlTest, AStepOfAnUnknownKindIsRefused) {
  const Outcome outcome = Run("add-1", v1::Action());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("newer agent"));
}

}  // namespace
}  // namespace curlew::agent
