#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// About 90 blocks.
constexpr char kContacts[] = R"sql(
CREATE TABLE contacts (id int PRIMARY KEY, name text, phone text NOT NULL, phone_number text);
INSERT INTO contacts SELECT g, repeat('n', 80), '+1 ' || (5550000 + g) FROM generate_series(1, 6000) g;
)sql";

// The dual write as the compiler makes it, reduced to one direction. %s stands for the term of pending rows.
std::string Triggers(const std::string& pending_term) {
  return absl::StrCat(R"sql(
CREATE FUNCTION curlew.dual() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.phone_number := replace(NEW.phone, ' ', ''); RETURN NEW; END $$;
CREATE TRIGGER "~insert" BEFORE INSERT ON contacts FOR EACH ROW WHEN (NEW.phone_number IS NULL)
  EXECUTE FUNCTION curlew.dual();
CREATE TRIGGER "~update" BEFORE UPDATE ON contacts FOR EACH ROW WHEN (OLD.phone IS DISTINCT FROM NEW.phone OR ((
  OLD.phone_number IS DISTINCT FROM NEW.phone_number)sql",
                      pending_term, R"sql() AND NOT (pg_trigger_depth() = 0 AND
  COALESCE(current_setting('curlew.backfill', true), '') = 'public.contacts'::regclass::oid::text)))
  EXECUTE FUNCTION curlew.dual();
)sql");
}

class BackfillTest : public ExecutorTest {
 protected:
  static v1::Action Fill(const std::string& table = "public.contacts") {
    v1::Action action;
    v1::Backfill& backfill = *action.mutable_backfill();
    backfill.set_table(table);
    v1::Assignment& assignment = *backfill.add_assignments();
    assignment.set_column("phone_number");
    assignment.set_expression("replace(t.phone, ' ', '')");
    assignment.set_origin("up: replace(phone, ' ', '')");
    backfill.set_pending("t.phone_number IS NULL");
    // Many small batches.
    *backfill.mutable_batch_target() = base::ToProto(absl::Milliseconds(1));
    return action;
  }
  // Each row is counted exactly once, or it shows.
  static v1::Action Count() {
    v1::Action action = Fill();
    v1::Backfill& backfill = *action.mutable_backfill();
    backfill.clear_assignments();
    v1::Assignment& counter = *backfill.add_assignments();
    counter.set_column("counter");
    counter.set_expression("t.counter + 1");
    v1::Assignment& marker = *backfill.add_assignments();
    marker.set_column("pending");
    marker.set_expression("false");
    backfill.set_pending("t.pending");
    return action;
  }
  // Calls `handler` at the n-th batch.
  void AtBatch(const char* point, int n, std::function<void()> handler) {
    base::FaultPlan::Get().Arm(point, n, std::move(handler));
  }
  std::string Unfilled() {
    return Sql("SELECT count(*) FROM contacts WHERE phone_number IS DISTINCT FROM replace(phone, ' ', '')");
  }
  void SetUp() override {
    ExecutorTest::SetUp();
    // In a known order; tests of several workers say so.
    settings_.mutable_backfill()->set_max_workers(1);
  }
  std::string RowsInRanges() { return Sql("SELECT COALESCE(sum(rows), 0) FROM curlew.backfill_range"); }
};

TEST_F(BackfillTest, FillsEveryRowOnceAndCountsThem) {
  Prepare(kContacts);
  const Outcome outcome = Run("backfill-1", Fill());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 6000);
  EXPECT_EQ(Unfilled(), "0");
  EXPECT_EQ(Journaled("backfill-1"), "succeeded");
  EXPECT_EQ(Sql("SELECT rows FROM curlew.step"), "6000");
  EXPECT_DOUBLE_EQ(progress_.reports().back().fraction(), 1);
  EXPECT_EQ(progress_.reports().back().rows_done(), 6000);
}

TEST_F(BackfillTest, LeavesRowsAloneThatTheNewApplicationHasWritten) {
  Prepare(kContacts);
  Sql("UPDATE contacts SET phone_number = 'mine' WHERE id = 5");
  EXPECT_EQ(Run("backfill-1", Fill()).rows, 5999);
  EXPECT_EQ(Sql("SELECT phone_number FROM contacts WHERE id = 5"), "mine");
}

TEST_F(BackfillTest, FillsAnEmptyTableInNoTime) {
  Prepare("CREATE TABLE contacts (id int, phone text, phone_number text)");
  EXPECT_EQ(Run("backfill-1", Fill()).state, v1::ATTEMPT_STATE_SUCCEEDED);
}

TEST_F(BackfillTest, ResumesFromTheLastCommittedBatch) {
  Prepare(kContacts);
  Sql("ALTER TABLE contacts ADD COLUMN counter int DEFAULT 0, ADD COLUMN pending boolean DEFAULT true");
  int backend = 0;
  // The backend dies with a batch that is done but not committed.
  AtBatch("backfill.before_commit", 3, [&] {
    backend = std::stoi(
        Sql("SELECT min(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND state = 'idle in"
            " transaction' AND datname = current_database()"));
    Sql(absl::StrCat("SELECT pg_terminate_backend(", backend, ", 10000)"));
  });
  Outcome outcome = Run("backfill-1", Count());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_ERRORED);
  EXPECT_TRUE(outcome.database_unreachable);
  const int64_t done = std::stol(RowsInRanges());
  EXPECT_GT(done, 0);
  EXPECT_LT(done, 6000);
  EXPECT_EQ(Sql("SELECT sum(counter) FROM contacts"), absl::StrCat(done));

  outcome = Run("backfill-1", Count());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 6000);
  EXPECT_EQ(Sql("SELECT min(counter) || ' ' || max(counter) FROM contacts"), "1 1");
}

TEST_F(BackfillTest, StopsBetweenBatchesWhenCancelledAndGoesOnLater) {
  Prepare(kContacts);
  AtBatch("backfill.after_commit", 2, [&] { cancel_.Cancel("an operator paused it"); });
  EXPECT_EQ(Run("backfill-1", Fill()).state, v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_EQ(Sql("SELECT count(*) FROM curlew.backfill_range WHERE next <> first OR pass > 0"), "1");
  CancelToken fresh;
  RunContext context = Context("backfill-1");
  context.cancel = &fresh;
  const Outcome outcome = RunStep(context, Fill());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(outcome.rows, 6000);
  EXPECT_EQ(Unfilled(), "0");
}

TEST_F(BackfillTest, AnAgentThatWasReplacedCannotCommitAnotherBatch) {
  Prepare(kContacts);
  // The epoch alone; a real takeover ends the backend too.
  AtBatch("backfill.after_commit", 2, [&] { Sql("UPDATE curlew.target SET epoch = epoch + 1"); });
  const Outcome outcome = Run("backfill-1", Fill());
  EXPECT_TRUE(outcome.fenced_out);
  EXPECT_EQ(Sql("SELECT count(phone_number) FROM contacts"), RowsInRanges());
  EXPECT_NE(Unfilled(), "0");
}

TEST_F(BackfillTest, ATakeoverRollsBackTheBatchThatIsOpen) {
  Prepare(kContacts);
  AtBatch("backfill.before_commit", 2, [&] { TakeOverByAnother(); });
  const Outcome outcome = Run("backfill-1", Fill());
  EXPECT_NE(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT count(phone_number) FROM contacts"), RowsInRanges());
}

TEST_F(BackfillTest, APendingRowThatAnUnrelatedUpdateMovesIsNotLost) {
  Prepare(kContacts);
  Sql(Triggers(" OR NEW.phone_number IS NULL"));
  // In one pass: a later one would come by again and hide what is shown here.
  Sql("CREATE INDEX ON contacts (phone_number)");
  // The last rows of the table move into holes that the walk has left behind.
  AtBatch("backfill.after_commit", 2, [&] {
    Sql("VACUUM contacts");
    Sql("UPDATE contacts SET name = 'moved' WHERE id > 5500");
  });
  const Outcome outcome = Run("backfill-1", Fill());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Unfilled(), "0");
  EXPECT_LT(outcome.rows, 6000);
}

TEST_F(BackfillTest, WithoutTheTermForPendingRowsSuchRowsWouldBeLost) {
  Prepare(kContacts);
  Sql(Triggers(""));
  Sql("CREATE INDEX ON contacts (phone_number)");
  AtBatch("backfill.after_commit", 2, [&] {
    Sql("VACUUM contacts");
    Sql("UPDATE contacts SET name = 'moved' WHERE id > 5500");
  });
  Run("backfill-1", Fill());
  EXPECT_NE(Unfilled(), "0") << "the test above proves nothing any more";
}

TEST_F(BackfillTest, ItsOwnWritesDoNotFireTheTriggers) {
  Prepare(kContacts);
  Sql(Triggers(" OR NEW.phone_number IS NULL"));
  Sql("CREATE TABLE fired (id int)");
  Sql("CREATE OR REPLACE FUNCTION curlew.dual() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN INSERT INTO fired VALUES (NEW.id); RETURN NEW; END'");
  EXPECT_EQ(Run("backfill-1", Fill()).rows, 6000);
  EXPECT_EQ(Sql("SELECT count(*) FROM fired"), "0");
}

TEST_F(BackfillTest, BeginsAgainWhenTheTableIsRewrittenUnderIt) {
  Prepare(kContacts);
  Sql("ALTER TABLE contacts ADD COLUMN counter int DEFAULT 0, ADD COLUMN pending boolean DEFAULT true");
  AtBatch("backfill.after_commit", 2, [&] { Sql("VACUUM FULL contacts"); });
  const Outcome outcome = Run("backfill-1", Count());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Sql("SELECT min(counter) || ' ' || max(counter) FROM contacts"), "1 1");
  EXPECT_EQ(outcome.rows, 6000);
  EXPECT_EQ(Sql("SELECT restarts FROM curlew.backfill"), "1");
}

TEST_F(BackfillTest, WalksEveryPartitionAndThoseAttachedMeanwhile) {
  Prepare(R"sql(
CREATE TABLE contacts (id int, phone text, phone_number text) PARTITION BY RANGE (id);
CREATE TABLE "Low" PARTITION OF contacts FOR VALUES FROM (0) TO (1000);
CREATE TABLE mid PARTITION OF contacts FOR VALUES FROM (1000) TO (2000) PARTITION BY RANGE (id);
CREATE TABLE mid_a PARTITION OF mid FOR VALUES FROM (1000) TO (1500);
CREATE TABLE mid_b PARTITION OF mid FOR VALUES FROM (1500) TO (2000);
INSERT INTO contacts SELECT g, '+1 ' || g FROM generate_series(0, 1999) g;
CREATE TABLE late (id int, phone text, phone_number text);
INSERT INTO late SELECT g, '+1 ' || g FROM generate_series(2000, 2099) g;
)sql");
  AtBatch("backfill.after_commit", 1,
          [&] { Sql("ALTER TABLE contacts ATTACH PARTITION late FOR VALUES FROM (2000) TO (3000)"); });
  const Outcome outcome = Run("backfill-1", Fill());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 2100);
  EXPECT_EQ(Unfilled(), "0");
  EXPECT_EQ(Sql("SELECT count(*) FROM curlew.backfill"), "4");
}

TEST_F(BackfillTest, APartitionThatIsDroppedMeanwhileIsLeftAlone) {
  Prepare(R"sql(
CREATE TABLE contacts (id int, phone text, phone_number text) PARTITION BY RANGE (id);
CREATE TABLE a PARTITION OF contacts FOR VALUES FROM (0) TO (1000);
CREATE TABLE b PARTITION OF contacts FOR VALUES FROM (1000) TO (9000);
INSERT INTO contacts SELECT g, '+1 ' || repeat('1', 400) FROM generate_series(0, 3999) g;
)sql");
  AtBatch("backfill.after_commit", 5, [&] { Sql("DROP TABLE b"); });
  const Outcome outcome = Run("backfill-1", Fill());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Unfilled(), "0");
}

TEST_F(BackfillTest, AcceptsHostileNames) {
  Prepare(R"sql(
CREATE SCHEMA "S""x";
CREATE TABLE "S""x"."Weird ""Name'; --" ("a b" int, "select" text, "c""d" text);
INSERT INTO "S""x"."Weird ""Name'; --" SELECT g, 'x ' || g FROM generate_series(1, 500) g;
)sql");
  v1::Action action = Fill("\"S\"\"x\".\"Weird \"\"Name'; --\"");
  action.mutable_backfill()->mutable_assignments(0)->set_column("\"c\"\"d\"");
  action.mutable_backfill()->mutable_assignments(0)->set_expression("upper(t.\"select\")");
  action.mutable_backfill()->set_pending("t.\"c\"\"d\" IS NULL");
  action.mutable_backfill()->set_search_path("\"S\"\"x\", pg_temp");
  const Outcome outcome = Run("backfill-1", action);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 500);
}

class DirtyBackfillTest : public BackfillTest {
 protected:
  void SetUp() override {
    BackfillTest::SetUp();
    Prepare(kContacts);
    Sql("ALTER TABLE contacts ADD COLUMN n int");
    Sql("UPDATE contacts SET phone = 'secret' WHERE id = 4242");
  }
  v1::Action Cast() {
    v1::Action action = Fill();
    action.mutable_backfill()->mutable_assignments(0)->set_column("n");
    action.mutable_backfill()->mutable_assignments(0)->set_expression("substr(t.phone, 4)::int");
    action.mutable_backfill()->mutable_assignments(0)->set_origin("up: substr(phone, 4)::int");
    action.mutable_backfill()->set_pending("t.n IS NULL");
    return action;
  }
};

TEST_F(DirtyBackfillTest, NamesARowThatCannotBeFilledByItsKey) {
  const Outcome outcome = Run("backfill-1", Cast());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "22P02");
  EXPECT_THAT(outcome.error.message(), HasSubstr("contacts (id)=(4242)"));
  EXPECT_THAT(outcome.error.message(), HasSubstr("up: substr(phone, 4)::int"));
  EXPECT_THAT(outcome.error.row_keys(), ElementsAre("contacts (id)=(4242)"));
  EXPECT_EQ(Sql("SELECT row_key FROM curlew.problem"), "contacts (id)=(4242)");
}

TEST_F(DirtyBackfillTest, TellsNothingOfTheRowUnlessItMay) {
  row_keys_ = RowKeys::kWithhold;
  const Outcome outcome = Run("backfill-1", Cast());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("22P02"));
  EXPECT_THAT(outcome.error.message(), Not(HasSubstr("4242")));
  EXPECT_THAT(outcome.error.message(), Not(HasSubstr("ret\"")));
  EXPECT_THAT(outcome.error.row_keys(), IsEmpty());
  EXPECT_THAT(Sql("SELECT message FROM curlew.problem"), HasSubstr("invalid input syntax"));
}

TEST_F(DirtyBackfillTest, GoesOnFromThereOnceTheRowIsMended) {
  ASSERT_EQ(Run("backfill-1", Cast()).state, v1::ATTEMPT_STATE_FAILED);
  Sql("UPDATE contacts SET phone = '+1 7' WHERE id = 4242");
  const Outcome outcome = Run("backfill-1", Cast());
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  // The mended row went to a place past the bound of the walk: the trigger, absent here, would have filled
  // it.
  EXPECT_LE(std::stoi(Sql("SELECT count(*) FROM contacts WHERE n IS NULL")), 1);
}

TEST_F(DirtyBackfillTest, ARowThatAConstraintRefusesIsNamedToo) {
  Sql("ALTER TABLE contacts ADD CHECK (phone_number <> '+15550777') NOT VALID");
  const Outcome outcome = Run("backfill-1", Fill());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "23514");
  EXPECT_THAT(outcome.error.row_keys(), ElementsAre("contacts (id)=(777)"));
  EXPECT_THAT(outcome.error.message(), HasSubstr("by a constraint or a trigger"));
}

TEST_F(DirtyBackfillTest, WhatFailsForEveryRowIsNoRowsFault) {
  v1::Action action = Fill();
  action.mutable_backfill()->mutable_assignments(0)->set_expression("no_such_function(t.phone)");
  const Outcome outcome = Run("backfill-1", action);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "42883");
  EXPECT_THAT(outcome.error.row_keys(), IsEmpty());
}

TEST_F(BackfillTest, WaitsForARowThatIsLockedAndNamesWhoHoldsIt) {
  Prepare(kContacts);
  HeldTransaction application(conninfo_, "crm-web", "SELECT * FROM contacts WHERE id = 3000 FOR UPDATE");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("backfill-1", Fill()); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  application.Commit();
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Unfilled(), "0");
}

TEST_F(BackfillTest, YieldsToSessionsThatWaitForIt) {
  Prepare(kContacts);
  Sql("CREATE FUNCTION slow(text) RETURNS text LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.0002); RETURN "
      "$1; END'");
  v1::Action action = Fill();
  action.mutable_backfill()->mutable_assignments(0)->set_expression("slow(replace(t.phone, ' ', ''))");
  *action.mutable_backfill()->mutable_batch_target() = base::ToProto(absl::Milliseconds(300));
  std::atomic<bool> done = false;
  Outcome outcome;
  std::thread attempt([&] {
    outcome = Run("backfill-1", action);
    done = true;
  });
  // Applications that write rows here and there, and so wait for the batch that has one of them.
  std::vector<std::thread> applications;
  for (int n = 0; n < 3; ++n) {
    applications.emplace_back([&, n] {
      const std::unique_ptr<pg::Connection> application = Connect(conninfo_);
      for (int i = n; !done; ++i) {
        EXPECT_OK(
            application->Execute(absl::StrCat("UPDATE contacts SET name = name WHERE id = ", i * 37 % 6000))
                .status());
      }
    });
  }
  attempt.join();
  for (std::thread& application : applications) application.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_TRUE(progress_.AwaitWaiting("lock_waiters"));
  EXPECT_GT(progress_.reports().back().throttle(), 0);
}

}  // namespace
}  // namespace curlew::agent
