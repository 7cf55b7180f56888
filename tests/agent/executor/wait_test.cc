#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
