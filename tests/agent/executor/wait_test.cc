#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "tests/agent/executor/executor_test.h"

namespace curlew::agent {
namespace {

using ::testing::HasSubstr;

class WaitTest : public ExecutorTest {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(Prepare("CREATE TABLE contacts (id int, phone text, phone_number text)"));
    v1::ShapeUnused& condition = *action_.mutable_wait()->mutable_shape_unused();
    condition.set_shape("old");
    *condition.mutable_quiet() = base::ToProto(absl::Milliseconds(300));
    v1::ShapeUse& use = *condition.add_uses();
    use.set_table("public.contacts");
    use.set_column("phone");
  }
  std::unique_ptr<pg::Connection> Application(const std::string& name, const std::string& sql) {
    auto connection = *pg::Connection::Connect({.conninfo = conninfo_, .application_name = name});
    EXPECT_OK(connection->Execute(sql).status());
    return connection;
  }
  v1::Action action_;
};

TEST_F(WaitTest, HoldsAtOnceWhereNobodyUsesTheShape) {
  const auto other = Application("new", "SELECT phone_number FROM contacts");
  const Outcome outcome = Run("drop-1", action_);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Journaled("drop-1"), "succeeded");
}

TEST_F(WaitTest, WaitsForEverySessionThatUsesItAndNamesThem) {
  auto first = Application("crm-old", "SELECT id, phone FROM contacts");
  auto second = Application("billing", "UPDATE contacts SET phone = 'x' WHERE id = 1");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("drop-1", action_); });
  EXPECT_TRUE(progress_.AwaitWaiting(
      absl::StrCat("billing (pid ", second->backend_pid(), "); crm-old (pid ", first->backend_pid(), ")")));
  EXPECT_EQ(progress_.reports().front().waiting().cause(), v1::WAIT_CAUSE_SESSIONS);
  EXPECT_THAT(progress_.reports().front().waiting().message(), HasSubstr("the old shape"));
  first.reset();
  second.reset();
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED);
}

TEST_F(WaitTest, SaysHowItCanBeOverridden) {
  const auto session = Application("crm-old", "SELECT id, phone FROM contacts");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("drop-1", action_); });
  EXPECT_TRUE(progress_.AwaitWaiting("curlew rollout override r1 --target crm --reason '...'"));
  cancel_.Cancel("enough");
  attempt.join();
}

TEST_F(WaitTest, SaysThatReadsCannotBeProvedAbsent) {
  EXPECT_EQ(Run("drop-1", action_).state, v1::ATTEMPT_STATE_SUCCEEDED);
  ASSERT_FALSE(progress_.reports().empty());
  EXPECT_THAT(progress_.reports().back().message(), HasSubstr("of 300ms (reads cannot be proved absent)"));
}

TEST_F(WaitTest, DoesNotWaitWhereAnOperatorHasOverriddenIt) {
  const auto session = Application("crm-old", "SELECT id, phone FROM contacts");
  override_wait_.emplace().set_actor("bob");
  override_wait_->set_reason("the night job ends by itself");
  EXPECT_EQ(Run("drop-1", action_).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Journaled("drop-1"), "succeeded");
  EXPECT_TRUE(progress_.reports().empty());
}

TEST_F(WaitTest, AnOverriddenConditionNeedNotEvenBeKnown) {
  v1::Action unknown;
  unknown.mutable_wait();
  override_wait_.emplace().set_actor("bob");
  EXPECT_EQ(Run("drop-1", unknown).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Journaled("drop-1"), "succeeded");
}

TEST_F(WaitTest, ATableAsAWholeIsUsedByWhoeverMentionsIt) {
  action_.mutable_wait()->mutable_shape_unused()->mutable_uses(0)->clear_column();
  const auto other = Application("other", "SELECT 'contacts'");
  auto session = Application("reports", "SELECT count(*) FROM contacts");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("drop-1", action_); });
  EXPECT_TRUE(progress_.AwaitWaiting(absl::StrCat("; seen: reports (pid ", session->backend_pid(), ")")));
  session.reset();
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED);
}

// Writers that no look at their last statement can find.
TEST_F(WaitTest, WaitsWhileACounterMovesAndCountsTheWrites) {
  Sql("CREATE SCHEMA \"Odd\"; CREATE SEQUENCE \"Odd\".\"Weird\"\"Name\"; CREATE SEQUENCE still");
  v1::ShapeUnused& condition = *action_.mutable_wait()->mutable_shape_unused();
  condition.add_counters("public.still");
  condition.add_counters("\"Odd\".\"Weird\"\"Name\"");
  std::atomic<bool> writing = true;
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("drop-1", action_); });
  std::thread writer([&] {
    const auto connection = *pg::Connection::Connect({.conninfo = conninfo_, .application_name = "w"});
    while (writing) {
      EXPECT_OK(connection->Execute("SELECT nextval('\"Odd\".\"Weird\"\"Name\"')").status());
    }
  });
  EXPECT_TRUE(progress_.AwaitWaiting("the old shape was written by "));
  const v1::Waiting waiting = progress_.reports().back().waiting();
  EXPECT_EQ(waiting.cause(), v1::WAIT_CAUSE_SESSIONS);
  EXPECT_THAT(waiting.message(), HasSubstr(" in the last "));
  EXPECT_EQ(Journaled("drop-1"), "");
  writing = false;
  writer.join();
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
}

// The first nextval moves is_called alone.
TEST_F(WaitTest, TheFirstWriteOfAllMovesACounterToo) {
  Sql("CREATE SEQUENCE writes");
  action_.mutable_wait()->mutable_shape_unused()->add_counters("public.writes");
  *action_.mutable_wait()->mutable_shape_unused()->mutable_quiet() = base::ToProto(absl::Seconds(3));
  const auto session = Application("old", "SELECT id, phone FROM contacts");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("drop-1", action_); });
  EXPECT_TRUE(progress_.AwaitWaiting("is still in use"));
  Sql("SELECT nextval('writes')");
  EXPECT_TRUE(progress_.AwaitWaiting("was written by 1 statement in the last "));
  cancel_.Cancel("enough");
  attempt.join();
}

TEST_F(WaitTest, ACounterThatStandsStillOrDoesNotExistIsNoUse) {
  Sql("CREATE SEQUENCE writes; SELECT nextval('writes')");
  v1::ShapeUnused& condition = *action_.mutable_wait()->mutable_shape_unused();
  condition.add_counters("public.writes");
  condition.add_counters("curlew.nowhere");
  condition.add_counters("nowhere.nothing");
  const Outcome outcome = Run("drop-1", action_);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
}

TEST_F(WaitTest, FailsWhereACounterMayNotBeRead) {
  Sql("CREATE SEQUENCE writes");
  action_.mutable_wait()->mutable_shape_unused()->add_counters("public.writes");
  const std::string role = NewRole("LOGIN");
  Sql(absl::StrCat("GRANT ALL ON SCHEMA curlew TO ", role));
  Sql(absl::StrCat("GRANT ALL ON ALL TABLES IN SCHEMA curlew TO ", role));
  pg::PoolOptions options;
  options.connect.conninfo = AsUser(conninfo_, role);
  pool_ = std::make_unique<pg::Pool>(options);
  const Outcome outcome = Run("drop-1", action_);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_EQ(outcome.error.sqlstate(), "42501");
}

TEST_F(WaitTest, StopsWhenCancelled) {
  const auto session = Application("crm-old", "SELECT id, phone FROM contacts");
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("drop-1", action_); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-old"));
  cancel_.Cancel("aborted");
  attempt.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_CANCELLED);
}

TEST_F(WaitTest, DoesNotTakeASessionItMayNotSeeForAnIdleOne) {
  const std::string role = NewRole("LOGIN");
  Sql(absl::StrCat("GRANT ALL ON SCHEMA curlew TO ", role));
  Sql(absl::StrCat("GRANT ALL ON ALL TABLES IN SCHEMA curlew TO ", role));
  pg::PoolOptions options;
  options.connect.conninfo = AsUser(conninfo_, role);
  const auto session = Application("crm-old", "SELECT id, phone FROM contacts");
  pool_ = std::make_unique<pg::Pool>(options);
  Outcome outcome;
  std::thread attempt([&] { outcome = Run("drop-1", action_); });
  EXPECT_TRUE(progress_.AwaitWaiting("GRANT pg_monitor"));
  cancel_.Cancel("enough");
  attempt.join();
}

TEST_F(WaitTest, RefusesAConditionThatItDoesNotKnow) {
  v1::Action unknown;
  unknown.mutable_wait();
  EXPECT_EQ(Run("drop-1", unknown).state, v1::ATTEMPT_STATE_FAILED);
}

}  // namespace
}  // namespace curlew::agent
