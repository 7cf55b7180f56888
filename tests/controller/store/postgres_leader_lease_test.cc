#include "controller/store/postgres_leader_lease.h"

#include <thread>

#include "absl/time/clock.h"
#include "common/base/error_detail.h"
#include "tests/controller/store/builders.h"
#include "tests/controller/store/leader_lease_suite.h"
#include "tests/controller/store/postgres_store.h"

namespace curlew::store {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

class Postgres {
 public:
  std::unique_ptr<LeaderLease> Lease(const std::string& instance) { return database_.Lease(instance); }

 private:
  PostgresDatabase database_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, LeaderLeaseTest, Postgres);

constexpr absl::Duration kShort = absl::Milliseconds(300);

class PostgresLeaderLeaseTest : public ::testing::Test {
 protected:
  // Holds again and again until it is taken, or that takes too long.
  static Leadership Take(LeaderLease& lease) {
    for (const absl::Time end = absl::Now() + absl::Seconds(20); absl::Now() < end;) {
      const auto held = lease.Hold();
      if (held.ok() && held->mine) return *held;
      absl::SleepFor(absl::Milliseconds(5));
    }
    ADD_FAILURE() << "the lease is never taken";
    return {};
  }

  PostgresDatabase database_;
};

TEST_F(PostgresLeaderLeaseTest, EndsByItsTermAndTheOldHolderIsToldSo) {
  auto a = database_.Lease("a", kShort);
  auto b = database_.Lease("b", absl::Seconds(30));
  const Leadership first = *a->Hold();
  ASSERT_TRUE(first.mine);
  const absl::Time begin = absl::Now();
  const Leadership second = Take(*b);
  EXPECT_GE(absl::Now() - begin, kShort - absl::Milliseconds(50)) << "not before the term of who held it";
  EXPECT_EQ(second.epoch, first.epoch + 1);
  const Leadership seen = *a->Hold();
  EXPECT_FALSE(seen.mine);
  EXPECT_EQ(seen.address, "b:7441");
  EXPECT_EQ(seen.epoch, second.epoch);
}

TEST_F(PostgresLeaderLeaseTest, IsJudgedByTheTermOfWhoHoldsIt) {
  auto a = database_.Lease("a", absl::Seconds(300));
  auto b = database_.Lease("b", absl::Milliseconds(1));
  ASSERT_TRUE(a->Hold()->mine);
  database_.Sql(
      "UPDATE curlew_controller.leader SET renewed_time = clock_timestamp() - interval '200 seconds'");
  EXPECT_FALSE(b->Hold()->mine);
  database_.Sql(
      "UPDATE curlew_controller.leader SET renewed_time = clock_timestamp() - interval '301 seconds'");
  EXPECT_TRUE(b->Hold()->mine);
}

TEST_F(PostgresLeaderLeaseTest, ALeaseThatRanOutButWasNotTakenIsRenewedUnderItsEpoch) {
  auto a = database_.Lease("a", kShort);
  const Leadership first = *a->Hold();
  database_.Sql("UPDATE curlew_controller.leader SET renewed_time = clock_timestamp() - interval '1 day'");
  const Leadership again = *a->Hold();
  EXPECT_TRUE(again.mine);
  EXPECT_EQ(again.epoch, first.epoch);
}

TEST_F(PostgresLeaderLeaseTest, AClockThatWasSetBackDoesNotMakeALeaseLastLonger) {
  auto a = database_.Lease("a", absl::Seconds(30));
  auto b = database_.Lease("b", absl::Seconds(30));
  ASSERT_TRUE(a->Hold()->mine);
  database_.Sql("UPDATE curlew_controller.leader SET renewed_time = clock_timestamp() + interval '1 hour'");
  EXPECT_TRUE(b->Hold()->mine);
}

TEST_F(PostgresLeaderLeaseTest, ManyContendersAndOneTakesIt) {
  constexpr int kContenders = 6;
  std::vector<std::unique_ptr<PostgresLeaderLease>> leases;
  for (int i = 0; i < kContenders; ++i) leases.push_back(database_.Lease(absl::StrCat("c", i)));
  std::atomic<int> mine = 0;
  std::vector<std::thread> threads;
  for (auto& lease : leases) {
    threads.emplace_back([&mine, &lease] {
      const auto held = lease->Hold();
      EXPECT_OK(held);
      if (held.ok() && held->mine) ++mine;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(mine, 1);
  EXPECT_EQ(database_.Sql("SELECT epoch FROM curlew_controller.leader"), "1");
}

TEST_F(PostgresLeaderLeaseTest, ACommitRenewsTheLease) {
  auto a = database_.Lease("a", absl::Seconds(30));
  auto store = database_.Store(a->Hold()->epoch, "a");
  database_.Sql(
      "UPDATE curlew_controller.leader SET renewed_time = clock_timestamp() - interval '20 seconds'");
  ASSERT_OK(store->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  EXPECT_EQ(database_.Sql("SELECT renewed_time > clock_timestamp() - interval '10 seconds'"
                          " FROM curlew_controller.leader"),
            "t");
}

TEST_F(PostgresLeaderLeaseTest, EveryWriteOfAnOldLeaderIsAbortedAndChangesNothing) {
  auto a = database_.Lease("a");
  auto b = database_.Lease("b");
  auto old = database_.Store(a->Hold()->epoch, "a");
  ASSERT_OK(old->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  a->Release();
  const absl::Status released = old->Commit(MakeChange("rollouts/a", 1, 1, 1)).status();
  EXPECT_EQ(base::Detail(released, base::kReason), kNotLeader) << released;
  ASSERT_TRUE(b->Hold()->mine);
  const absl::Status status = old->Commit(MakeChange("rollouts/a", 1, 1, 1)).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kAborted, HasSubstr("the controller at b:7441 leads")));
  EXPECT_EQ(base::Detail(status, base::kReason), kNotLeader);
  EXPECT_EQ(base::Detail(old->PutPlan(MakePlan("p", "1"), {}).status(), base::kReason), kNotLeader);
  EXPECT_EQ(base::Detail(old->PutEnvironments({}, {}), base::kReason), kNotLeader);
  RecordStore& records = old->records();
  EXPECT_EQ(base::Detail(records.Put(MakeRecord({"late"})), base::kReason), kNotLeader);
  EXPECT_EQ(base::Detail(records.RemoveNotification(1), base::kReason), kNotLeader);
  EXPECT_EQ(base::Detail(records.UpdateNotification({}), base::kReason), kNotLeader);
  EXPECT_EQ(base::Detail(records.AddTargetRecord(MakeTargetRecord("crm", ""), {}).status(), base::kReason),
            kNotLeader);
  EXPECT_EQ(records.AuditHead()->number(), 0);
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, old->GetRollout("rollouts/a"));
  EXPECT_EQ(read.version, 1) << "it may still read";
}

TEST_F(PostgresLeaderLeaseTest, AnotherInstanceUnderTheSameEpochMayNotWrite) {
  auto a = database_.Lease("a");
  const int64_t epoch = a->Hold()->epoch;
  auto stale = database_.Store(epoch, "from-before-the-fail-over");
  EXPECT_EQ(base::Detail(stale->Commit(MakeChange("rollouts/a", 0, 0, 1)).status(), base::kReason),
            kNotLeader);
}

// The two orders in which a take-over and a commit can meet on the leader's row, with real locks. First: the
// commit has passed its fence. It is stored, whatever the lease's age; only then is the lease taken.
TEST_F(PostgresLeaderLeaseTest, ATakeOverWaitsForACommitThatHasPassedItsFence) {
  auto a = database_.Lease("a", kShort);
  const int64_t epoch = a->Hold()->epoch;
  PostgresSession session(database_.options(), "test");
  ASSERT_OK_AND_ASSIGN(PostgresWork work, session.BeginFenced("cannot test", {epoch, "a"}));
  ASSERT_OK(
      work.Execute("INSERT INTO curlew_controller.rollout (name, version, last_event, rollout)"
                   " VALUES ('rollouts/a', 1, 0, '')"));
  // The lease runs out meanwhile, and contenders come: they do not wait, and do not take it.
  auto b = database_.Lease("b");
  const absl::Time end = absl::Now() + 2 * kShort;
  while (absl::Now() < end) ASSERT_FALSE(b->Hold()->mine);
  ASSERT_OK(work.Commit());
  const Leadership taken = Take(*b);
  EXPECT_EQ(taken.epoch, epoch + 1);
  auto store = database_.Store(taken.epoch, "b");
  EXPECT_OK(store->GetRollout("rollouts/a")) << "the new leader sees what the old one stored";
}

// Second: the take-over has the row. The commit's fence waits for it, is evaluated again, and fails.
TEST_F(PostgresLeaderLeaseTest, ACommitThatMeetsATakeOverIsAborted) {
  auto a = database_.Lease("a");
  const int64_t epoch = a->Hold()->epoch;
  auto store = database_.Store(epoch, "a");
  auto session = database_.Session();
  ASSERT_OK_AND_ASSIGN(auto take_over, pg::Transaction::Begin(session.get()));
  ASSERT_OK(take_over->Execute("UPDATE curlew_controller.leader SET epoch = epoch + 1, instance = 'b'"));
  absl::StatusOr<int64_t> committed = absl::UnknownError("not yet");
  std::thread committing([&] { committed = store->Commit(MakeChange("rollouts/a", 0, 0, 1)); });
  database_.WaitUntilBlocked(1);
  ASSERT_OK(take_over->Commit());
  committing.join();
  EXPECT_EQ(base::Detail(committed.status(), base::kReason), kNotLeader) << committed.status();
  EXPECT_THAT(store->GetRollout("rollouts/a"), StatusIs(absl::StatusCode::kNotFound));
}

// ... and where the take-over is given up, the commit goes on.
TEST_F(PostgresLeaderLeaseTest, ACommitGoesOnAfterATakeOverThatWasRolledBack) {
  auto a = database_.Lease("a");
  auto store = database_.Store(a->Hold()->epoch, "a");
  auto session = database_.Session();
  ASSERT_OK_AND_ASSIGN(auto take_over, pg::Transaction::Begin(session.get()));
  ASSERT_OK(take_over->Execute("UPDATE curlew_controller.leader SET epoch = epoch + 1, instance = 'b'"));
  absl::StatusOr<int64_t> committed = absl::UnknownError("not yet");
  std::thread committing([&] { committed = store->Commit(MakeChange("rollouts/a", 0, 0, 1)); });
  database_.WaitUntilBlocked(1);
  take_over->Rollback();
  committing.join();
  EXPECT_THAT(committed, IsOkAndHolds(1));
}

// A leader that is frozen in the middle of a commit holds its row until the server ends its transaction.
TEST_F(PostgresLeaderLeaseTest, ALeaderThatStandsStillInATransactionIsReplaced) {
  auto a = database_.Lease("a", kShort);
  const int64_t epoch = a->Hold()->epoch;
  PostgresStoreOptions options = database_.options();
  options.idle_timeout = absl::Milliseconds(200);
  PostgresSession frozen(options, "test");
  ASSERT_OK_AND_ASSIGN(PostgresWork work, frozen.BeginFenced("cannot test", {epoch, "a"}));
  auto b = database_.Lease("b");
  EXPECT_EQ(Take(*b).epoch, epoch + 1);
  EXPECT_FALSE(work.Commit().ok());
}

TEST_F(PostgresLeaderLeaseTest, AStoreThatLostItsRowOfTheLeaderIsDamaged) {
  auto a = database_.Lease("a");
  database_.Sql("DELETE FROM curlew_controller.leader");
  EXPECT_THAT(a->Hold(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("leader")));
}

TEST_F(PostgresLeaderLeaseTest, ALeaseOfANewerSchemaIsRefused) {
  { database_.Lease("a"); }
  database_.Sql("INSERT INTO curlew_controller.schema_version VALUES (77, '0077_future')");
  EXPECT_THAT(PostgresLeaderLease::Open(database_.options(), "test", {"a", "a:1"}, kShort),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("newer Curlew")));
}

}  // namespace
}  // namespace curlew::store
