#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::HasSubstr;

class ConcurrentlyTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(
        Prepare("CREATE TABLE contacts (id int PRIMARY KEY, phone text);"
                "INSERT INTO contacts SELECT g, 'p' || g FROM generate_series(1, 1000) g;"
                "CREATE TABLE other (a int)"));
  }
  static v1::Action Create(const std::string& kind = "INDEX") {
    v1::Action action;
    v1::ExecuteSqlConcurrently& sql = *action.mutable_execute_sql_concurrently();
    sql.set_statement(
        absl::StrCat("CREATE ", kind, " CONCURRENTLY \"Phone Index\" ON public.contacts (phone)"));
    sql.set_index("public.\"Phone Index\"");
    sql.set_table("public.contacts");
    sql.set_effect(v1::ExecuteSqlConcurrently::EFFECT_CREATES);
    return action;
  }
  static v1::Action Drop() {
    v1::Action action;
    v1::ExecuteSqlConcurrently& sql = *action.mutable_execute_sql_concurrently();
    sql.set_statement("DROP INDEX CONCURRENTLY IF EXISTS public.\"Phone Index\"");
    sql.set_effect(v1::ExecuteSqlConcurrently::EFFECT_DROPS);
    sql.set_index("public.\"Phone Index\"");
    return action;
  }
  // "t", "f", or "" where there is no such index.
  std::string Valid() {
    return Sql(
        "SELECT COALESCE(bool_and(indisvalid)::text, '') FROM pg_index JOIN pg_class ON oid = indexrelid"
        " WHERE relname = 'Phone Index'");
  }
  // An index as a build that was interrupted leaves it: invalid, with an intent in the journal.
  void LeaveInvalid(const std::string& step) {
    ASSERT_OK_AND_ASSIGN(const auto connection, pool_->Acquire());
    ASSERT_OK_AND_ASSIGN(auto transaction, FencedTransaction::Begin(connection.get(), Mine(), {}));
    ASSERT_OK(RecordIntent(transaction, Context(step).attempt).status());
    ASSERT_OK(transaction.Commit());
    Sql("CREATE INDEX \"Phone Index\" ON contacts (phone)");
    Sql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = '\"Phone Index\"'::regclass");
  }
};

TEST_F(ConcurrentlyTest, BuildsAnIndexAndJournalsIt) {
  const Outcome outcome = Run("add-2", Create());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Valid(), "true");
  EXPECT_EQ(Journaled("add-2"), "succeeded");
}

TEST_F(ConcurrentlyTest, AnInvalidLeftoverIsBuiltAgain) {
  ASSERT_NO_FATAL_FAILURE(LeaveInvalid("add-2"));
  ASSERT_EQ(Valid(), "false");
  const Outcome outcome = Run("add-2", Create());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Valid(), "true");
}

TEST_F(ConcurrentlyTest, AnIndexThatWasFinishedBeforeTheCrashIsKept) {
  ASSERT_NO_FATAL_FAILURE(LeaveInvalid("add-2"));
  Sql("REINDEX INDEX \"Phone Index\"");
  ASSERT_EQ(Valid(), "true");
  const std::string before = Sql("SELECT '\"Phone Index\"'::regclass::oid");
  EXPECT_EQ(Run("add-2", Create()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Sql("SELECT '\"Phone Index\"'::regclass::oid"), before);
}

TEST_F(ConcurrentlyTest, NeverTakesSomebodyElsesIndexForItsOwn) {
  Sql("CREATE INDEX \"Phone Index\" ON contacts (phone)");
  EXPECT_THAT(Run("add-2", Create()).error.message(), HasSubstr("is not Curlew's"));
  Sql("DROP INDEX \"Phone Index\"");
  Sql("CREATE INDEX \"Phone Index\" ON other (a)");
  EXPECT_EQ(Run("add-2", Create()).state, v1::ATTEMPT_STATE_FAILED);
}

TEST_F(ConcurrentlyTest, ARefusalLeavesNoIntentByWhichItWouldBecomeOurs) {
  Sql("CREATE INDEX \"Phone Index\" ON contacts (phone)");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Run("add-2", Create()).state, v1::ATTEMPT_STATE_FAILED);
    EXPECT_EQ(Journaled("add-2"), "");
  }
  EXPECT_EQ(Undo("add-2", Drop()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Valid(), "true") << "the undo dropped what the step had not made";
}

TEST_F(ConcurrentlyTest, TheUndoRemovesWhatACrashHasLeft) {
  for (const char* point : {"concurrently.before_execute", "concurrently.after_execute"}) {
    const std::string step = absl::StrCat("add-", point);
    ASSERT_TRUE(Crash(point, 1, step, Create()));
    EXPECT_EQ(Undo(step, Drop()).state, v1::ATTEMPT_STATE_SUCCEEDED);
    EXPECT_EQ(Valid(), "");
  }
}

TEST_F(ConcurrentlyTest, AnEffectThatItDoesNotKnowIsRefused) {
  v1::Action action = Create();
  action.mutable_execute_sql_concurrently()->clear_effect();
  EXPECT_THAT(Run("add-2", action).error.message(), HasSubstr("newer agent"));
  EXPECT_EQ(Valid(), "");
}

TEST_F(ConcurrentlyTest, AUniqueIndexThatCannotBeBuiltLeavesNothingThatRefusesRows) {
  Sql("INSERT INTO contacts VALUES (5001, 'p1')");
  const Outcome outcome = Run("constrain-1", Create("UNIQUE INDEX"));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "23505");
  EXPECT_EQ(Valid(), "");
  Sql("INSERT INTO contacts VALUES (5002, 'p1')");
  EXPECT_EQ(Journaled("constrain-1"), "intent");
}

TEST_F(ConcurrentlyTest, StopsWithinMomentsWhenCancelledAndCleansUp) {
  HeldTransaction application(conninfo_, "crm-web", "UPDATE contacts SET phone = 'x' WHERE id = 1");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("add-2", Create()); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  // The index can only be removed once the transaction has ended; that it stops does not depend on it.
  const Periodic canceller(absl::Milliseconds(50), [&] { cancel_.Cancel("paused"); });
  EXPECT_OK(CancelToken().Pause(absl::Milliseconds(200)));
  application.Commit();
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_EQ(Valid(), "");
}

TEST_F(ConcurrentlyTest, EndsAStatementOfAnEarlierAttemptThatStillRuns) {
  const auto zombie = *pg::Connection::Connect(
      {.conninfo = conninfo_, .application_name = AttemptApplicationName(kTarget, kRun, 77)});
  EXPECT_EQ(Run("add-2", Create()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_FALSE(zombie->Execute("SELECT 1").ok());
}

TEST_F(ConcurrentlyTest, BeginsNothingPastItsLease) {
  lease_.SetLeaseTime(absl::ZeroDuration());
  const Outcome outcome = Run("add-2", Create());
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_ERRORED);
  EXPECT_EQ(Valid(), "");
}

TEST_F(ConcurrentlyTest, BeginsNothingOnceAnotherAgentHasTakenTheTargetOver) {
  ASSERT_NO_FATAL_FAILURE(TakeOverByAnother());
  EXPECT_TRUE(Run("add-2", Create()).fenced_out);
  EXPECT_EQ(Valid(), "");
}

TEST_F(ConcurrentlyTest, ATakeoverEndsTheStatementThatRuns) {
  HeldTransaction application(conninfo_, "crm-web", "UPDATE contacts SET phone = 'x' WHERE id = 1");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("add-2", Create()); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  TakeOverByAnother();
  attempt.join();
  EXPECT_NE(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_NE(Journaled("add-2"), "succeeded");
}

TEST_F(ConcurrentlyTest, LeavesAnIndexOfThatNameOnAnotherTableAlone) {
  Sql("CREATE INDEX \"Phone Index\" ON other (a)");
  v1::Action drop = Drop();
  drop.mutable_execute_sql_concurrently()->set_table("public.contacts");
  EXPECT_EQ(Run("drop-1", drop).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Valid(), "true");
}

TEST_F(ConcurrentlyTest, DropsAnIndexHoweverOftenItRuns) {
  Sql("CREATE INDEX \"Phone Index\" ON contacts (phone)");
  EXPECT_EQ(Run("drop-1", Drop()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Valid(), "");
  EXPECT_EQ(Run("drop-1", Drop()).state, v1::ATTEMPT_STATE_SUCCEEDED);
}

}  // namespace
}  // namespace curlew::agent
