#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "absl/strings/match.h"
#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// About 90 blocks; half of the rows are old.
constexpr char kEvents[] = R"sql(
CREATE TABLE events (id int PRIMARY KEY, old boolean NOT NULL, filler text);
INSERT INTO events SELECT g, g % 2 = 0, repeat('n', 80) FROM generate_series(1, 6000) g;
)sql";

class DeletingBackfillTest : public ExecutorTest {
 protected:
  static v1::Action Delete(const std::string& table = "public.events") {
    v1::Action action;
    v1::Backfill& backfill = *action.mutable_backfill();
    backfill.set_table(table);
    backfill.set_deletes(true);
    backfill.set_pending("t.old");
    backfill.set_search_path("public, pg_temp");
    *backfill.mutable_batch_target() = base::ToProto(absl::Milliseconds(1));
    return action;
  }
  std::string Left() { return Sql("SELECT count(*) FILTER (WHERE old) || ' ' || count(*) FROM events"); }
  std::string Restarts() { return Sql("SELECT max(restarts) FROM curlew.backfill"); }
};

TEST_F(DeletingBackfillTest, DeletesTheRowsThatMatchAndCountsThem) {
  Prepare(kEvents);
  const Outcome outcome = Run("backfill-1", Delete());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 3000);
  EXPECT_EQ(Left(), "0 3000");
  EXPECT_EQ(Restarts(), "0");
  EXPECT_EQ(Sql("SELECT rows FROM curlew.step"), "3000");
}

TEST_F(DeletingBackfillTest, WalksAgainWhereRowsComeToMatchBehindIt) {
  Prepare(kEvents);
  base::FaultPlan::Get().Arm("backfill.after_commit", 3, [&] {
    Sql("UPDATE events SET old = true WHERE id = 1");
    Sql("INSERT INTO events SELECT g, true FROM generate_series(7001, 7100) g");
  });
  const Outcome outcome = Run("backfill-1", Delete());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 3101);
  EXPECT_EQ(Left(), "0 2999");
  // Half of the rows were dead when the second walk began.
  EXPECT_EQ(Sql("SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'events'"), "1");
  EXPECT_EQ(Restarts(), "1");
}

// Does something when the rows have been counted and the walk is at its end.
class AtTheEnd : public ProgressSink {
 public:
  explicit AtTheEnd(std::function<void()> action) : action_(std::move(action)) {}
  void Report(const v1::Progress& progress) override {
    absl::MutexLock lock(&mutex_);
    if (counted_) std::exchange(action_, [] {})();
    counted_ = counted_ || absl::StartsWith(progress.message(), "counts the rows");
  }

 private:
  absl::Mutex mutex_;
  bool counted_ ABSL_GUARDED_BY(mutex_) = false;
  std::function<void()> action_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(DeletingBackfillTest, TheLastBatchIsNotForgottenWhenTheServerLosesIt) {
  Prepare(kEvents);
  AtTheEnd crash([&] {
    Sql("INSERT INTO events VALUES (7000, true);"
        "UPDATE curlew.backfill_range SET next = first, state = 'open', finished = NULL"
        " WHERE id = (SELECT max(id) FROM curlew.backfill_range)");
  });
  RunContext context = Context("backfill-1");
  context.progress = &crash;
  EXPECT_EQ(RunStep(context, Delete()).state, v1::ATTEMPT_STATE_ERRORED);
  EXPECT_EQ(Journaled("backfill-1"), "");
  ASSERT_EQ(Run("backfill-1", Delete()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Left(), "0 3000");
}

TEST_F(DeletingBackfillTest, EndsAfterTenWalksAndSaysWhatIsLeft) {
  Prepare(kEvents);
  // For each row that goes another one comes.
  Sql("CREATE SEQUENCE next_id START 10000");
  Sql("CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO events VALUES"
      " (nextval(''public.next_id''), true); RETURN NULL; END'");
  Sql("DELETE FROM events WHERE id > 40");
  Sql("CREATE TRIGGER again AFTER DELETE ON events FOR EACH ROW EXECUTE FUNCTION again()");
  const Outcome outcome = Run("backfill-1", Delete());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_GE(outcome.rows, 200);
  EXPECT_EQ(Restarts(), "9");
  EXPECT_THAT(progress_.reports().back().message(), HasSubstr("after 10 walks 20 rows match still"));
}

TEST_F(DeletingBackfillTest, ACrashBeforeTheCountLosesNoRowThatCameMeanwhile) {
  Prepare(kEvents);
  ASSERT_TRUE(Crash("backfill.before_count", 1, "backfill-1", Delete()));
  EXPECT_EQ(Left(), "0 3000");
  Sql("UPDATE events SET old = true WHERE id < 100");
  const Outcome outcome = Run("backfill-1", Delete());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 3050);
  EXPECT_EQ(Left(), "0 2950");
}

TEST_F(DeletingBackfillTest, ACrashWithinABatchCountsEachRowOnce) {
  Prepare(kEvents);
  ASSERT_TRUE(Crash("backfill.before_commit", 3, "backfill-1", Delete()));
  ASSERT_TRUE(Crash("backfill.after_commit", 2, "backfill-1", Delete()));
  const Outcome outcome = Run("backfill-1", Delete());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 3000);
  EXPECT_EQ(Left(), "0 3000");
}

TEST_F(DeletingBackfillTest, ARowThatAnotherTableReferencesIsNamed) {
  Prepare(kEvents);
  Sql("CREATE TABLE notes (event int REFERENCES events); INSERT INTO notes VALUES (4242)");
  const Outcome outcome = Run("backfill-1", Delete());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "23503");
  EXPECT_THAT(outcome.error.message(), HasSubstr("cannot be deleted: a foreign key"));
  EXPECT_THAT(outcome.error.row_keys(), ElementsAre("events (id)=(4242)"));
  EXPECT_THAT(outcome.error.hint(), HasSubstr("references"));
  Sql("DELETE FROM notes");
  EXPECT_EQ(Run("backfill-1", Delete()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Left(), "0 3000");
}

TEST_F(DeletingBackfillTest, ARowOnWhichTheConditionFailsIsNamed) {
  Prepare(kEvents);
  v1::Action action = Delete();
  action.mutable_backfill()->set_pending("1 / (t.id - 77) > 0");
  const Outcome outcome = Run("backfill-1", action);
  EXPECT_EQ(outcome.error.sqlstate(), "22012");
  EXPECT_THAT(outcome.error.message(), HasSubstr("the condition on it"));
  EXPECT_THAT(outcome.error.row_keys(), ElementsAre("events (id)=(77)"));
}

TEST_F(DeletingBackfillTest, EmptiesPartitionsOfHostileNamesAndFollowsARowThatMoves) {
  Prepare(R"sql(
CREATE SCHEMA "S""x";
CREATE TABLE "S""x"."Weird ""Name'; --" (id int, "o ld" boolean) PARTITION BY RANGE (id);
CREATE TABLE "S""x"."low %d" PARTITION OF "S""x"."Weird ""Name'; --" FOR VALUES FROM (0) TO (1000);
CREATE TABLE mid PARTITION OF "S""x"."Weird ""Name'; --" FOR VALUES FROM (1000) TO (3000)
  PARTITION BY RANGE (id);
CREATE TABLE "select" PARTITION OF mid FOR VALUES FROM (1000) TO (2000);
CREATE TABLE mid_b PARTITION OF mid FOR VALUES FROM (2000) TO (3000);
INSERT INTO "S""x"."Weird ""Name'; --" SELECT g, g % 2 = 0 FROM generate_series(0, 2999) g;
)sql");
  v1::Action action = Delete("\"S\"\"x\".\"Weird \"\"Name'; --\"");
  action.mutable_backfill()->set_pending("t.\"o ld\"");
  // From the last partition into the first one, when both have been walked.
  base::FaultPlan::Get().Arm("backfill.before_count", 1, [&] {
    Sql("UPDATE \"S\"\"x\".\"Weird \"\"Name'; --\" SET id = 5, \"o ld\" = true WHERE id = 2999");
  });
  const Outcome outcome = Run("backfill-1", action);
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 1501);
  EXPECT_EQ(Sql("SELECT count(*) FROM \"S\"\"x\".\"Weird \"\"Name'; --\" WHERE \"o ld\""), "0");
  // Only the heap that held a row is walked again.
  EXPECT_EQ(Sql("SELECT string_agg(restarts::text, ' ' ORDER BY leaf) FROM curlew.backfill"), "1 0 0");
}

TEST_F(DeletingBackfillTest, APartitionThatGoesBeforeTheCountIsNoFailure) {
  Prepare(R"sql(
CREATE TABLE events (id int, old boolean) PARTITION BY RANGE (id);
CREATE TABLE a PARTITION OF events FOR VALUES FROM (0) TO (1000);
CREATE TABLE b PARTITION OF events FOR VALUES FROM (1000) TO (2000);
INSERT INTO events SELECT g, g % 2 = 0 FROM generate_series(0, 1999) g;
)sql");
  base::FaultPlan::Get().Arm("backfill.before_count", 1, [&] { Sql("DROP TABLE b"); });
  const Outcome outcome = Run("backfill-1", Delete());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 1000);
}

}  // namespace
}  // namespace curlew::agent
