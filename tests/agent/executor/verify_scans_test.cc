#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Le;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr int kRows = 20'000;

// A table with a pair that a trigger keeps in step (new = up(old) = old || '!'), in several hundred blocks.
class VerifyScansTest : public ExecutorTest {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(Prepare(absl::StrCat(kTable, kFill))); }

  static constexpr char kTable[] =
      "CREATE TABLE contacts (id int PRIMARY KEY, old text NOT NULL, new text, filler text);";
  static constexpr char kFill[] =
      "INSERT INTO contacts SELECT g, g::text, g || '!', repeat('x', 200) FROM generate_series(1, 20000) g;"
      "CREATE FUNCTION in_step() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN NEW.new := NEW.old || ''!''; RETURN NEW; END';"
      "CREATE TRIGGER in_step BEFORE INSERT OR UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION in_step()";

  v1::RowScan& Scan() {
    v1::RowScan& scan = *action_.mutable_verify()->add_scans();
    scan.set_table("public.contacts");
    scan.set_key("'contacts (id)=(' || t.id || ')'");
    AddCheck(scan, "no row is pending", "t.new IS NOT DISTINCT FROM NULL").set_pending(true);
    AddCheck(scan, "old and new agree", "NOT (t.new IS NOT DISTINCT FROM t.old || '!')");
    return scan;
  }
  static v1::RowCheck& AddCheck(v1::RowScan& scan, const std::string& description,
                                const std::string& violation) {
    v1::RowCheck& check = *scan.add_checks();
    check.set_description(description);
    check.set_violation(violation);
    check.set_hint(absl::StrCat("mend: ", description));
    return check;
  }
  void AddRepair(v1::RowScan& scan) {
    v1::Backfill& repair = *scan.mutable_repair();
    repair.set_table("public.contacts");
    repair.set_pending("t.new IS NOT DISTINCT FROM NULL");
    v1::Assignment& assignment = *repair.add_assignments();
    assignment.set_column("new");
    assignment.set_expression("t.old || '!'");
  }
  // Writes that no ordinary trigger sees.
  void PastTheTriggers(const std::string& sql) {
    Sql(absl::StrCat("SET session_replication_role = replica; ", sql));
  }
  Outcome Verify() { return Run("backfill-3", action_); }
  void Accept(const std::string& key, const std::string& heap = "contacts") {
    Sql(absl::StrCat(
        "INSERT INTO curlew.problem (run, step, attempt, row_key, sqlstate, message, state, leaf)"
        " VALUES ('",
        kRun, "', 'backfill-1', 1, '", key, "', '22P02', 'bad', 'accepted', '", heap, "'::regclass)"));
  }

  v1::Action action_;
};

TEST_F(VerifyScansTest, ReadsEveryRowAndRecordsHowMany) {
  Scan();
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, kRows);
  EXPECT_THAT(outcome.summary, HasSubstr("20,000 rows looked at in "));
  EXPECT_EQ(Sql("SELECT rows FROM curlew.step WHERE step = 'backfill-3'"), "20000");
  const v1::Progress last = progress_.reports().back();
  EXPECT_EQ(last.rows_done(), kRows);
  EXPECT_EQ(last.blocks_done(), last.blocks_total());
  EXPECT_GT(last.blocks_total(), 500);
  EXPECT_EQ(last.fraction(), 1);
}

TEST_F(VerifyScansTest, AnEmptyTableHoldsEverything) {
  Sql("TRUNCATE contacts");
  Scan();
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 0);
}

TEST_F(VerifyScansTest, FindsWhatWasWrittenPastTheTriggers) {
  Sql("UPDATE contacts SET old = 'seen' WHERE id = 3");
  PastTheTriggers("UPDATE contacts SET old = 'unseen' WHERE id IN (7, 19999)");
  Sql("ALTER TABLE contacts DISABLE TRIGGER in_step");
  Sql("UPDATE contacts SET new = 'other' WHERE id = 12345");
  Scan();
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("\"old and new agree\" does not hold: 3 rows"));
  EXPECT_THAT(outcome.error.message(), Not(HasSubstr("pending")));
  EXPECT_THAT(outcome.error.row_keys(), SizeIs(3));
  EXPECT_THAT(outcome.error.row_keys(), Contains("contacts (id)=(19999)"));
  EXPECT_EQ(outcome.error.hint(), "mend: old and new agree");
  EXPECT_EQ(Journaled("backfill-3"), "");
}

TEST_F(VerifyScansTest, SeveralWorkersFindTheSameAsOne) {
  PastTheTriggers("UPDATE contacts SET old = 'x' WHERE id % 7 = 0");
  PastTheTriggers("UPDATE contacts SET new = NULL WHERE id % 1000 = 1");
  Scan();
  std::vector<std::string> messages;
  for (const int workers : {1, 2, 4}) {
    settings_.mutable_backfill()->set_max_workers(workers);
    const Outcome outcome = Verify();
    EXPECT_EQ(outcome.error.row_keys_size(), 20);
    messages.push_back(outcome.error.message());
  }
  EXPECT_THAT(messages[0], HasSubstr("20 rows"));
  EXPECT_THAT(messages[0], HasSubstr("2,854 rows"));
  EXPECT_EQ(messages[1], messages[0]);
  EXPECT_EQ(messages[2], messages[0]);
}

TEST_F(VerifyScansTest, CountsWithoutKeysUnlessItMayTellThem) {
  row_keys_ = RowKeys::kWithhold;
  PastTheTriggers("UPDATE contacts SET old = 'secret' WHERE id = 7");
  AddCheck(Scan(), "old is a number", "t.old::int < 0");
  const Outcome outcome = Verify();
  EXPECT_THAT(outcome.error.message(), HasSubstr("1 row"));
  EXPECT_THAT(outcome.error.message(), HasSubstr("SQLSTATE 22P02"));
  EXPECT_THAT(outcome.error.row_keys(), IsEmpty());
  EXPECT_THAT(outcome.error.message(), Not(HasSubstr("(7)")));
  EXPECT_THAT(outcome.error.message(), Not(HasSubstr("secret")));
}

TEST_F(VerifyScansTest, FillsRowsThatWereLeftPendingAndLooksAgain) {
  PastTheTriggers("UPDATE contacts SET new = NULL WHERE id IN (1, 5000, 20000)");
  AddRepair(Scan());
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_THAT(outcome.summary, HasSubstr("3 rows had been left pending, and were filled"));
  EXPECT_EQ(outcome.rows, kRows);
  EXPECT_EQ(Sql("SELECT count(*) FROM contacts WHERE new = old || '!'"), "20000");
}

TEST_F(VerifyScansTest, APendingRowIsNotAskedToAgreeToo) {
  PastTheTriggers("UPDATE contacts SET new = NULL WHERE id = 7");
  Scan();
  const Outcome outcome = Verify();
  EXPECT_THAT(outcome.error.message(), HasSubstr("\"no row is pending\" does not hold: 1 row"));
  EXPECT_THAT(outcome.error.message(), Not(HasSubstr("agree")));
}

TEST_F(VerifyScansTest, FillsNothingWhereAPairDoesNotAgree) {
  PastTheTriggers("UPDATE contacts SET new = NULL WHERE id = 7; UPDATE contacts SET old = 'x' WHERE id = 8");
  AddRepair(Scan());
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.row_keys(), ElementsAre("contacts (id)=(7)", "contacts (id)=(8)"));
  EXPECT_EQ(Sql("SELECT old || COALESCE(new, '') FROM contacts WHERE id = 7"), "7");
  EXPECT_EQ(Sql("SELECT old || new FROM contacts WHERE id = 8"), "x8!");
}

TEST_F(VerifyScansTest, FillsThreeTimesAndThenAsksForWhoeverGoesOnWriting) {
  Sql("CREATE FUNCTION empties() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.new := NULL; RETURN NEW; "
      "END';"
      "CREATE TRIGGER zz BEFORE UPDATE ON contacts FOR EACH ROW EXECUTE FUNCTION empties()");
  PastTheTriggers("UPDATE contacts SET new = NULL WHERE id = 7");
  AddRepair(Scan());
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.row_keys(), ElementsAre("contacts (id)=(7)"));
  EXPECT_EQ(outcome.error.hint(), "mend: no row is pending");
}

TEST_F(VerifyScansTest, FindsTheRowsOnWhichAnExpressionFailsAndGoesOnWithTheOtherChecks) {
  Sql("UPDATE contacts SET old = 'secret' WHERE id IN (17, 15000)");
  v1::RowScan& scan = Scan();
  AddCheck(scan, "old is a number below 30000", "t.old::int > 30000");
  AddCheck(scan, "no id is 3", "t.id = 3");
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.row_keys(),
              UnorderedElementsAre("contacts (id)=(17)", "contacts (id)=(15000)", "contacts (id)=(3)"));
  EXPECT_THAT(outcome.error.message(), HasSubstr("22P02"));
  EXPECT_THAT(outcome.error.message(), HasSubstr("\"no id is 3\" does not hold: 1 row"));
}

TEST_F(VerifyScansTest, GivesAnExpressionUpThatFailsOnMany) {
  v1::RowScan& scan = Scan();
  AddCheck(scan, "new is a number", "t.new::int > 30000");
  AddCheck(scan, "no id is 20000", "t.id = 20000");
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.row_keys(), Contains("contacts (id)=(20000)"));
  EXPECT_THAT(outcome.error.row_keys().size(), Le(1 + 3 + 2));
  EXPECT_THAT(outcome.error.message(), HasSubstr("\"new is a number\" does not hold: it cannot be computed"));
}

TEST_F(VerifyScansTest, AnExpressionThatMakesNoSenseIsAFinding) {
  AddCheck(Scan(), "nonsense", "t.no_such_column = 1");
  PastTheTriggers("UPDATE contacts SET old = 'x' WHERE id = 8");
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(),
              HasSubstr("\"nonsense\" does not hold: it cannot be computed: SQLSTATE 42703"));
  EXPECT_THAT(outcome.error.message(), HasSubstr("\"old and new agree\" does not hold: 1 row"));
}

TEST_F(VerifyScansTest, PassesOverRowsThatAnOperatorHasAccepted) {
  // Row 7 is pending, 8 does not agree, and on 9 the expression fails.
  PastTheTriggers(
      "UPDATE contacts SET new = NULL WHERE id = 7; UPDATE contacts SET old = 'x' WHERE id = 8;"
      "UPDATE contacts SET old = 'y', new = 'y!' WHERE id = 9");
  AddCheck(Scan(), "old is a number", "t.old::int > 30000");
  for (const int id : {7, 8, 9}) Accept(absl::StrCat("public.contacts (id)=(", id, ")"));
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, kRows);
  PastTheTriggers("UPDATE contacts SET new = NULL WHERE id = 10");
  EXPECT_THAT(Run("again", action_).error.row_keys(), ElementsAre("contacts (id)=(10)"));
}

TEST_F(VerifyScansTest, WhatIsAcceptedElsewhereCountsNothingHere) {
  PastTheTriggers("UPDATE contacts SET new = NULL WHERE id = 7");
  Sql("CREATE TABLE other (id int PRIMARY KEY)");
  Scan();
  Accept("contacts (id)=(7)", "other");
  Accept("contacts (name)=(7)");
  Accept("contacts (id)=(77)");
  EXPECT_EQ(Verify().state, v1::ATTEMPT_STATE_FAILED);
}

TEST_F(VerifyScansTest, OneSnapshotIsWalkedToTheEnd) {
  Scan();
  base::FaultPlan::Get().Arm("verify.after_snapshot", 1, [&] {
    PastTheTriggers(
        "INSERT INTO contacts VALUES (0, 'x', NULL); UPDATE contacts SET old = 'x' WHERE id = 20000;"
        "DELETE FROM contacts WHERE id = 5");
  });
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, kRows);
  EXPECT_EQ(Run("again", action_).error.row_keys_size(), 2);
}

TEST_F(VerifyScansTest, DdlNeedNotWaitForItsEnd) {
  Scan();
  // The snapshot is there, no range is being read: nothing may be locked.
  base::FaultPlan::Get().Arm("verify.after_snapshot", 1, [&] {
    Sql("SET lock_timeout = '2s'; ALTER TABLE contacts ADD COLUMN note text");
  });
  EXPECT_EQ(Verify().state, v1::ATTEMPT_STATE_SUCCEEDED);
}

TEST_F(VerifyScansTest, ARewrittenTableIsLookedAtAnew) {
  Scan();
  PastTheTriggers("UPDATE contacts SET old = 'x' WHERE id = 11111");
  for (const char* point : {"verify.before_snapshot", "verify.after_snapshot", "verify.before_range"}) {
    for (const char* rewrite :
         {"VACUUM FULL contacts", "CLUSTER contacts USING contacts_pkey",
          // To the snapshot the table looks empty then.
          "ALTER TABLE contacts ALTER id TYPE bigint", "ALTER TABLE contacts ALTER id TYPE int"}) {
      base::FaultPlan::Get().Arm(point, 1, [&] { Sql(rewrite); });
      const Outcome outcome = Verify();
      EXPECT_THAT(outcome.error.row_keys(), ElementsAre("contacts (id)=(11111)")) << point << " " << rewrite;
    }
  }
  base::FaultPlan::Get().Arm("verify.before_range", 1, [&] { Sql("TRUNCATE contacts"); });
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 0);
}

TEST_F(VerifyScansTest, AnotherTableOfThatNameIsNotTakenForIt) {
  Scan();
  PastTheTriggers("UPDATE contacts SET old = 'x' WHERE id = 11111");
  base::FaultPlan::Get().Arm("verify.after_snapshot", 1, [&] {
    Sql("ALTER TABLE contacts RENAME TO elsewhere; CREATE TABLE contacts (LIKE elsewhere);"
        "INSERT INTO contacts VALUES (1, 'a', 'b')");
  });
  EXPECT_THAT(Verify().error.row_keys(), ElementsAre("contacts (id)=(1)"));
}

TEST_F(VerifyScansTest, SaysForWhomItWaits) {
  Scan();
  std::optional<HeldTransaction> ddl(std::in_place, conninfo_, "psql", "LOCK TABLE contacts");
  Outcome outcome;
  std::thread attempt([&] { outcome = Verify(); });
  EXPECT_TRUE(progress_.AwaitWaiting("application \"psql\""));
  ddl->Commit();
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
}

TEST_F(VerifyScansTest, DoesNotWaitForEver) {
  Scan();
  *settings_.mutable_lock_retry_deadline() = base::ToProto(absl::Milliseconds(100));
  const HeldTransaction ddl(conninfo_, "psql", "LOCK TABLE contacts");
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_ERRORED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("application \"psql\""));
}

TEST_F(VerifyScansTest, CancelReachesEveryWorker) {
  AddCheck(Scan(), "slow", "pg_sleep(300) IS NULL");
  Outcome outcome;
  std::thread attempt([&] { outcome = Verify(); });
  const Periodic canceller(absl::Milliseconds(50), [&] { cancel_.Cancel("paused"); });
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_CANCELLED);
}

TEST_F(VerifyScansTest, CannotWrite) {
  Sql("CREATE FUNCTION sly() RETURNS boolean LANGUAGE sql AS 'DELETE FROM contacts; SELECT false'");
  AddCheck(Scan(), "sly", "sly()");
  EXPECT_NE(Verify().state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT count(*) FROM contacts"), "20000");
}

TEST_F(VerifyScansTest, ASnapshotThatIsEndedIsNoFault) {
  Scan();
  base::FaultPlan::Get().Arm("verify.before_range", 1, [&] {
    Sql("SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND "
        "state = "
        "'idle in transaction' AND datname = current_database()");
  });
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_ERRORED) << outcome.error.DebugString();
}

TEST_F(VerifyScansTest, NamesRowsWithoutAKeyByTheirPlace) {
  Sql("ALTER TABLE contacts DROP CONSTRAINT contacts_pkey");
  PastTheTriggers("UPDATE contacts SET new = NULL WHERE id = 1");
  Scan().set_key("'contacts ctid=' || t.ctid::text");
  const std::string place = Sql("SELECT ctid FROM contacts WHERE id = 1");
  EXPECT_THAT(Verify().error.row_keys(), ElementsAre(absl::StrCat("contacts ctid=", place)));
  Accept(absl::StrCat("contacts (ctid)=(", place, ")"));
  EXPECT_EQ(Verify().state, v1::ATTEMPT_STATE_SUCCEEDED);
}

//  The same over partitions.
class VerifyPartitionsTest : public VerifyScansTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Prepare(absl::StrCat(
        "CREATE TABLE contacts (id int, old text NOT NULL, new text, filler text) PARTITION BY RANGE (id);"
        "CREATE TABLE low PARTITION OF contacts FOR VALUES FROM (0) TO (9000);"
        "CREATE TABLE \"We\"\"ird\" PARTITION OF contacts FOR VALUES FROM (9000) TO (18000);"
        "CREATE TABLE high PARTITION OF contacts FOR VALUES FROM (18000) TO (30000);",
        kFill)));
  }
};

TEST_F(VerifyPartitionsTest, ReadsEachHeapOnce) {
  Scan();
  Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, kRows);
  PastTheTriggers("UPDATE contacts SET old = 'x' WHERE id IN (1, 10000, 20000)");
  EXPECT_THAT(Run("again", action_).error.row_keys(),
              ElementsAre("contacts (id)=(1)", "contacts (id)=(10000)", "contacts (id)=(20000)"));
}

TEST_F(VerifyPartitionsTest, ARowThatMovesMeanwhileIsSeenOnce) {
  Scan();
  base::FaultPlan::Get().Arm("verify.after_snapshot", 1,
                             [&] { Sql("UPDATE contacts SET id = id + 9000 WHERE id BETWEEN 1 AND 100"); });
  const Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, kRows);
}

TEST_F(VerifyPartitionsTest, APartitionThatGoesOrComesIsNoFault) {
  Scan();
  // Several could have read it before it goes.
  settings_.mutable_backfill()->set_max_workers(1);
  base::FaultPlan::Get().Arm("verify.before_range", 2, [&] { Sql("DROP TABLE high"); });
  Outcome outcome = Verify();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 17'999);
  base::FaultPlan::Get().Arm("verify.before_snapshot", 1, [&] {
    Sql("CREATE TABLE high PARTITION OF contacts FOR VALUES FROM (18000) TO (30000)");
    PastTheTriggers("INSERT INTO contacts VALUES (20000, 'x', NULL)");
  });
  EXPECT_THAT(Run("again", action_).error.row_keys(), ElementsAre("contacts (id)=(20000)"));
}

}  // namespace
}  // namespace curlew::agent
