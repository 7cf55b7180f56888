// Transforms: each row once, whatever applications lock, write and delete beside them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "common/base/own_sqlstate.h"
#include "tests/agent/executor/transform_test.h"

namespace curlew::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kRows[] = R"sql(
CREATE TABLE src (id int PRIMARY KEY, v text, n int NOT NULL DEFAULT 0);
INSERT INTO src SELECT g, 'v' || g FROM generate_series(1, 20000) g;
CREATE TABLE dst (id int, v text);
)sql";

// More than two ranges of a worker.
constexpr char kManyRows[] = R"sql(
CREATE TABLE src (id int PRIMARY KEY, v text, n int NOT NULL DEFAULT 0);
INSERT INTO src SELECT g, 'v' || g FROM generate_series(1, 120000) g;
CREATE TABLE dst (id int, v text);
)sql";

TEST_F(TransformTest, WritesEachRowOnceAndCountsThem) {
  Prepare(kRows);
  const Outcome outcome = Transform(Copy());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 20000);
  EXPECT_EQ(Written(), "20000 rows, 20000 ids");
  EXPECT_EQ(Journaled("transform-1"), "succeeded");
  EXPECT_EQ(Sql("SELECT rows FROM curlew.step"), "20000");
  EXPECT_EQ(progress_.reports().back().rows_done(), 20000);
}

TEST_F(TransformTest, AnEmptyTableIsDoneAtOnce) {
  Prepare("CREATE TABLE src (id int PRIMARY KEY, v text); CREATE TABLE dst (id int, v text)");
  const Outcome outcome = Transform(Copy());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 0);
}

TEST_F(TransformTest, RowsOfWhichTheConditionIsNullAreNotTaken) {
  Prepare(kRows);
  Sql("UPDATE src SET v = NULL WHERE id % 2 = 0");
  const Outcome outcome = Transform(Copy("INSERT INTO dst SELECT id, v FROM batch", "t.v <> 'v7'"));
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 9999);
  EXPECT_EQ(Sql("SELECT count(*) FILTER (WHERE id % 2 = 0 OR id = 7) FROM dst"), "0");
}

TEST_F(TransformTest, NothingIsRunForABatchWithoutRows) {
  Prepare(kRows);
  ASSERT_EQ(Transform(Copy("INSERT INTO dst SELECT count(*), '' FROM batch", "t.id IN (3, 19999)")).state,
            v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT string_agg(id::text, ' ') FROM dst"), "1 1");
}

TEST_F(TransformTest, SeveralWorkersWriteEachRowOnceWhateverApplicationsLockAndWrite) {
  Prepare(kManyRows);
  Workers(4);
  std::atomic<bool> done = false;
  Outcome outcome;
  std::thread attempt([&] {
    outcome = Transform(Copy());
    done = true;
  });
  std::vector<std::thread> applications;
  std::atomic<int64_t> writes = 0;
  for (int number = 0; number < 3; ++number) {
    applications.emplace_back([&, number] {
      const std::unique_ptr<pg::Connection> session = Connect(conninfo_);
      for (int64_t i = number; !done; i += 3, ++writes) {
        const std::string range =
            absl::StrCat(" id BETWEEN ", i * 977 % 119000, " AND ", i * 977 % 119000 + 40);
        // Rows get new places, or are locked for a moment.
        const std::string sql =
            number == 0 ? absl::StrCat("BEGIN; SELECT FROM src WHERE", range, " FOR UPDATE; SELECT 1; COMMIT")
                        : absl::StrCat("UPDATE src SET n = n + 1 WHERE", range);
        EXPECT_OK(session->Execute(sql).status());
      }
    });
  }
  attempt.join();
  for (std::thread& application : applications) application.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Written(), "120000 rows, 120000 ids") << "with " << writes << " writes beside it";
  EXPECT_EQ(outcome.rows, 120000);
}

TEST_F(TransformTest, WorkersThatAddUpIntoTheSameRowsWaitForEachOtherAndLoseNothing) {
  Prepare(kManyRows);
  Workers(4);
  Sql("CREATE TABLE totals (k int PRIMARY KEY, n bigint)");
  const Outcome outcome =
      Transform(Copy("INSERT INTO totals SELECT id % 10, count(*) FROM batch GROUP BY 1"
                     " ON CONFLICT (k) DO UPDATE SET n = totals.n + excluded.n"));
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Sql("SELECT count(*) || ' x ' || min(n) || ' to ' || max(n) FROM totals"), "10 x 12000 to 12000");
}

TEST_F(TransformTest, ACrashOfAllLosesAndRepeatsNothing) {
  Prepare(kManyRows);
  Workers(3);
  EXPECT_TRUE(Crash("transform.after_lock", 5, "transform-1", Copy()));
  EXPECT_TRUE(Crash("backfill.before_commit", 7, "transform-1", Copy()));
  EXPECT_TRUE(Crash("backfill.after_commit", 9, "transform-1", Copy()));
  EXPECT_EQ(Sql("SELECT count(*) FROM dst"), Sql("SELECT sum(rows) FROM curlew.backfill_range"));
  const Outcome outcome = Transform(Copy());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 120000);
  EXPECT_EQ(Written(), "120000 rows, 120000 ids");
}

// What a server that crashes loses of asynchronous commits: a batch as a whole, with its place.
constexpr char kLoseTheFirstBatch[] =
    "DELETE FROM dst; UPDATE curlew.backfill_range SET next = first, rows = 0, state = 'open', finished = "
    "NULL";

TEST_F(TransformTest, ABatchThatTheServerLosesIsDoneAgain) {
  Prepare(kRows);
  AtBatch("backfill.after_commit", 1, [&] { Sql(kLoseTheFirstBatch); });
  EXPECT_EQ(Transform(Copy()).state, v1::ATTEMPT_STATE_ERRORED);
  ASSERT_EQ(Transform(Copy()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Written(), "20000 rows, 20000 ids");
}

TEST_F(TransformTest, TheLastBatchIsNotForgottenWhenTheServerLosesIt) {
  Prepare(kRows);
  Sql("DELETE FROM src WHERE id > 100");
  AtBatch("backfill.after_commit", 1, [&] { Sql(kLoseTheFirstBatch); });
  EXPECT_EQ(Transform(Copy()).state, v1::ATTEMPT_STATE_ERRORED);
  EXPECT_EQ(Journaled("transform-1"), "");
  ASSERT_EQ(Transform(Copy()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Written(), "100 rows, 100 ids");
}

TEST_F(TransformTest, ALockedRowIsPutAsideAloneAndComesBack) {
  Prepare(kRows);
  HeldTransaction application(conninfo_, "crm-web", "UPDATE src SET v = 'mine' WHERE id = 10");
  Outcome outcome;
  std::thread attempt([&] { outcome = Transform(Copy()); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  EXPECT_EQ(Written(), "19999 rows, 19999 ids");
  EXPECT_EQ(Sql("SELECT string_agg(first, ' ') FROM curlew.backfill_range WHERE single AND state = 'aside'"),
            "{10}");
  application.Commit();
  attempt.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Written(), "20000 rows, 20000 ids");
  EXPECT_EQ(Sql("SELECT v FROM dst WHERE id = 10"), "mine");
}

TEST_F(TransformTest, APartThatOthersHoldComesBackAsAWhole) {
  Prepare(kRows);
  HeldTransaction application(conninfo_, "crm-web", "UPDATE src SET v = 'mine'");
  Outcome outcome;
  std::thread attempt([&] { outcome = Transform(Copy()); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  EXPECT_EQ(Written(), "0 rows, 0 ids");
  // Afterwards there may be some: the commit may meet a try when it has found all but a few of the rows held.
  EXPECT_EQ(Sql("SELECT count(*) FROM curlew.backfill_range WHERE single"), "0");
  application.Commit();
  attempt.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Written(), "20000 rows, 20000 ids");
  EXPECT_EQ(Sql("SELECT DISTINCT v FROM dst"), "mine");
}

TEST_F(TransformTest, GivesUpOnARowThatStaysLockedAndIsResumed) {
  Prepare(kRows);
  *settings_.mutable_lock_retry_deadline() = base::ToProto(absl::Milliseconds(300));
  HeldTransaction application(conninfo_, "crm-web", "SELECT FROM src WHERE id = 10 FOR UPDATE");
  const Outcome outcome = Transform(Copy());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_ERRORED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("crm-web"));
  application.Commit();
  ASSERT_EQ(Transform(Copy()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Written(), "20000 rows, 20000 ids");
}

TEST_F(TransformTest, ARowThatComesBetweenLockAndLookIsWrittenOnce) {
  Prepare(kRows);
  Sql("DELETE FROM src WHERE id IN (5, 6)");
  // One that appears, one that moves within the part, and locked ones that stay where they are.
  AtBatch("transform.after_lock", 1, [&] { Sql("INSERT INTO src VALUES (5, 'late'), (-1, 'first')"); });
  const Outcome outcome = Transform(Copy());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Written(), "20000 rows, 20000 ids");
  EXPECT_EQ(Sql("SELECT v FROM dst WHERE id = 5"), "late");
}

TEST_F(TransformTest, ManyRowsThatComeBetweenLockAndLookSendThePartBackAsAWhole) {
  Prepare(kRows);
  AtBatch("transform.after_lock", 1,
          [&] { Sql("INSERT INTO src SELECT -g FROM generate_series(1, 5000) g"); });
  ASSERT_EQ(Transform(Copy()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Written(), "25000 rows, 25000 ids");
  EXPECT_EQ(Sql("SELECT count(*) FROM curlew.backfill_range WHERE single"), "0");
}

// A row that is locked is written as it is then, not as the batch's snapshot had it.
TEST_F(TransformTest, ARowThatChangesBetweenSnapshotAndLockIsWrittenAsItIsThen) {
  Prepare(kRows);
  Sql(R"sql(
CREATE TABLE go ();
CREATE FUNCTION gate(id int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  WHILE id = 1 AND NOT EXISTS (SELECT FROM public.go) LOOP PERFORM pg_sleep(0.001); END LOOP;
  RETURN true;
END $$;
)sql");
  Outcome outcome;
  std::thread attempt(
      [&] { outcome = Transform(Copy("INSERT INTO dst SELECT id, v FROM batch", "gate(t.id)")); });
  while (Sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
             " AND datname = current_database()") == "0") {
  }
  // Row 7 gets another place; 8 another key, further on; 9 goes; 11 is held by somebody else.
  Sql("UPDATE src SET v = 'new' WHERE id = 7");
  Sql("UPDATE src SET id = 30000 WHERE id = 8");
  Sql("DELETE FROM src WHERE id = 9");
  HeldTransaction application(conninfo_, "crm-web", "UPDATE src SET v = 'held' WHERE id = 11");
  Sql("INSERT INTO go DEFAULT VALUES");
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  application.Commit();
  attempt.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  // The bound of the walk lies before the new key of row 8.
  EXPECT_EQ(Written(), "19998 rows, 19998 ids");
  EXPECT_EQ(Sql("SELECT string_agg(id || ' ' || v, ', ' ORDER BY id) FROM dst WHERE id BETWEEN 6 AND 11"),
            "6 v6, 7 new, 10 v10, 11 held");
}

TEST_F(TransformTest, RowsThatAreDeletedMeanwhileAreNotWritten) {
  Prepare(kRows);
  AtBatch("backfill.after_commit", 1, [&] { Sql("DELETE FROM src WHERE id > 15000"); });
  const Outcome outcome = Transform(Copy());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 15000);
  EXPECT_EQ(Written(), "15000 rows, 15000 ids");
}

TEST_F(TransformTest, ARowUnderANewKeyIsANewRow) {
  Prepare(kRows);
  Sql("DELETE FROM src WHERE id = 19999");
  AtBatch("backfill.after_commit", 1, [&] {
    Sql("UPDATE src SET id = 19999 WHERE id = 15000");  // ahead of the walk still
    Sql("UPDATE src SET id = -1 WHERE id = 16000");     // behind it
    Sql("UPDATE src SET id = 30000 WHERE id = 1");      // written already, and past the bound
  });
  ASSERT_EQ(Transform(Copy()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT string_agg(id::text, ' ' ORDER BY id) FROM dst"
                " WHERE id IN (15000, 19999, 16000, -1, 30000, 1)"),
            "1 19999");
  EXPECT_EQ(Written(), "19998 rows, 19998 ids");
}

TEST_F(TransformTest, WritesBackIntoTheTableItselfEachRowOnce) {
  Prepare(kRows);
  EXPECT_TRUE(Crash("backfill.before_commit", 3, "transform-1",
                    Copy("UPDATE src SET n = src.n + 1 FROM batch WHERE src.id = batch.id")));
  ASSERT_EQ(Transform(Copy("UPDATE src SET n = src.n + 1 FROM batch WHERE src.id = batch.id")).state,
            v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT min(n) || ' ' || max(n) FROM src"), "1 1");
}

TEST_F(TransformTest, ARowThatAForeignKeyHoldsDoesNotStopItsDeletion) {
  Prepare(kRows);
  Sql("CREATE TABLE child (src int REFERENCES src ON DELETE CASCADE)");
  HeldTransaction application(conninfo_, "crm-web", "INSERT INTO child VALUES (10)");
  Outcome outcome;
  std::thread attempt(
      [&] { outcome = Transform(Copy("DELETE FROM src USING batch WHERE src.id = batch.id")); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  EXPECT_EQ(Sql("SELECT count(*) FROM src"), "1");
  application.Commit();
  attempt.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Sql("SELECT count(*) FROM src"), "0");
}

TEST_F(TransformTest, MayMergeIntoAnotherTable) {
  Prepare(kRows);
  Sql("INSERT INTO dst VALUES (3, 'old'); CREATE INDEX ON dst (id)");
  ASSERT_EQ(Transform(Copy("MERGE INTO dst USING batch ON dst.id = batch.id"
                           " WHEN MATCHED THEN UPDATE SET v = batch.v"
                           " WHEN NOT MATCHED THEN INSERT VALUES (batch.id, batch.v)"))
                .state,
            v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Written(), "20000 rows, 20000 ids");
  EXPECT_EQ(Sql("SELECT v FROM dst WHERE id = 3"), "v3");
}

class DirtyTransformTest : public TransformTest {
 protected:
  void SetUp() override {
    TransformTest::SetUp();
    Prepare(kRows);
    Sql("UPDATE src SET v = 'bad' WHERE id IN (5, 15001)");
    Workers(2);
  }
  void Quarantine() { settings_.mutable_backfill()->set_on_row_error(v1::ROW_ERROR_POLICY_QUARANTINE); }
  static v1::Action Cast() { return Copy("INSERT INTO dst SELECT id, substr(v, 2)::int FROM batch"); }
  std::string Problems() {
    return Sql("SELECT string_agg(row_key || ' ' || state, ', ' ORDER BY row_key) FROM curlew.problem");
  }
};

TEST_F(DirtyTransformTest, StopsAtARowThatFailsAndNamesIt) {
  Workers(1);
  Outcome outcome = Transform(Cast());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "22P02");
  EXPECT_THAT(outcome.error.row_keys(), ElementsAre("src (id)=(5)"));
  EXPECT_THAT(outcome.error.message(), HasSubstr("cannot be written: the statement (write)"));
  Sql("UPDATE src SET v = 'v0' WHERE id IN (5, 15001)");
  outcome = Transform(Cast());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Written(), "20000 rows, 20000 ids");
}

TEST_F(DirtyTransformTest, QuarantinesRowsThatFailAndTriesThemAgain) {
  Quarantine();
  Outcome outcome = Transform(Cast());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), base::kRowsQuarantined);
  EXPECT_EQ(Written(), "19998 rows, 19998 ids");
  EXPECT_EQ(Problems(), "src (id)=(15001) quarantined, src (id)=(5) quarantined");
  Sql("UPDATE src SET v = 'v0' WHERE id = 5");
  outcome = Transform(Cast());
  EXPECT_THAT(outcome.error.row_keys(), ElementsAre("src (id)=(15001)"));
  EXPECT_EQ(Written(), "19999 rows, 19999 ids");
  EXPECT_EQ(Problems(), "src (id)=(15001) quarantined, src (id)=(5) mended");
}

TEST_F(DirtyTransformTest, RowsThatAreAcceptedAreNotWritten) {
  Quarantine();
  ASSERT_EQ(Transform(Cast()).state, v1::ATTEMPT_STATE_FAILED);
  override_wait_.emplace();
  override_wait_->set_actor("ann");
  override_wait_->set_reason("test rows");
  const Outcome outcome = Transform(Cast());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 19998);
  EXPECT_EQ(Written(), "19998 rows, 19998 ids");
  EXPECT_EQ(Problems(), "src (id)=(15001) accepted, src (id)=(5) accepted");
}

TEST_F(DirtyTransformTest, AConditionThatFailsOnARowQuarantinesThatRowOnly) {
  Quarantine();
  const v1::Action action = Copy("INSERT INTO dst SELECT id, v FROM batch", "substr(t.v, 2)::int > 0");
  const Outcome outcome = Transform(action);
  EXPECT_EQ(outcome.error.sqlstate(), base::kRowsQuarantined) << outcome.error.DebugString();
  EXPECT_EQ(Written(), "19998 rows, 19998 ids");
  EXPECT_EQ(Problems(), "src (id)=(15001) quarantined, src (id)=(5) quarantined");
}

TEST_F(DirtyTransformTest, AFailingConditionIsNamed) {
  const Outcome outcome =
      Transform(Copy("INSERT INTO dst SELECT id, v FROM batch", "substr(t.v, 2)::int > 0"));
  EXPECT_THAT(outcome.error.message(), HasSubstr("the condition on it (where)"));
}

TEST_F(DirtyTransformTest, ARowThatIsTooMuchBesideAnotherIsNamed) {
  Quarantine();
  Sql("UPDATE src SET v = 'v' || id");
  Sql("UPDATE src SET v = 'v17' WHERE id IN (19, 18000)");
  Sql("CREATE UNIQUE INDEX ON dst (v)");
  const Outcome outcome = Transform(Copy());
  EXPECT_EQ(outcome.error.sqlstate(), base::kRowsQuarantined) << outcome.error.DebugString();
  EXPECT_EQ(Problems(), "src (id)=(18000) quarantined, src (id)=(19) quarantined");
  EXPECT_EQ(Written(), "19998 rows, 19998 ids");
}

TEST_F(DirtyTransformTest, WhatFailsForEveryRowIsNoRowsFault) {
  Quarantine();
  const Outcome outcome = Transform(Copy("INSERT INTO dst SELECT id, no_such_function(v) FROM batch"));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "42883");
  EXPECT_THAT(outcome.error.row_keys(), IsEmpty());
  EXPECT_EQ(Sql("SELECT count(*) FROM curlew.problem"), "0");
}

}  // namespace
}  // namespace curlew::agent
