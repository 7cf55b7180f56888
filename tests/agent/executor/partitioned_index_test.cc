#include "agent/executor/partitioned_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::HasSubstr;

constexpr char kTable[] = "\"S\"\"x\".\"Weird\"\"Name\"";
// 62 bytes; cut for the parts within a character.
constexpr char kName[] =
    "Ü"
    "x\"öööööööööööööööööööööööööööö'z";
constexpr char kSetup[] = R"sql(
CREATE SCHEMA "S""x";
CREATE TABLE "S""x"."Weird""Name" (id int NOT NULL, "a b" int, gone int) PARTITION BY RANGE (id);
ALTER TABLE "S""x"."Weird""Name" DROP COLUMN gone;
CREATE TABLE "S""x"."b %s one" PARTITION OF "S""x"."Weird""Name" FOR VALUES FROM (0) TO (1000);
CREATE TABLE public."select" PARTITION OF "S""x"."Weird""Name" FOR VALUES FROM (1000) TO (2000);
CREATE TABLE "S""x"."Mid" PARTITION OF "S""x"."Weird""Name" FOR VALUES FROM (2000) TO (4000)
  PARTITION BY RANGE (id);
CREATE TABLE "S""x"."mid'a" PARTITION OF "S""x"."Mid" FOR VALUES FROM (2000) TO (3000);
CREATE TABLE "S""x"."mid;b" PARTITION OF "S""x"."Mid" FOR VALUES FROM (3000) TO (4000);
CREATE TABLE other (a int);
INSERT INTO "S""x"."Weird""Name" SELECT g, g FROM generate_series(0, 3999) g;
)sql";
constexpr int kLeaves = 4;
// With "Mid" and the table itself.
constexpr int kIndexes = 6;

std::string QuotedName() { return "\"S\"\"x\".\"Üx\"\"öööööööööööööööööööööööööööö'z\""; }

class PartitionedIndexTest : public ExecutorTest {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(Prepare(kSetup)); }

  static v1::Action Create(const std::string& definition = "USING btree (\"a b\") WHERE (id >= 0)") {
    v1::Action action;
    v1::ExecuteSqlConcurrently& sql = *action.mutable_execute_sql_concurrently();
    sql.set_index(QuotedName());
    sql.set_table(kTable);
    sql.set_effect(v1::ExecuteSqlConcurrently::EFFECT_CREATES);
    sql.mutable_partitioned()->set_definition(definition);
    return action;
  }
  static v1::Action Constrain(const std::string& constraint = "UNIQUE (\"a b\", id)") {
    v1::Action action = Create("USING btree (\"a b\", id)");
    v1::PartitionedIndex& how = *action.mutable_execute_sql_concurrently()->mutable_partitioned();
    how.set_unique(true);
    how.set_constraint(constraint);
    return action;
  }
  // The undo of either.
  static v1::Action Drop() {
    v1::Action action;
    v1::ExecuteSqlConcurrently& sql = *action.mutable_execute_sql_concurrently();
    sql.set_index(QuotedName());
    sql.set_table(kTable);
    sql.set_effect(v1::ExecuteSqlConcurrently::EFFECT_DROPS);
    sql.mutable_partitioned();
    return action;
  }
  // "t", "f", or "" where there is no such index.
  std::string Valid() {
    return Sql(absl::StrCat("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('",
                            "\"S\"\"x\".\"Üx\"\"öööööööööööööööööööööööööööö''z\"", "')"));
  }
  // How many indexes there are on the table and its partitions, those that are valid, and those attached.
  std::string Indexes() {
    return Sql(
        "SELECT count(*) || ' ' || count(*) FILTER (WHERE indisvalid) || ' ' || count(inhrelid) FROM pg_index"
        " LEFT JOIN pg_inherits ON inhrelid = indexrelid WHERE indrelid IN (SELECT relid FROM"
        " pg_partition_tree('\"S\"\"x\".\"Weird\"\"Name\"'))");
  }
  std::string AllDone() { return absl::StrCat(kIndexes, " ", kIndexes, " ", kIndexes - 1); }
};

TEST_F(PartitionedIndexTest, BuildsOneOnEveryLeafAndAttachesIt) {
  const Outcome outcome = Run("add-1", Create());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Valid(), "t");
  EXPECT_EQ(Indexes(), AllDone());
  EXPECT_EQ(Journaled("add-1"), "succeeded");
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_index WHERE pg_get_indexdef(indexrelid) LIKE '%(\"a b\") WHERE (id"
                " >= 0)'"),
            absl::StrCat(kIndexes));
  // Parts live with their tables, and say whose parts they are.
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_index JOIN pg_class c ON c.oid = indexrelid JOIN pg_class t ON"
                " t.oid = indrelid WHERE c.relnamespace = t.relnamespace AND c.relname LIKE 'Üx\"öö%'"),
            absl::StrCat(kIndexes));
}

TEST_F(PartitionedIndexTest, AUniqueIndexIsUnique) {
  v1::Action action = Create("USING btree (id)");
  action.mutable_execute_sql_concurrently()->mutable_partitioned()->set_unique(true);
  ASSERT_EQ(Run("add-1", action).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Indexes(), AllDone());
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_index WHERE indisunique AND indrelid IN (SELECT relid FROM"
                " pg_partition_tree('\"S\"\"x\".\"Weird\"\"Name\"'))"),
            absl::StrCat(kIndexes));
}

TEST_F(PartitionedIndexTest, AConstraintStandsOnEveryPartitionWithItsDeferral) {
  const Outcome outcome = Run("constrain-1", Constrain("UNIQUE (\"a b\", id) DEFERRABLE INITIALLY DEFERRED"));
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Valid(), "t");
  EXPECT_EQ(Indexes(), AllDone());
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_constraint WHERE contype = 'u' AND condeferrable AND condeferred"),
            absl::StrCat(kIndexes));
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_constraint WHERE contype = 'u' AND conparentid <> 0"),
            absl::StrCat(kIndexes - 1));
}

TEST_F(PartitionedIndexTest, APrimaryKeyIsMadeTheSameWay) {
  v1::Action action = Constrain("PRIMARY KEY (id)");
  action.mutable_execute_sql_concurrently()->mutable_partitioned()->set_definition("USING btree (id)");
  const Outcome outcome = Run("constrain-1", action);
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(
      Sql("SELECT count(*) FROM pg_index WHERE indisprimary AND indisvalid AND indrelid IN (SELECT relid"
          " FROM pg_partition_tree('\"S\"\"x\".\"Weird\"\"Name\"'))"),
      absl::StrCat(kIndexes));
}

TEST_F(PartitionedIndexTest, WritesGoOnWhileALeafWaitsForATransaction) {
  HeldTransaction application(conninfo_, "crm-web",
                              "UPDATE public.\"select\" SET \"a b\" = 1 WHERE id = 1000");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("add-1", Create()); });
  // The parent's index takes a SHARE lock on the parent alone, which the application holds as well.
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  const auto neighbour =
      *pg::Connection::Connect({.conninfo = conninfo_, .statement_timeout = absl::Seconds(5)});
  EXPECT_OK(
      neighbour->Execute("UPDATE \"S\"\"x\".\"Weird\"\"Name\" SET \"a b\" = 5 WHERE id IN (5, 1005, 2005)")
          .status());
  application.Commit();
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Indexes(), AllDone());
}

TEST_F(PartitionedIndexTest, AnApplicationIsNeverHeldUpForLong) {
  for (const v1::Action& action : {Create(), Constrain()}) {
    std::atomic<bool> done = false;
    int writes = 0;
    std::thread application([&] {
      const auto session =
          *pg::Connection::Connect({.conninfo = conninfo_, .statement_timeout = absl::Seconds(1)});
      for (; !done; ++writes) {
        EXPECT_OK(session
                      ->Execute(absl::StrCat("UPDATE ", kTable, " SET \"a b\" = \"a b\" + 10000 WHERE id = ",
                                             writes * 37 % 4000))
                      .status());
      }
    });
    const Outcome outcome = Run(absl::StrCat("add-", action.ByteSizeLong()), action);
    done = true;
    application.join();
    EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
    EXPECT_EQ(Indexes(), AllDone());
    EXPECT_GT(writes, 10);
    ASSERT_EQ(Undo(absl::StrCat("add-", action.ByteSizeLong()), Drop()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  }
}

TEST_F(PartitionedIndexTest, ABuildWhoseProcessIsKilledIsEndedAndBegunAgain) {
  // The parent's index would wait for the application already.
  ASSERT_TRUE(Crash("part.after_commit", 2, "add-1", Create()));
  // The backend builds on, though its client is gone; here it waits for the application.
  auto application = std::make_unique<HeldTransaction>(
      conninfo_, "crm-web", "UPDATE public.\"select\" SET \"a b\" = 1 WHERE id = 1500");
  const pid_t child = Spawn("add-1", Create());
  const std::string building = "SELECT count(*) FROM pg_stat_progress_create_index WHERE phase LIKE '%wait%'";
  for (int i = 0; i < 600 && Sql(building) != "1"; ++i)
    EXPECT_OK(CancelToken().Pause(absl::Milliseconds(50)));
  ASSERT_EQ(Sql(building), "1");
  ASSERT_EQ(kill(child, SIGKILL), 0);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  ASSERT_EQ(Sql(building), "1") << "the statement ended with its client: the test proves nothing";
  application.reset();
  const Outcome outcome = Run("add-1", Create());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Indexes(), AllDone());
}

TEST_F(PartitionedIndexTest, NeverTakesSomebodyElsesIndexForItsOwnHoweverOftenItIsAsked) {
  const std::string theirs =
      absl::StrCat("CREATE INDEX ", QuotedName().substr(7), " ON ONLY ", kTable, " (id)");
  Sql(theirs);
  EXPECT_THAT(Run("add-1", Create()).error.message(), HasSubstr("is not Curlew's"));
  EXPECT_THAT(Run("add-1", Create()).error.message(), HasSubstr("is not Curlew's"));
  EXPECT_EQ(Undo("add-1", Drop()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Valid(), "f") << "the undo dropped what the step had not made";
}

TEST_F(PartitionedIndexTest, RefusesAnIndexOfThatNameOnAnotherTable) {
  Sql(absl::StrCat("CREATE TABLE \"S\"\"x\".other (a int); CREATE INDEX ", QuotedName().substr(7),
                   " ON \"S\"\"x\".other (a)"));
  EXPECT_EQ(Run("add-1", Create()).state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(Indexes(), "0 0 0");
}

TEST_F(PartitionedIndexTest, RefusesATableThatIsNotPartitioned) {
  v1::Action action = Create();
  action.mutable_execute_sql_concurrently()->set_table("public.other");
  EXPECT_THAT(Run("add-1", action).error.message(), HasSubstr("public.other is not partitioned"));
}

TEST_F(PartitionedIndexTest, RefusesAForeignPartitionBeforeItMakesAnything) {
  Sql("CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;"
      "CREATE FOREIGN TABLE far PARTITION OF \"S\"\"x\".\"Weird\"\"Name\" FOR VALUES FROM (9000) TO (9999)"
      " SERVER s");
  const Outcome outcome = Run("add-1", Create());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("public.far"));
  EXPECT_EQ(Indexes(), "0 0 0");
}

TEST_F(PartitionedIndexTest, PartitionsMayComeAndGoMeanwhile) {
  base::FaultPlan::Get().Arm("concurrently.after_execute", 2, [&] {
    Sql("CREATE TABLE late PARTITION OF \"S\"\"x\".\"Weird\"\"Name\" FOR VALUES FROM (5000) TO (6000)");
    Sql("CREATE TABLE full_one (id int NOT NULL, \"a b\" int);"
        "INSERT INTO full_one SELECT g FROM generate_series(6000, 6099) g;"
        "ALTER TABLE \"S\"\"x\".\"Weird\"\"Name\" ATTACH PARTITION full_one FOR VALUES FROM (6000) TO "
        "(7000)");
    Sql("DROP TABLE \"S\"\"x\".\"mid;b\"");
  });
  const Outcome outcome = Run("add-1", Create());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Valid(), "t");
  EXPECT_EQ(Indexes(), "7 7 6");
}

TEST_F(PartitionedIndexTest, IsValidAlsoWhereTheLastMissingPartitionGoes) {
  // All but one are attached when that one goes: nothing is left whose attachment would look at the parent.
  Sql("DROP TABLE \"S\"\"x\".\"Mid\"");
  base::FaultPlan::Get().Arm("concurrently.before_execute", 2, [&] {
    Sql("ALTER TABLE \"S\"\"x\".\"Weird\"\"Name\" DETACH PARTITION \"S\"\"x\".\"b %s one\"");
    Sql("ALTER TABLE \"S\"\"x\".\"Weird\"\"Name\" DETACH PARTITION public.\"select\"");
  });
  Outcome outcome = Run("add-1", Create());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Valid(), "t");
}

TEST_F(PartitionedIndexTest, ATableWithoutPartitionsGetsItsIndexAtOnce) {
  Sql("DROP TABLE \"S\"\"x\".\"Mid\"; DROP TABLE \"select\"; DROP TABLE \"S\"\"x\".\"b %s one\"");
  EXPECT_EQ(Run("add-1", Create()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Indexes(), "1 1 0");
}

TEST_F(PartitionedIndexTest, AnInvalidLeftoverOnALeafIsBuiltAgain) {
  ASSERT_TRUE(Crash("concurrently.after_execute", 1, "add-1", Create()));
  ASSERT_EQ(Indexes(), "3 1 1");
  Sql("UPDATE pg_index SET indisvalid = false WHERE indrelid = '\"S\"\"x\".\"b %s one\"'::regclass");
  const std::string before = Sql("SELECT max(indexrelid::bigint) FROM pg_index WHERE NOT indisvalid");
  const Outcome outcome = Run("add-1", Create());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Indexes(), AllDone());
  EXPECT_EQ(Sql(absl::StrCat("SELECT count(*) FROM pg_index WHERE indexrelid = ", before)), "0");
}

TEST_F(PartitionedIndexTest, ALeafThatWasFinishedBeforeTheCrashIsKept) {
  ASSERT_TRUE(Crash("concurrently.after_execute", 1, "add-1", Create()));
  const std::string built =
      Sql("SELECT max(indexrelid::bigint) FROM pg_index WHERE indrelid IN (SELECT relid"
          " FROM pg_partition_tree('\"S\"\"x\".\"Weird\"\"Name\"') WHERE isleaf)");
  ASSERT_EQ(Run("add-1", Create()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql(absl::StrCat("SELECT count(*) FROM pg_inherits WHERE inhrelid = ", built)), "1");
}

TEST_F(PartitionedIndexTest, AnAttachedPartThatIsInvalidIsBuiltAnew) {
  ASSERT_TRUE(Crash("part.after_commit", 2, "add-1", Create()));
  ASSERT_EQ(Sql("UPDATE pg_index SET indisvalid = false FROM pg_inherits, pg_class c WHERE inhrelid ="
                " indexrelid AND c.oid = indexrelid AND c.relkind = 'i' AND indrelid ="
                " '\"S\"\"x\".\"b %s one\"'::regclass RETURNING true"),
            "");
  const Outcome outcome = Run("add-1", Create());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Indexes(), AllDone());
}

TEST_F(PartitionedIndexTest, RowsThatCollideFailTheStepAndLeaveNothingInvalidOnTheLeaf) {
  Sql("INSERT INTO public.\"select\" VALUES (1500, 1500)");
  const Outcome outcome = Run("constrain-1", Constrain());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "23505");
  EXPECT_EQ(Valid(), "f");
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_index WHERE indrelid = 'public.\"select\"'::regclass"), "0");
  EXPECT_EQ(Undo("constrain-1", Drop()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Indexes(), "0 0 0");
}

TEST_F(PartitionedIndexTest, GoesOnOnceTheCollidingRowIsGone) {
  Sql("INSERT INTO public.\"select\" VALUES (1500, 1500)");
  ASSERT_EQ(Run("constrain-1", Constrain()).state, v1::ATTEMPT_STATE_FAILED);
  Sql("DELETE FROM public.\"select\" WHERE id = 1500");
  EXPECT_EQ(Run("constrain-1", Constrain()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Indexes(), AllDone());
}

TEST_F(PartitionedIndexTest, BeginsNoLeafPastItsLease) {
  base::FaultPlan::Get().Arm("part.after_commit", 1, [&] { lease_.SetLeaseTime(absl::ZeroDuration()); });
  EXPECT_EQ(Run("add-1", Create()).state, v1::ATTEMPT_STATE_ERRORED);
  EXPECT_EQ(Indexes(), "2 0 1");
}

TEST_F(PartitionedIndexTest, AttachesNothingOnceAnotherAgentHasTakenTheTargetOver) {
  base::FaultPlan::Get().Arm("concurrently.after_execute", 1, [&] { TakeOverByAnother(); });
  EXPECT_NE(Run("add-1", Create()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Indexes(), "3 1 1");
}

TEST_F(PartitionedIndexTest, StopsBetweenTwoPartitionsWhenCancelledAndGoesOnLater) {
  base::FaultPlan::Get().Arm("part.after_commit", 2, [&] { cancel_.Cancel("an operator paused it"); });
  EXPECT_EQ(Run("add-1", Create()).state, v1::ATTEMPT_STATE_CANCELLED);
  CancelToken fresh;
  RunContext context = Context("add-1");
  context.cancel = &fresh;
  EXPECT_EQ(RunStep(context, Create()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Indexes(), AllDone());
}

TEST_F(PartitionedIndexTest, IsUndoneHoweverOften) {
  for (const v1::Action& action : {Create(), Constrain()}) {
    const std::string step = absl::StrCat("add-", action.ByteSizeLong());
    ASSERT_EQ(Run(step, action).state, v1::ATTEMPT_STATE_SUCCEEDED);
    for (int i = 0; i < 2; ++i) {
      const Outcome outcome = Undo(step, Drop());
      ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
      EXPECT_EQ(Indexes(), "0 0 0");
    }
    EXPECT_EQ(Sql("SELECT count(*) FROM pg_constraint WHERE contype = 'u' AND conrelid >= 16384"), "0");
  }
}

TEST_F(PartitionedIndexTest, IsDroppedAsAStepOfItsOwnToo) {
  Sql(absl::StrCat("CREATE INDEX ", QuotedName().substr(7), " ON ", kTable, " (\"a b\")"));
  v1::Action action = Drop();
  action.mutable_execute_sql_concurrently()->clear_partitioned();
  action.mutable_execute_sql_concurrently()->set_statement(
      absl::StrCat("DROP INDEX CONCURRENTLY IF EXISTS ", QuotedName()));
  const Outcome outcome = Run("drop-1", action);
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Indexes(), "0 0 0");
}

TEST_F(PartitionedIndexTest, TheUndoIsFinishedByTheNextAttemptAfterACrash) {
  for (const char* point : {"part.before_commit", "part.after_commit", "concurrently.after_execute"}) {
    const std::string step = absl::StrCat("add-", point);
    // Built on one leaf, not attached.
    ASSERT_TRUE(Crash("concurrently.after_execute", 1, step, Create()));
    ASSERT_TRUE(Crash(point, 1, step, Drop(), v1::DIRECTION_UNDO)) << point;
    EXPECT_EQ(Undo(step, Drop()).state, v1::ATTEMPT_STATE_SUCCEEDED);
    EXPECT_EQ(Indexes(), "0 0 0") << point;
  }
}

// kill -9 at every place that matters, n times passed.
struct CrashPoint {
  const char* point;
  int passes;
};

class PartitionedIndexCrashTest : public PartitionedIndexTest,
                                  public ::testing::WithParamInterface<CrashPoint> {};

TEST_P(PartitionedIndexCrashTest, TheNextAttemptFinishes) {
  for (const v1::Action& action : {Create(), Constrain()}) {
    const std::string step = absl::StrCat("add-", action.ByteSizeLong());
    ASSERT_TRUE(Crash(GetParam().point, GetParam().passes, step, action));
    const Outcome outcome = Run(step, action);
    ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
    EXPECT_EQ(Valid(), "t");
    EXPECT_EQ(Indexes(), AllDone());
    ASSERT_EQ(Undo(step, Drop()).state, v1::ATTEMPT_STATE_SUCCEEDED);
    EXPECT_EQ(Indexes(), "0 0 0");
  }
}

TEST_P(PartitionedIndexCrashTest, TheUndoLeavesNothing) {
  for (const v1::Action& action : {Create(), Constrain()}) {
    const std::string step = absl::StrCat("add-", action.ByteSizeLong());
    ASSERT_TRUE(Crash(GetParam().point, GetParam().passes, step, action));
    const Outcome outcome = Undo(step, Drop());
    ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
    EXPECT_EQ(Indexes(), "0 0 0");
    EXPECT_EQ(Sql("SELECT count(*) FROM pg_constraint WHERE contype = 'u' AND conrelid >= 16384"), "0");
  }
}

// The first part is the parent's index; then come "Mid" alone and the leaves.
INSTANTIATE_TEST_SUITE_P(
    FaultPoints, PartitionedIndexCrashTest,
    ::testing::Values(CrashPoint{"part.before_commit", 1}, CrashPoint{"part.after_commit", 1},
                      CrashPoint{"part.before_commit", 2}, CrashPoint{"part.after_commit", 2},
                      CrashPoint{"concurrently.before_execute", 1},
                      CrashPoint{"concurrently.after_execute", 1}, CrashPoint{"part.before_commit", 3},
                      CrashPoint{"part.after_commit", 4}, CrashPoint{"concurrently.after_execute", kLeaves},
                      CrashPoint{"step.before_commit", 1}, CrashPoint{"step.after_commit", 1}),
    [](const auto& info) {
      std::string name = absl::StrCat(info.param.point, info.param.passes);
      for (char& c : name) {
        if (!isalnum(static_cast<unsigned char>(c))) c = '_';
      }
      return name;
    });

}  // namespace
}  // namespace curlew::agent
