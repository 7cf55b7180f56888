#include "agent/attempt/leaves.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::HasSubstr;

constexpr char kTable[] = "\"S\"\"x\".\"Weird\"\"Name\"";
constexpr char kSetup[] = R"sql(
CREATE SCHEMA "S""x";
CREATE TABLE "S""x"."Weird""Name" (id int NOT NULL, "owner id" int) PARTITION BY RANGE (id);
CREATE TABLE "S""x"."b %s one" PARTITION OF "S""x"."Weird""Name" FOR VALUES FROM (0) TO (1000);
CREATE TABLE public."select" PARTITION OF "S""x"."Weird""Name" FOR VALUES FROM (1000) TO (2000);
CREATE TABLE "S""x"."Mid" PARTITION OF "S""x"."Weird""Name" FOR VALUES FROM (2000) TO (4000)
  PARTITION BY RANGE (id);
CREATE TABLE "S""x"."mid'a" PARTITION OF "S""x"."Mid" FOR VALUES FROM (2000) TO (3000);
CREATE TABLE "S""x"."mid;b" PARTITION OF "S""x"."Mid" FOR VALUES FROM (3000) TO (4000);
INSERT INTO "S""x"."Weird""Name" SELECT g, g % 10 FROM generate_series(0, 3999) g;
CREATE TABLE owners (id int PRIMARY KEY);
INSERT INTO owners SELECT g FROM generate_series(0, 9) g;
)sql";

class EachPartitionTest : public ExecutorTest {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(Prepare(kSetup)); }

  static void Add(v1::EachPartition& each, const std::string& before, const std::string& after) {
    v1::PartitionStatement& statement = *each.add_statements();
    statement.set_before(before);
    statement.set_after(after);
  }
  // A foreign key, NOT VALID, on each leaf.
  static v1::Action Constrain() {
    v1::Action action;
    v1::EachPartition& each = *action.mutable_execute_sql()->mutable_each_partition();
    each.set_table(kTable);
    Add(each, "ALTER TABLE ", " DROP CONSTRAINT IF EXISTS \"F k\"");
    Add(each, "ALTER TABLE ",
        " ADD CONSTRAINT \"F k\" FOREIGN KEY (\"owner id\") REFERENCES owners NOT VALID");
    return action;
  }
  static v1::Action Validate() {
    v1::Action action;
    v1::ValidateConstraint& validate = *action.mutable_validate_constraint();
    validate.set_table(kTable);
    validate.set_constraint("F k");
    validate.set_each_partition(true);
    return action;
  }
  // How many partitions have the constraint, and how many have it validated.
  std::string Constrained() {
    return Sql(
        "SELECT count(*) || ' ' || count(*) FILTER (WHERE convalidated) FROM pg_constraint"
        " WHERE conname = 'F k'");
  }
};

TEST_F(EachPartitionTest, RunsTheStatementsOnEveryLeafThenTheOthersWithTheJournal) {
  v1::Action action = Constrain();
  action.mutable_execute_sql()->add_statements(absl::StrCat("COMMENT ON TABLE ", kTable, " IS 'done'"));
  const Outcome outcome = Run("add-1", action);
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Constrained(), "4 0");
  EXPECT_EQ(Sql("SELECT obj_description('\"S\"\"x\".\"Weird\"\"Name\"'::regclass)"), "done");
  EXPECT_EQ(Journaled("add-1"), "succeeded");
}

TEST_F(EachPartitionTest, EachLeafHasATransactionOfItsOwnInTheOrderOfNames) {
  Sql("CREATE TABLE done (place serial, leaf text, transaction xid8 DEFAULT pg_current_xact_id())");
  v1::Action action;
  v1::EachPartition& each = *action.mutable_execute_sql()->mutable_each_partition();
  each.set_table(kTable);
  Add(each, "INSERT INTO done (leaf) SELECT DISTINCT tableoid::regclass::text FROM ", "");
  Add(each, "LOCK TABLE ", " IN ACCESS EXCLUSIVE MODE");
  ASSERT_EQ(Run("add-1", action).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT string_agg(leaf, ', ' ORDER BY place) FROM done"),
            "\"S\"\"x\".\"b %s one\", \"S\"\"x\".\"mid'a\", \"S\"\"x\".\"mid;b\", \"select\"");
  EXPECT_EQ(Sql("SELECT count(DISTINCT transaction) FROM done"), "4");
}

TEST_F(EachPartitionTest, WaitsForTheHolderOfOneLeafAndNotForThoseOfOthers) {
  Lock(kTable, "AccessExclusiveLock");
  // It never ends; the statements only concern partitions that come before in the order of names.
  HeldTransaction application(conninfo_, "crm-web", "SELECT * FROM public.\"select\" LIMIT 1");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("add-1", Constrain()); });
  EXPECT_TRUE(progress_.AwaitWaiting("public.\"select\" is held by"));
  EXPECT_EQ(Constrained(), "3 0");
  application.Commit();
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Constrained(), "4 0");
}

TEST_F(EachPartitionTest, DoesPartitionsThatAppearMeanwhileAndPassesOverThoseThatGo) {
  base::FaultPlan::Get().Arm("part.after_commit", 1, [&] {
    Sql("CREATE TABLE \"S\"\"x\".\"a late one\" PARTITION OF \"S\"\"x\".\"Weird\"\"Name\" FOR VALUES FROM"
        " (5000) TO (6000)");
    Sql("DROP TABLE \"S\"\"x\".\"mid'a\"");
  });
  const Outcome outcome = Run("add-1", Constrain());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Constrained(), "4 0");
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_constraint WHERE conname = 'F k' AND conrelid ="
                " '\"S\"\"x\".\"a late one\"'::regclass"),
            "1");
}

TEST_F(EachPartitionTest, IsFinishedByTheNextAttemptAfterACrashBetweenTwoPartitions) {
  for (const char* point : {"part.before_commit", "part.after_commit"}) {
    const std::string step = absl::StrCat("add-", point);
    ASSERT_TRUE(Crash(point, 2, step, Constrain()));
    EXPECT_EQ(Journaled(step), "");
    const Outcome outcome = Run(step, Constrain());
    ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
    EXPECT_EQ(Constrained(), "4 0");
  }
}

TEST_F(EachPartitionTest, AnErrorOnOneLeafFailsTheStep) {
  Sql("ALTER TABLE owners DROP CONSTRAINT owners_pkey");
  const Outcome outcome = Run("add-1", Constrain());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "42704");
  EXPECT_EQ(Journaled("add-1"), "");
}

TEST_F(EachPartitionTest, DoesNothingOnceAnotherAgentHasTakenTheTargetOver) {
  base::FaultPlan::Get().Arm("part.after_commit", 2, [&] { TakeOverByAnother(); });
  EXPECT_NE(Run("add-1", Constrain()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Constrained(), "2 0");
}

TEST_F(EachPartitionTest, ValidatesWhatEachLeafHasInItsOwnTransaction) {
  ASSERT_EQ(Run("add-1", Constrain()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  Sql("ALTER TABLE \"S\"\"x\".\"mid'a\" DROP CONSTRAINT \"F k\"");
  const Outcome outcome = Run("constrain-1", Validate());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Constrained(), "3 3");
  EXPECT_EQ(Sql("SELECT count(DISTINCT xmin::text) FROM pg_constraint WHERE conname = 'F k'"), "3");
  EXPECT_EQ(Journaled("constrain-1"), "succeeded");
  EXPECT_EQ(Run("constrain-1", Validate()).state, v1::ATTEMPT_STATE_SUCCEEDED);
}

TEST_F(EachPartitionTest, AValidationThatCrashedIsFinishedByTheNextAttempt) {
  ASSERT_EQ(Run("add-1", Constrain()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  ASSERT_TRUE(Crash("part.after_commit", 2, "constrain-1", Validate()));
  EXPECT_EQ(Constrained(), "4 2");
  EXPECT_EQ(Run("constrain-1", Validate()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Constrained(), "4 4");
}

TEST_F(EachPartitionTest, AValidationFailsWhereALeafHasARowThatBreaksIt) {
  ASSERT_EQ(Run("add-1", Constrain()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  Sql("ALTER TABLE owners DISABLE TRIGGER ALL");
  Sql("DELETE FROM owners WHERE id = 3");
  const Outcome outcome = Run("constrain-1", Validate());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "23503");
}

TEST_F(EachPartitionTest, AStepWithoutStatementsIsItsJournalRowAlone) {
  v1::Action action;
  action.mutable_execute_sql();
  Lock(kTable, "AccessExclusiveLock");
  // Nothing is waited for.
  HeldTransaction application(conninfo_, "crm-web", absl::StrCat("SELECT * FROM ", kTable, " LIMIT 1"));
  EXPECT_EQ(Run("drop-1", action).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Journaled("drop-1"), "succeeded");
}

TEST_F(EachPartitionTest, ATableThatDoesNotExistIsNamed) {
  v1::Action action = Constrain();
  action.mutable_execute_sql()->mutable_each_partition()->set_table("public.nowhere");
  EXPECT_THAT(Run("add-1", action).error.message(), HasSubstr("public.nowhere does not exist"));
}

}  // namespace
}  // namespace curlew::agent
