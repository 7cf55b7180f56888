#include "agent/journal/takeover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "agent/journal/fenced_transaction.h"
#include "agent/journal/names.h"
#include "common/base/error_detail.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

class TakeoverTest : public ::curlew::testing::PgTest {
 protected:
  TakeoverOptions Options(const std::string& instance) {
    return {
        .connect = {.conninfo = conninfo_}, .target = "crm", .agent_id = "agent", .instance_id = instance};
  }
  std::unique_ptr<pg::Connection> ConnectAs(const std::string& name) {
    return *pg::Connection::Connect({.conninfo = conninfo_, .application_name = name});
  }

  const std::string conninfo_ = NewDatabase("CREATE TABLE t (a int)");
  const CancelToken cancel_;
};

TEST_F(TakeoverTest, RaisesTheEpochEachTime) {
  ASSERT_OK_AND_ASSIGN(const Tenure first, TakeOver(Options("one"), cancel_));
  ASSERT_OK_AND_ASSIGN(const Tenure second, TakeOver(Options("two"), cancel_));
  EXPECT_EQ(first.epoch, 1);
  EXPECT_EQ(second.epoch, 2);
  EXPECT_EQ(second.timeline, 1);
  EXPECT_NE(second.system_identifier, "");
  EXPECT_GE(second.server_version_num, 140000);
}

TEST_F(TakeoverTest, TheSameProcessFindsItsTenureAgainUntilAnotherCame) {
  ASSERT_OK_AND_ASSIGN(const Tenure tenure, TakeOver(Options("one"), cancel_));
  EXPECT_THAT(StillMine(Options("one"), tenure), IsOkAndHolds(true));
  ASSERT_OK(TakeOver(Options("two"), cancel_).status());
  EXPECT_THAT(StillMine(Options("one"), tenure), IsOkAndHolds(false));
}

TEST_F(TakeoverTest, ADatabaseThatWasRestoredIsNotMineAnyMore) {
  ASSERT_OK_AND_ASSIGN(const Tenure tenure, TakeOver(Options("one"), cancel_));
  Tenure elsewhere = tenure;
  ++elsewhere.timeline;
  EXPECT_THAT(StillMine(Options("one"), elsewhere), IsOkAndHolds(false));
  elsewhere = tenure;
  elsewhere.system_identifier = "1";
  EXPECT_THAT(StillMine(Options("one"), elsewhere), IsOkAndHolds(false));
  Query(conninfo_, "DROP SCHEMA curlew CASCADE");
  EXPECT_THAT(StillMine(Options("one"), tenure), IsOkAndHolds(false));
}

// Takeovers that the database has lost must not give their epochs to others.
TEST_F(TakeoverTest, EpochsOfADatabaseThatWentBackDoNotComeAgain) {
  ASSERT_OK(TakeOver(Options("one"), cancel_).status());
  Query(conninfo_, "UPDATE curlew.target SET timeline = 7");
  ASSERT_OK_AND_ASSIGN(const Tenure promoted, TakeOver(Options("two"), cancel_));
  EXPECT_GT(promoted.epoch, 1'000'000'000'000);
  ASSERT_OK_AND_ASSIGN(const Tenure next, TakeOver(Options("three"), cancel_));
  EXPECT_EQ(next.epoch, promoted.epoch + 1);
  Query(conninfo_, "UPDATE curlew.target SET system_identifier = '1', epoch = 3");
  ASSERT_OK_AND_ASSIGN(const Tenure restored, TakeOver(Options("four"), cancel_));
  EXPECT_GT(restored.epoch, promoted.epoch);
  // Nor where its clock goes wrong.
  Query(conninfo_, "UPDATE curlew.target SET timeline = 7, epoch = 9000000000000");
  ASSERT_OK_AND_ASSIGN(const Tenure slow, TakeOver(Options("five"), cancel_));
  EXPECT_EQ(slow.epoch, 9'000'000'000'001);
}

TEST_F(TakeoverTest, AnAgentThatWasReplacedCannotCommit) {
  ASSERT_OK_AND_ASSIGN(const Tenure tenure, TakeOver(Options("one"), cancel_));
  // A session whose name gives nothing away, as if its backend had escaped the takeover.
  const auto connection = ConnectAs("frozen");
  ASSERT_OK(TakeOver(Options("two"), cancel_).status());
  const absl::Status status = FencedTransaction::Begin(connection.get(), {tenure.epoch, "one"}, {}).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAborted, HasSubstr("epoch 2")));
  EXPECT_TRUE(IsFencedOut(status));
  EXPECT_TRUE(IsFencedOut(FenceSession(connection.get(), {tenure.epoch, "one"})));
}

// A snapshot of the disk of before comes back in the same timeline, and the next takeover counts on from it.
TEST_F(TakeoverTest, AnAgentWhoseEpochAnotherGotAfterARestoreCannotCommit) {
  ASSERT_OK_AND_ASSIGN(const Tenure tenure, TakeOver(Options("one"), cancel_));
  const auto connection = ConnectAs("frozen");
  Query(conninfo_, "UPDATE curlew.target SET epoch = epoch - 1, instance_id = 'older'");
  ASSERT_OK_AND_ASSIGN(const Tenure next, TakeOver(Options("two"), cancel_));
  ASSERT_EQ(next.epoch, tenure.epoch);
  const absl::Status status = FencedTransaction::Begin(connection.get(), {tenure.epoch, "one"}, {}).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAborted, HasSubstr("was restored")));
  EXPECT_TRUE(IsFencedOut(status));
  EXPECT_TRUE(IsFencedOut(FenceSession(connection.get(), {tenure.epoch, "one"})));
  EXPECT_OK(FencedTransaction::Begin(connection.get(), {next.epoch, "two"}, {}).status());
}

// It has the same epoch as the old primary had, but may lack what was done there.
TEST_F(TakeoverTest, NobodyCommitsOnAServerThatWasPromotedBeforeItIsTakenOver) {
  ASSERT_OK_AND_ASSIGN(const Tenure tenure, TakeOver(Options("one"), cancel_));
  const auto connection = ConnectAs("a");
  ASSERT_OK(FencedTransaction::Begin(connection.get(), {tenure.epoch, "one"}, {}).status());
  // It is told apart by its timeline.
  Query(conninfo_, "UPDATE curlew.target SET timeline = timeline + 1");
  const absl::Status status = FencedTransaction::Begin(connection.get(), {tenure.epoch, "one"}, {}).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAborted, HasSubstr("promoted")));
  EXPECT_TRUE(IsFencedOut(status));
  EXPECT_TRUE(IsFencedOut(FenceSession(connection.get(), {tenure.epoch, "one"})));
}

TEST_F(TakeoverTest, EndsATransactionOfThePredecessorThatIsOpen) {
  ASSERT_OK_AND_ASSIGN(const Tenure tenure, TakeOver(Options("one"), cancel_));
  const auto connection = ConnectAs("frozen");
  ASSERT_OK_AND_ASSIGN(auto open, FencedTransaction::Begin(connection.get(), {tenure.epoch, "one"}, {}));
  ASSERT_OK(open.Execute("INSERT INTO t VALUES (1)").status());
  ASSERT_OK(TakeOver(Options("two"), cancel_).status());
  EXPECT_FALSE(open.Commit().ok());
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM t"), "0");
}

TEST_F(TakeoverTest, EndsIdleSessionsOfThePredecessorAndNoOthers) {
  const auto idle = ConnectAs(TargetApplicationName("crm"));
  const auto concurrent = ConnectAs(AttemptApplicationName("crm", "rollouts/r/runs/crm", 3));
  const auto neighbour = ConnectAs(TargetApplicationName("crm2"));
  const auto application = ConnectAs("crm");
  ASSERT_OK(TakeOver(Options("one"), cancel_).status());
  EXPECT_FALSE(idle->Execute("SELECT 1").ok());
  EXPECT_FALSE(concurrent->Execute("SELECT 1").ok());
  EXPECT_TRUE(neighbour->Execute("SELECT 1").ok());
  EXPECT_TRUE(application->Execute("SELECT 1").ok());
}

TEST_F(TakeoverTest, RefusesADatabaseThatIsServedAsAnotherTarget) {
  ASSERT_OK(TakeOver(Options("one"), cancel_).status());
  const auto agent = ConnectAs(TargetApplicationName("crm"));
  TakeoverOptions other = Options("two");
  other.target = "billing";
  EXPECT_THAT(TakeOver(other, cancel_).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is being served as target crm")));
  EXPECT_TRUE(agent->Execute("SELECT 1").ok());
}

TEST_F(TakeoverTest, TakesACopyOfAnotherTargetsDatabaseThatNobodyServes) {
  ASSERT_OK(TakeOver(Options("one"), cancel_).status());
  TakeoverOptions other = Options("two");
  other.target = "billing";
  ASSERT_OK_AND_ASSIGN(const Tenure tenure, TakeOver(other, cancel_));
  EXPECT_EQ(tenure.epoch, 2);
}

TEST_F(TakeoverTest, WorksForARoleThatOwnsItsTablesAndIsNoSuperuser) {
  const std::string role = NewRole("LOGIN");
  Query(conninfo_, absl::StrCat("GRANT pg_monitor TO ", role));
  Query(conninfo_, absl::StrCat("DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO ", role,
                                "', current_database()); END $$"));
  TakeoverOptions options = Options("one");
  options.connect.conninfo = AsUser(conninfo_, role);
  ASSERT_OK(TakeOver(options, cancel_).status());
  const auto predecessor = *pg::Connection::Connect(
      {.conninfo = options.connect.conninfo, .application_name = TargetApplicationName("crm")});
  options.instance_id = "two";
  ASSERT_OK_AND_ASSIGN(const Tenure tenure, TakeOver(options, cancel_));
  EXPECT_EQ(tenure.epoch, 2);
  EXPECT_FALSE(predecessor->Execute("SELECT 1").ok());
}

TEST_F(TakeoverTest, RefusesConnectionsThatShareABackend) {
  const auto connection = ConnectAs("a");
  // As a transaction pooler would have it: two connections, one backend.
  EXPECT_THAT(RefusePooler(connection.get(), connection.get()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("pooler")));
  EXPECT_NE(base::Detail(RefusePooler(connection.get(), connection.get()), base::kHint), "");
  const auto other = ConnectAs("b");
  EXPECT_OK(RefusePooler(connection.get(), other.get()));
}

TEST(NamesTest, FitPostgresqlsSixtyThreeBytesAndStayApart) {
  const std::string a(200, 'a');
  const std::string b = a + "b";
  EXPECT_LE(AttemptApplicationName(a, "rollouts/r/runs/a", 2147483647).size(), 63u);
  EXPECT_NE(TargetApplicationName(a), TargetApplicationName(b));
  EXPECT_EQ(TargetApplicationName("crm"), "curlew crm");
  EXPECT_THAT(AttemptApplicationName("crm", "rollouts/r/runs/crm", 3), HasSubstr("curlew crm "));
}

}  // namespace
}  // namespace curlew::agent
