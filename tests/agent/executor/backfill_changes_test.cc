// Tables that are rewritten, renamed, locked and dropped while several workers walk them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/guard/signals.h"
#include "common/base/own_sqlstate.h"
#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::HasSubstr;

// About 600 blocks, and rows that take a while, so that all workers are at work when something happens.
constexpr char kSlow[] = R"sql(
CREATE TABLE p1 (id int PRIMARY KEY, fill text NOT NULL, v text, counter int NOT NULL DEFAULT 0,
                 pending boolean NOT NULL DEFAULT true);
ALTER TABLE p1 ALTER fill SET STORAGE PLAIN;
INSERT INTO p1 SELECT g, repeat('n', 3500), 'v1' FROM generate_series(1, 1200) g;
CREATE TABLE t (LIKE p1 INCLUDING ALL) PARTITION BY RANGE (id);
ALTER TABLE t ATTACH PARTITION p1 FOR VALUES FROM (0) TO (10000);
CREATE FUNCTION slow(n int) RETURNS int LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.004); RETURN n; END';
)sql";
// Passed when all of four workers are at work.
constexpr int kAllAtWork = 60;

class BackfillChangesTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ExecutorTest::SetUp();
    Prepare(kSlow);
    settings_.mutable_backfill()->set_max_workers(4);
    for (const auto& [name, limit] : DefaultLimits()) throttle_.limits[name] = -1;
  }
  static v1::Action Count(const std::string& expression = "t.counter + 1") {
    v1::Action action;
    v1::Backfill& backfill = *action.mutable_backfill();
    backfill.set_table("public.t");
    for (const auto& [column, value] : {std::make_pair("counter", expression), {"pending", "false"}}) {
      v1::Assignment& assignment = *backfill.add_assignments();
      assignment.set_column(column);
      assignment.set_expression(value);
    }
    backfill.set_pending("t.pending");
    *backfill.mutable_batch_target() = base::ToProto(absl::Milliseconds(20));
    return action;
  }
  Outcome Walk(const v1::Action& action) {
    RunContext context = Context("backfill-1");
    context.throttle = &throttle_;
    return RunStep(context, action);
  }
  Outcome WalkSlowly() { return Walk(Count("slow(t.counter) + 1")); }
  // How often rows were counted, and how many.
  std::string Counted() {
    return Sql(
        "SELECT string_agg(counter || ' x ' || n, ', ' ORDER BY counter)"
        " FROM (SELECT counter, count(*) AS n FROM t GROUP BY 1) AS c");
  }
  void AtBatch(int number, const std::string& sql) {
    base::FaultPlan::Get().Arm("backfill.after_commit", number, [this, sql] { Sql(sql); });
  }
  ThrottleConfig throttle_;
};

TEST_F(BackfillChangesTest, ARewriteIsAnsweredByOneWalkAnewHoweverManyWorkersNotice) {
  AtBatch(kAllAtWork, "VACUUM FULL p1");
  const Outcome outcome = WalkSlowly();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "1 x 1200");
  EXPECT_EQ(outcome.rows, 1200);
  EXPECT_EQ(Sql("SELECT restarts FROM curlew.backfill"), "1");
}

TEST_F(BackfillChangesTest, AllWorkersGoOnUnderTheNewNameOfAPartition) {
  AtBatch(kAllAtWork, "ALTER TABLE p1 RENAME TO \"P 1\"");
  const Outcome outcome = WalkSlowly();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "1 x 1200");
}

TEST_F(BackfillChangesTest, APartitionWhoseNameAnotherTakesIsWalkedToItsEnd) {
  AtBatch(5,
          "ALTER TABLE p1 RENAME TO old; CREATE TABLE p1 PARTITION OF t FOR VALUES FROM (10000) TO (20000)");
  const Outcome outcome = Walk(Count());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "1 x 1200");
}

TEST_F(BackfillChangesTest, WaitsForAPartitionThatIsLockedWhenItsTurnComes) {
  Sql("CREATE TABLE p2 PARTITION OF t FOR VALUES FROM (10000) TO (20000);"
      "INSERT INTO t SELECT 10000 + g, 'n' FROM generate_series(1, 100) g");
  HeldTransaction ddl(conninfo_, "crm-admin", "LOCK TABLE p2 IN ACCESS EXCLUSIVE MODE");
  Outcome outcome;
  std::thread attempt([&] { outcome = Walk(Count()); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-admin"));
  ddl.Commit();
  attempt.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "1 x 1300");
}

TEST_F(BackfillChangesTest, APartitionThatIsDroppedWhenItsTurnComesIsLeftAlone) {
  Sql("CREATE TABLE p2 PARTITION OF t FOR VALUES FROM (10000) TO (20000)");
  HeldTransaction ddl(conninfo_, "crm-admin", "DROP TABLE p2");
  Outcome outcome;
  std::thread attempt([&] { outcome = Walk(Count()); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-admin"));
  ddl.Commit();
  attempt.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "1 x 1200");
}

TEST_F(BackfillChangesTest, WorkersLeaveAConnectionToWhateverTheAgentIsAskedMeanwhile) {
  settings_.mutable_backfill()->set_max_workers(8);
  std::string left = "0";
  base::FaultPlan::Get().Arm("backfill.after_commit", 3 * kAllAtWork, [&] {
    EXPECT_OK(pool_->Acquire().status());
    left = Sql("SELECT count(*) FROM t WHERE pending");
  });
  const Outcome outcome = WalkSlowly();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_NE(left, "0") << "a connection came free only when the walk was over";
}

class QuarantineAndRewriteTest : public BackfillChangesTest {
 protected:
  void SetUp() override {
    BackfillChangesTest::SetUp();
    settings_.mutable_backfill()->set_on_row_error(v1::ROW_ERROR_POLICY_QUARANTINE);
    settings_.mutable_backfill()->set_row_error_limit(1);
    settings_.mutable_backfill()->set_max_workers(1);
    // Its place is another row's once the table is rewritten.
    Sql("UPDATE p1 SET v = 'bad' WHERE id = 5; DELETE FROM p1 WHERE id > 600");
    Sql("CLUSTER p1 USING p1_pkey");
    Sql("DELETE FROM p1 WHERE id < 5");
  }
  static v1::Action Cast() { return Count("t.counter + 1 + right(t.v, 1)::int - right(t.v, 1)::int"); }
};

TEST_F(QuarantineAndRewriteTest, PlacesOfRowsThatWaitAreForgottenWithTheHeapThatTheyAreIn) {
  // In one pass, so that the row is met first.
  Sql("CREATE INDEX ON p1 (counter)");
  AtBatch(2, "VACUUM FULL p1");
  const Outcome outcome = Walk(Cast());
  EXPECT_EQ(outcome.error.sqlstate(), base::kRowsQuarantined) << outcome.error.DebugString();
  EXPECT_EQ(Sql("SELECT restarts FROM curlew.backfill"), "1");
  EXPECT_EQ(Counted(), "0 x 1, 1 x 595");
  EXPECT_EQ(Sql("SELECT string_agg(row_key || ' ' || state, ', ' ORDER BY id) FROM curlew.problem"),
            "p1 (id)=(5) mended, p1 (id)=(5) quarantined");
}

TEST_F(QuarantineAndRewriteTest, ARowIsLookedForUnderTheNewNameOfItsPartition) {
  Sql("CREATE FUNCTION fail_slowly(v text) RETURNS int LANGUAGE plpgsql AS"
      " 'BEGIN IF v <> ''bad'' THEN RETURN 1; END IF; PERFORM pg_sleep(0.3); RETURN v::int; END'");
  std::thread ddl([&] {
    while (Sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
               " AND wait_event = 'PgSleep'") == "0") {
    }
    Sql("ALTER TABLE p1 RENAME TO \"P 1\"");
  });
  const Outcome outcome = Walk(Count("t.counter + fail_slowly(t.v)"));
  ddl.join();
  EXPECT_EQ(outcome.error.sqlstate(), base::kRowsQuarantined) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "0 x 1, 1 x 595");
}

TEST_F(QuarantineAndRewriteTest, ARowThatWaitsIsFoundAgainInAHeapThatIsRewrittenMeanwhile) {
  ASSERT_EQ(Walk(Cast()).error.sqlstate(), base::kRowsQuarantined);
  Sql("VACUUM FULL p1");
  const Outcome outcome = Walk(Cast());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), base::kRowsQuarantined) << outcome.error.DebugString();
  EXPECT_EQ(Counted(), "0 x 1, 1 x 595");
  EXPECT_EQ(Sql("SELECT count(*) FROM curlew.problem WHERE state = 'quarantined'"), "1");
}

}  // namespace
}  // namespace curlew::agent
