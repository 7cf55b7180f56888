#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class AnalyzeTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(
        Prepare("CREATE TABLE contacts (id int PRIMARY KEY, old text NOT NULL, new text)"
                " WITH (autovacuum_enabled = off);"
                "INSERT INTO contacts SELECT g, repeat(g::text, 20) FROM generate_series(1, 20000) g;"
                "ANALYZE contacts"));
    action_.mutable_analyze()->set_table("public.contacts");
    action_.mutable_analyze()->set_vacuum_if_bloated(true);
  }

  // Fills the rows for which `condition` holds.
  void Fill(const std::string& condition = "true") {
    v1::Action fill;
    v1::Backfill& backfill = *fill.mutable_backfill();
    backfill.set_table("public.contacts");
    backfill.set_pending(absl::StrCat("t.new IS NULL AND ", condition));
    v1::Assignment& assignment = *backfill.add_assignments();
    assignment.set_column("new");
    assignment.set_expression("t.old");
    const Outcome outcome = Run("backfill-1", fill);
    ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  }
  Outcome Analyze() { return Run("backfill-2", action_); }
  std::string Vacuums(const std::string& table = "contacts") {
    return Sql(
        absl::StrCat("SELECT vacuum_count FROM pg_stat_all_tables WHERE relid = '", table, "'::regclass"));
  }

  v1::Action action_;
};

TEST_F(AnalyzeTest, VacuumsWhatTheRunHasBloatedAndTellsHowMuch) {
  Fill();
  const std::string before = Sql("SELECT pg_relation_size('contacts')");
  const Outcome outcome = Analyze();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_THAT(outcome.summary, HasSubstr("public.contacts grew from "));
  EXPECT_THAT(outcome.summary, HasSubstr("about 20,000 dead rows removed"));
  EXPECT_EQ(Vacuums(), "1");
  EXPECT_EQ(Sql("SELECT n_dead_tup FROM pg_stat_all_tables WHERE relname = 'contacts'"), "0");
  EXPECT_EQ(Sql("SELECT pg_relation_size('contacts')"), before);
  EXPECT_EQ(Journaled("backfill-2"), "succeeded");
  EXPECT_NE(Sql("SELECT last_analyze FROM pg_stat_all_tables WHERE relname = 'contacts'"), "");
}

TEST_F(AnalyzeTest, RunsNothingWhereAnOperatorHasSkippedIt) {
  Fill();
  Sql("CREATE FUNCTION broken(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS"
      " $$ BEGIN IF current_query() LIKE 'ANALYZE%' THEN RAISE 'no statistics'; END IF;"
      " RETURN t; END $$;"
      "CREATE INDEX contacts_broken ON contacts (broken(old))");
  action_.mutable_analyze()->set_vacuum_if_bloated(false);
  const Outcome failed = Analyze();
  EXPECT_EQ(failed.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(failed.error.sqlstate(), "P0001");
  EXPECT_EQ(Journaled("backfill-2"), "");
  override_wait_.emplace();
  override_wait_->set_actor("bob");
  override_wait_->set_reason("autovacuum will do");
  const Outcome skipped = Analyze();
  EXPECT_EQ(skipped.state, v1::ATTEMPT_STATE_SUCCEEDED) << skipped.error.DebugString();
  EXPECT_EQ(skipped.summary, "skipped by bob: autovacuum will do");
  EXPECT_EQ(Journaled("backfill-2"), "succeeded");
}

// Only ANALYZE knows the word: whoever sends it for another kind gets that kind's work.
TEST_F(AnalyzeTest, NoOtherKindIsLeftOut) {
  override_wait_.emplace();
  override_wait_->set_actor("bob");
  override_wait_->set_reason("x");
  EXPECT_EQ(Run("add-1", Statements({"CREATE TABLE made (a int)"})).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT to_regclass('made') IS NOT NULL"), "t");
  EXPECT_EQ(Run("add-2", Statements({"SELECT 1/0"})).state, v1::ATTEMPT_STATE_FAILED);
  v1::Action verify;
  verify.mutable_verify()->add_checks()->set_count_query("SELECT 1::bigint");
  EXPECT_EQ(Run("check-1", verify).state, v1::ATTEMPT_STATE_FAILED);
}

TEST_F(AnalyzeTest, LeavesAFewDeadRowsToAutovacuum) {
  Fill("t.id % 100 = 0");
  const Outcome outcome = Analyze();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Vacuums(), "0");
  EXPECT_THAT(outcome.summary, AllOf(HasSubstr("public.contacts"), Not(HasSubstr("removed"))));
}

TEST_F(AnalyzeTest, VacuumsOnlyWhereItIsAskedTo) {
  Fill();
  action_.mutable_analyze()->set_vacuum_if_bloated(false);
  EXPECT_EQ(Analyze().summary, "");
  EXPECT_EQ(Vacuums(), "0");
}

TEST_F(AnalyzeTest, VacuumsInAnyCaseWhereThePlanSaysSo) {
  Fill("id <= 100");
  action_.mutable_analyze()->set_vacuum_if_bloated(false);
  action_.mutable_analyze()->set_vacuum(true);
  EXPECT_EQ(Analyze().state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Vacuums(), "1");
}

TEST_F(AnalyzeTest, IsHarmlessWhenKilledAndRunAgain) {
  Fill();
  EXPECT_TRUE(Crash("concurrently.before_execute", 1, "backfill-2", action_));
  EXPECT_EQ(Journaled("backfill-2"), "");
  EXPECT_TRUE(Crash("concurrently.after_execute", 1, "backfill-2", action_));
  EXPECT_EQ(Journaled("backfill-2"), "");
  const Outcome outcome = Analyze();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Sql("SELECT count(*) FROM contacts WHERE new = old"), "20000");
}

TEST_F(AnalyzeTest, SaysWhatOlderTransactionsKeep) {
  const HeldTransaction reader(conninfo_, "report",
                               "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ; SELECT 1");
  Fill();
  const Outcome outcome = Analyze();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_THAT(outcome.summary, HasSubstr("about 20,000 dead rows kept"));
}

TEST_F(AnalyzeTest, BlocksNoWrites) {
  Fill();
  // A writer that is there before it starts, and one that comes while it would wait for the first.
  const HeldTransaction writer(conninfo_, "app", "UPDATE contacts SET old = old WHERE id = 1");
  EXPECT_EQ(Analyze().state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Vacuums(), "1");
}

TEST_F(AnalyzeTest, DoesNotWaitForEverForALock) {
  Fill();
  *settings_.mutable_lock_retry_deadline() = base::ToProto(absl::Milliseconds(200));
  const HeldTransaction ddl(conninfo_, "psql", "LOCK TABLE contacts IN SHARE UPDATE EXCLUSIVE MODE");
  const Outcome outcome = Analyze();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_ERRORED);
  EXPECT_EQ(Vacuums(), "0");
}

TEST_F(AnalyzeTest, OnlyAnalyzesWithoutTheRightToVacuum) {
  Fill();
  const std::string role = absl::StrCat("clerk_", getpid());
  Sql(absl::StrCat("CREATE ROLE ", role, "; GRANT USAGE ON SCHEMA curlew TO ", role,
                   "; GRANT ALL ON ALL TABLES IN SCHEMA curlew TO ", role, "; GRANT ALL ON contacts TO ",
                   role));
  takeover_.connect.conninfo = absl::StrCat(conninfo_, " options='-c role=", role, "'");
  pool_ = NewPool();
  const Outcome outcome = Analyze();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_THAT(outcome.summary, HasSubstr("was not vacuumed: the agent's role does not own it"));
  EXPECT_EQ(Vacuums(), "0");
  pool_.reset();
  Sql(absl::StrCat("DROP OWNED BY ", role, "; DROP ROLE ", role));
}

TEST_F(AnalyzeTest, VacuumsThePartitionsThatAreBloated) {
  Sql("DROP TABLE contacts;"
      "CREATE TABLE contacts (id int, old text NOT NULL, new text) PARTITION BY RANGE (id);"
      "CREATE TABLE low PARTITION OF contacts FOR VALUES FROM (0) TO (9000) WITH (autovacuum_enabled = off);"
      "CREATE TABLE \"We\"\"ird\" PARTITION OF contacts FOR VALUES FROM (9000) TO (30000)"
      " WITH (autovacuum_enabled = off);"
      "INSERT INTO contacts SELECT g, g::text FROM generate_series(1, 20000) g");
  Fill("t.id < 9000");
  const Outcome outcome = Analyze();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Vacuums("low"), "1");
  EXPECT_EQ(Vacuums("\"We\"\"ird\""), "0");
  EXPECT_THAT(outcome.summary, HasSubstr("about 8,999 dead rows removed"));
}

}  // namespace
}  // namespace curlew::agent
