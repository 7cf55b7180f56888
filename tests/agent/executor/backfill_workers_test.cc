// Walks of several workers, rows that are locked, rows that fail, and walks by key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "agent/backfill/engine.h"
#include "common/base/own_sqlstate.h"
#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// About 700 blocks: several ranges. A marker says what is pending; a row that is counted twice shows.
constexpr char kRows[] = R"sql(
CREATE TABLE t (id int PRIMARY KEY, name text, v text, counter int NOT NULL DEFAULT 0,
                pending boolean NOT NULL DEFAULT true);
INSERT INTO t SELECT g, repeat('n', 70), 'v' || g FROM generate_series(1, 50000) g;
CREATE INDEX t_name ON t (v);
)sql";

// What the compiler's trigger does for a change in place, as far as the walk depends on it.
constexpr char kTrigger[] = R"sql(
CREATE FUNCTION curlew.change() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN NEW.counter := NEW.counter + 1; NEW.pending := false; RETURN NEW; END';
CREATE TRIGGER "~change" BEFORE UPDATE ON t FOR EACH ROW WHEN (OLD.pending AND NOT (pg_trigger_depth() = 0 AND
  COALESCE(current_setting('curlew.backfill', true), '') = 'public.t'::regclass::oid::text))
  EXECUTE FUNCTION curlew.change();
)sql";

class BackfillWorkersTest : public ExecutorTest {
 protected:
  static v1::Action Count(const std::string& expression = "t.counter + 1") {
    v1::Action action;
    v1::Backfill& backfill = *action.mutable_backfill();
    backfill.set_table("public.t");
    v1::Assignment& counter = *backfill.add_assignments();
    counter.set_column("counter");
    counter.set_expression(expression);
    counter.set_origin("value: counter + 1");
    v1::Assignment& marker = *backfill.add_assignments();
    marker.set_column("pending");
    marker.set_expression("false");
    marker.set_origin("marker");
    backfill.set_pending("t.pending");
    *backfill.mutable_batch_target() = base::ToProto(absl::Milliseconds(5));
    return action;
  }
  // How often rows were counted, and how many.
  std::string Counted() {
    return Sql(
        "SELECT string_agg(counter || ' x ' || n, ', ' ORDER BY counter)"
        " FROM (SELECT counter, count(*) AS n FROM t GROUP BY 1) AS c");
  }
  void Workers(int count) { settings_.mutable_backfill()->set_max_workers(count); }
};

TEST_F(BackfillWorkersTest, SeveralChangeEachRowOnceWhateverTheApplicationWrites) {
  Prepare(kRows);
  Sql(kTrigger);
  Workers(4);
  std::atomic<bool> done = false;
  Outcome outcome;
  std::thread attempt([&] {
    outcome = Run("backfill-1", Count());
    done = true;
  });
  // Rows move all over the table while they are walked.
  const std::unique_ptr<pg::Connection> application = Connect(conninfo_);
  int64_t i = 0;
  for (; !done; ++i) {
    EXPECT_OK(application
                  ->Execute(absl::StrCat("UPDATE t SET name = name || 'x' WHERE id BETWEEN ",
                                         1 + i * 977 % 49000, " AND ", 1 + i * 977 % 49000 + 50))
                  .status());
  }
  attempt.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "1 x 50000") << "after " << i << " updates beside it";
}

TEST_F(BackfillWorkersTest, ACrashOfAllLosesAndRepeatsNothing) {
  Prepare(kRows);
  Workers(3);
  EXPECT_TRUE(Crash("backfill.before_commit", 7, "backfill-1", Count()));
  EXPECT_TRUE(Crash("backfill.after_commit", 9, "backfill-1", Count()));
  const Outcome outcome = Run("backfill-1", Count());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 50000);
  EXPECT_EQ(Counted(), "1 x 50000");
  EXPECT_EQ(Sql("SELECT count(*) FROM curlew.backfill_range WHERE state <> 'done'"), "0");
}

TEST_F(BackfillWorkersTest, ATableThatIsRewrittenUnderThemIsWalkedAnewOnce) {
  Prepare(kRows);
  Workers(3);
  base::FaultPlan::Get().Arm("backfill.after_commit", 5, [&] { Sql("VACUUM FULL t"); });
  const Outcome outcome = Run("backfill-1", Count());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "1 x 50000");
  EXPECT_EQ(Sql("SELECT restarts FROM curlew.backfill"), "1");
}

TEST_F(BackfillWorkersTest, RangesCoverTheHeapOnceWithoutAGap) {
  Prepare(kRows);
  Workers(4);
  ASSERT_EQ(Run("backfill-1", Count()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT count(*) > 3 AND bool_and(before IS NULL OR before = first)"
                " FROM (SELECT first, lag(last) OVER (ORDER BY (last::tid::text::point)[0]) AS before"
                " FROM curlew.backfill_range) AS r"),
            "t");
  EXPECT_EQ(Sql("SELECT max((r.last::tid::text::point)[0]) = max(b.blocks) FROM curlew.backfill_range r, "
                "curlew.backfill b"),
            "t");
}

TEST_F(BackfillWorkersTest, MostUpdatesAreHotAndTheTableGrowsByLessThanHalf) {
  // A transaction of anybody in the cluster that writes, another test's too, keeps dead rows from being
  // pruned: it is tried where there is none, until there was none all the while.
  Prepare("");
  Workers(1);
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  double growth = 2;
  for (int i = 1; growth >= 1.5 && (i == 1 || absl::Now() < deadline); ++i) {
    while (
        absl::Now() < deadline &&
        Sql("SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid() "
            "AND xact_start < now() - interval '100 ms'") != "0") {
      absl::SleepFor(absl::Milliseconds(20));
    }
    Sql(absl::StrCat("DROP TABLE IF EXISTS t;", kRows));
    const double before = std::stod(Sql("SELECT pg_relation_size('t')"));
    ASSERT_EQ(Run(absl::StrCat("backfill-", i), Count()).state, v1::ATTEMPT_STATE_SUCCEEDED);
    growth = std::stod(Sql("SELECT pg_relation_size('t')")) / before;
  }
  EXPECT_LT(growth, 1.5);
}

TEST_F(BackfillWorkersTest, AChangeOfAnIndexedColumnIsMadeInOnePass) {
  Prepare(kRows);
  Sql("CREATE INDEX ON t (counter)");
  ASSERT_EQ(Run("backfill-1", Count()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT max(passes) FROM curlew.backfill_range"), "1");
  EXPECT_EQ(Counted(), "1 x 50000");
}

TEST_F(BackfillWorkersTest, ALockedRowIsPutAsideAndComesBack) {
  Prepare(kRows);
  Workers(2);
  HeldTransaction application(conninfo_, "crm-web", "UPDATE t SET name = 'mine' WHERE id = 10");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("backfill-1", Count()); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  // The rest of the table did not wait for it.
  EXPECT_EQ(Sql("SELECT count(*) FROM t WHERE pending"), "1");
  EXPECT_EQ(progress_.reports().back().parts_aside(), 1);
  application.Commit();
  attempt.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  // No trigger is here that would have counted the application's write: the row went elsewhere.
  EXPECT_EQ(Sql("SELECT count(*) FROM t WHERE pending AND id <> 10"), "0");
}

TEST_F(BackfillWorkersTest, GivesUpOnARowThatStaysLockedAndSaysWhoHoldsIt) {
  Prepare(kRows);
  *settings_.mutable_lock_retry_deadline() = base::ToProto(absl::Milliseconds(300));
  HeldTransaction application(conninfo_, "crm-web", "SELECT FROM t WHERE id = 10 FOR UPDATE");
  Outcome outcome = Run("backfill-1", Count());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_ERRORED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("crm-web"));
  application.Commit();
  outcome = Run("backfill-1", Count());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "1 x 50000");
}

TEST_F(BackfillWorkersTest, WaitsForDdlThatHoldsTheTable) {
  Prepare(kRows);
  Workers(2);
  HeldTransaction ddl(conninfo_, "migrator", "LOCK TABLE t IN ACCESS EXCLUSIVE MODE");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("backfill-1", Count()); });
  EXPECT_TRUE(progress_.AwaitWaiting("migrator"));
  ddl.Commit();
  attempt.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "1 x 50000");
}

TEST_F(BackfillWorkersTest, WhoeverPausesItLosesNoBatch) {
  Prepare(kRows);
  Workers(2);
  // The batch that is under way when the cancel comes is committed: all that was written counts.
  base::FaultPlan::Get().Arm("backfill.before_commit", 5, [&] { cancel_.Cancel("an operator paused it"); });
  EXPECT_EQ(Run("backfill-1", Count()).state, v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_EQ(Sql("SELECT (SELECT sum(rows) FROM curlew.backfill_range) = (SELECT sum(counter) FROM t)"), "t");
}

TEST_F(BackfillWorkersTest, AStatementThatDoesNotEndIsEndedByACancel) {
  Prepare(R"sql(
CREATE TABLE t (id int, counter int NOT NULL DEFAULT 0, pending boolean NOT NULL DEFAULT true);
INSERT INTO t VALUES (1);
CREATE FUNCTION never(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(600); RETURN n; END';
)sql");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("backfill-1", Count("never(t.counter)")); });
  while (Sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event ="
             " 'PgSleep'") != "1") {
  }
  const absl::Time began = absl::Now();
  cancel_.Cancel("an operator paused it");
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_LT(absl::Now() - began, absl::Seconds(10));
}

TEST_F(BackfillWorkersTest, SlowRowsAreTakenAFewAtATime) {
  Prepare(R"sql(
CREATE TABLE t (id int, counter int NOT NULL DEFAULT 0, pending boolean NOT NULL DEFAULT true);
INSERT INTO t SELECT generate_series(1, 700);
CREATE INDEX ON t (pending);  -- one pass
CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.005); RETURN n; END';
)sql");
  Workers(1);
  v1::Action action = Count("slow(t.counter) + 1");
  *action.mutable_backfill()->mutable_batch_target() = base::ToProto(absl::Milliseconds(40));
  const Outcome outcome = Run("backfill-1", action);
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "1 x 700");
  // The first batch would have taken three seconds and a half: it was ended, and what followed was cut to
  // size.
  int64_t last = 0;
  for (const v1::Progress& report : progress_.reports()) {
    for (const v1::WorkerProgress& worker : report.workers()) {
      if (worker.batch_rows() > 0) last = worker.batch_rows();  // 0 until its first batch has ended
    }
  }
  EXPECT_GT(last, 0);
  EXPECT_LT(last, 40);
}

TEST_F(BackfillWorkersTest, IsRetunedWhileItRuns) {
  Prepare(kRows);
  LiveTuning tuning;
  ThrottleConfig throttle;
  RunContext context = Context("backfill-1");
  context.tuning = &tuning;
  context.throttle = &throttle;
  // A limit of nothing at all: it can only pause.
  v1::Tuning stop;
  (*stop.mutable_limits())["active_sessions"] = 0.0001;
  tuning.Set(stop);
  HeldTransaction idle(conninfo_, "busy", "SELECT 1");
  std::atomic<bool> ended = false;
  std::thread busy([&] {
    const auto connection = Connect(conninfo_);
    while (!ended) (void)connection->Execute("SELECT pg_sleep(0.05)");
  });
  Outcome outcome;
  std::thread attempt([&] { outcome = RunStep(context, Count()); });
  EXPECT_TRUE(progress_.AwaitWaiting("active_sessions"));
  v1::Tuning go;
  (*go.mutable_limits())["active_sessions"] = -1;
  go.set_max_workers(1);
  tuning.Set(go);
  attempt.join();
  ended = true;
  busy.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "1 x 50000");
}

TEST_F(BackfillWorkersTest, TheTablesOwnTriggersAreKeptFromFiringWhereThePlanSaysSo) {
  Prepare(kRows);
  Sql(kTrigger);
  Sql("ALTER TABLE t ADD COLUMN touched boolean;"
      "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.touched := true; RETURN NEW; "
      "END';"
      "CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch();"
      "ALTER TABLE t ENABLE ALWAYS TRIGGER \"~change\"");
  settings_.mutable_backfill()->set_skip_user_triggers(true);
  ASSERT_EQ(Run("backfill-1", Count()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT count(touched) FROM t"), "0");
  EXPECT_EQ(Counted(), "1 x 50000");
}

TEST_F(BackfillWorkersTest, FillsWhatIsPendingStillInAWalkOfItsOwn) {
  Prepare(kRows);
  ASSERT_EQ(Run("backfill-1", Count()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  Sql("UPDATE t SET pending = true WHERE id % 1000 = 0");
  EXPECT_THAT(MendPending(Context("verify-1"), Count().backfill()), ::curlew::testing::IsOkAndHolds(50));
  Sql("UPDATE t SET pending = true WHERE id % 1000 = 0");
  EXPECT_OK(MendPending(Context("verify-1"), Count().backfill()).status());
  EXPECT_EQ(Counted(), "1 x 49950, 3 x 50");
}

class QuarantineTest : public BackfillWorkersTest {
 protected:
  void SetUp() override {
    BackfillWorkersTest::SetUp();
    Prepare(kRows);
    Sql("UPDATE t SET v = 'bad' WHERE id IN (5, 40001)");
    Workers(2);
    settings_.mutable_backfill()->set_on_row_error(v1::ROW_ERROR_POLICY_QUARANTINE);
  }
  static v1::Action Cast() { return Count("t.counter + right(t.v, 1)::int - right(t.v, 1)::int + 1"); }
  std::string Problems() {
    return Sql("SELECT string_agg(row_key || ' ' || state, ', ' ORDER BY row_key) FROM curlew.problem");
  }
};

TEST_F(QuarantineTest, PassesOverRowsThatFailAndFailsAtTheEnd) {
  const Outcome outcome = Run("backfill-1", Cast());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), base::kRowsQuarantined);
  EXPECT_THAT(outcome.error.message(), HasSubstr("2 rows of public.t"));
  EXPECT_THAT(outcome.error.row_keys(), SizeIs(2));
  EXPECT_EQ(Counted(), "0 x 2, 1 x 49998");
  EXPECT_EQ(Problems(), "t (id)=(40001) quarantined, t (id)=(5) quarantined");
}

TEST_F(QuarantineTest, TriesThemAgainWhenItIsResumed) {
  ASSERT_EQ(Run("backfill-1", Cast()).state, v1::ATTEMPT_STATE_FAILED);
  Sql("UPDATE t SET v = 'v5' WHERE id = 5");
  // Without a trigger the row that was mended would be lost to the walk: it has moved.
  Sql("UPDATE t SET counter = 1, pending = false WHERE id = 5");
  Outcome outcome = Run("backfill-1", Cast());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.row_keys(), ElementsAre("t (id)=(40001)"));
  EXPECT_EQ(Problems(), "t (id)=(40001) quarantined, t (id)=(5) mended");
}

TEST_F(QuarantineTest, AcceptsThemOnAnOperatorsWord) {
  ASSERT_EQ(Run("backfill-1", Cast()).state, v1::ATTEMPT_STATE_FAILED);
  override_wait_.emplace();
  override_wait_->set_actor("ann");
  override_wait_->set_reason("test rows");
  const Outcome outcome = Run("backfill-1", Cast());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "0 x 2, 1 x 49998");
  EXPECT_EQ(Sql("SELECT count(*) FROM t WHERE pending"), "0");
  EXPECT_EQ(Sql("SELECT DISTINCT state || ' ' || resolved_by || ' ' || reason FROM curlew.problem"),
            "accepted ann test rows");
}

TEST_F(QuarantineTest, StopsAtItsLimit) {
  settings_.mutable_backfill()->set_row_error_limit(1);
  Workers(1);
  const Outcome outcome = Run("backfill-1", Cast());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "22P02");
  EXPECT_THAT(outcome.error.message(), HasSubstr("row_error_limit"));
}

class KeyWalkTest : public BackfillWorkersTest {
 protected:
  void SetUp() override {
    BackfillWorkersTest::SetUp();
    settings_.mutable_backfill()->set_walk(v1::WALK_KEY);
    Workers(3);
  }
};

TEST_F(KeyWalkTest, ChangesEachRowOnceByRangesOfThePrimaryKey) {
  Prepare(kRows);
  EXPECT_TRUE(Crash("backfill.before_commit", 3, "backfill-1", Count()));
  const Outcome outcome = Run("backfill-1", Count());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 50000);
  EXPECT_EQ(Counted(), "1 x 50000");
  EXPECT_EQ(Sql("SELECT walk FROM curlew.backfill"), "key");
}

TEST_F(KeyWalkTest, TakesKeysOfSeveralHostileColumns) {
  Prepare(R"sql(
CREATE TABLE t (junk text, "a b" text NOT NULL, "c""d" timestamptz NOT NULL, counter int NOT NULL DEFAULT 0,
                pending boolean NOT NULL DEFAULT true, UNIQUE ("a b", "c""d"));
INSERT INTO t SELECT NULL, (ARRAY['', 'NULL', 'it''s', '{"x"}', 'a,b', E'back\\slash', 'ü'])[1 + g % 7],
                     'epoch'::timestamptz + g * interval '1.000001 s' FROM generate_series(1, 5000) g;
)sql");
  const Outcome outcome = Run("backfill-1", Count());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "1 x 5000");
}

TEST_F(KeyWalkTest, FindsTheRowThatFails) {
  Prepare(kRows);
  Sql("UPDATE t SET v = 'bad' WHERE id = 4242");
  const Outcome outcome = Run("backfill-1", Count("t.counter + right(t.v, 1)::int - right(t.v, 1)::int + 1"));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.row_keys(), ElementsAre("t (id)=(4242)"));
}

TEST_F(KeyWalkTest, ATableWithoutAKeyIsRefusedWithWhatToDo) {
  Prepare(
      "CREATE TABLE t (id int UNIQUE, counter int, pending boolean DEFAULT true); INSERT INTO t VALUES (1, "
      "0)");
  const Outcome outcome = Run("backfill-1", Count());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("no key to walk by"));
  EXPECT_THAT(outcome.error.hint(), HasSubstr("settings.backfill.walk"));
}

}  // namespace
}  // namespace curlew::agent
