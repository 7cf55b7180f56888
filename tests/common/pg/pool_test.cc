#include "common/pg/pool.h"

#include <optional>
#include <set>
#include <thread>

#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::pg {
namespace {

using curlew::testing::IsOk;
using curlew::testing::StatusIs;
using ::testing::HasSubstr;

class PoolTest : public curlew::testing::PgTest {
 protected:
  PoolOptions Options() {
    PoolOptions options;
    options.connect = {.conninfo = NewDatabase(), .application_name = "pool-test"};
    options.size = 2;
    options.max_overflow = 1;
    options.acquire_timeout = absl::Milliseconds(20);
    db_ = options.connect.conninfo;
    return options;
  }
  int Backends() {
    return std::stoi(Query(db_,
                           "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pool-test' "
                           "AND datname = current_database()"));
  }
  // Until so many are left: a backend outlives its connection by a moment.
  void AwaitBackends(int count) {
    Query(db_, absl::StrCat("DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM pg_stat_clear_snapshot();"
                            " IF (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pool-test'"
                            "     AND datname = current_database()) = ",
                            count,
                            " THEN RETURN; END IF; PERFORM pg_sleep(0.01); END LOOP; RAISE 'never'; END $$"));
  }
  std::string db_;
};

TEST_F(PoolTest, UsesAConnectionAgain) {
  Pool pool(Options());
  int pid;
  {
    ASSERT_OK_AND_ASSIGN(Pool::Lease lease, pool.Acquire());
    pid = lease->backend_pid();
  }
  ASSERT_OK_AND_ASSIGN(Pool::Lease lease, pool.Acquire());
  EXPECT_EQ(lease->backend_pid(), pid);
}

TEST_F(PoolTest, KeepsItsSizeAndClosesTheOverflow) {
  Pool pool(Options());
  {
    ASSERT_OK_AND_ASSIGN(Pool::Lease one, pool.Acquire());
    ASSERT_OK_AND_ASSIGN(Pool::Lease two, pool.Acquire());
    ASSERT_OK_AND_ASSIGN(Pool::Lease three, pool.Acquire());
    EXPECT_EQ(Backends(), 3);
    EXPECT_THAT(pool.Acquire(), StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("all 3 are in use")));
  }
  AwaitBackends(2);
}

TEST_F(PoolTest, HandsAConnectionToWhoeverWaits) {
  PoolOptions options = Options();
  options.size = 1;
  options.max_overflow = 0;
  options.acquire_timeout = absl::Seconds(30);
  Pool pool(options);
  std::optional<Pool::Lease> held;
  ASSERT_OK_AND_ASSIGN(Pool::Lease first, pool.Acquire());
  held.emplace(std::move(first));
  std::thread waiter([&] {
    auto lease = pool.Acquire();
    EXPECT_OK(lease);
  });
  held.reset();
  waiter.join();
}

TEST_F(PoolTest, ServesManyThreadsWithFewConnections) {
  PoolOptions options = Options();
  options.acquire_timeout = absl::Seconds(30);
  Pool pool(options);
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10; ++n) {
        auto lease = pool.Acquire();
        ASSERT_OK(lease);
        EXPECT_OK((*lease)->Execute("SELECT 1"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(Backends(), 3);
}

TEST_F(PoolTest, ReplacesWhatIsTooOld) {
  PoolOptions options = Options();
  options.recycle = absl::ZeroDuration();
  Pool pool(options);
  std::set<int> pids;
  for (int i = 0; i < 3; ++i) {
    ASSERT_OK_AND_ASSIGN(Pool::Lease lease, pool.Acquire());
    pids.insert(lease->backend_pid());
  }
  EXPECT_EQ(pids.size(), 3u);
}

TEST_F(PoolTest, ReplacesABackendThatWasKilledWhileItWasIdle) {
  for (const bool pre_ping : {true, false}) {
    PoolOptions options = Options();
    options.pre_ping = pre_ping;
    Pool pool(options);
    int pid;
    {
      ASSERT_OK_AND_ASSIGN(Pool::Lease lease, pool.Acquire());
      pid = lease->backend_pid();
    }
    Query(db_, absl::StrCat("SELECT pg_terminate_backend(", pid, ", 20000)"));
    ASSERT_OK_AND_ASSIGN(Pool::Lease lease, pool.Acquire());
    EXPECT_NE(lease->backend_pid(), pid);
    EXPECT_OK(lease->Execute("SELECT 1"));
  }
}

TEST_F(PoolTest, DoesNotKeepABrokenConnectionOrOneInATransaction) {
  Pool pool(Options());
  {
    ASSERT_OK_AND_ASSIGN(Pool::Lease broken, pool.Acquire());
    Query(db_, absl::StrCat("SELECT pg_terminate_backend(", broken->backend_pid(), ", 20000)"));
    ASSERT_OK_AND_ASSIGN(Pool::Lease open, pool.Acquire());
    ASSERT_OK(open->Execute("BEGIN"));
  }
  AwaitBackends(0);
}

TEST_F(PoolTest, DropsLocksAndSettingsWhenALeaseEnds) {
  Pool pool(Options());
  int pid;
  {
    ASSERT_OK_AND_ASSIGN(Pool::Lease lease, pool.Acquire());
    pid = lease->backend_pid();
    ASSERT_OK(lease->Execute("SELECT pg_advisory_lock(7)"));
    ASSERT_OK(lease->Execute("SET work_mem = '7MB'"));
  }
  EXPECT_EQ(Query(db_, "SELECT pg_try_advisory_lock(7)"), "t");
  ASSERT_OK_AND_ASSIGN(Pool::Lease lease, pool.Acquire());
  EXPECT_EQ(lease->backend_pid(), pid);
  EXPECT_NE(lease->Execute("SHOW work_mem")->Text(0, 0), "7MB");
}

TEST_F(PoolTest, DrainClosesIdleOnesAtOnceAndOthersWhenTheyComeBack) {
  Pool pool(Options());
  {
    ASSERT_OK_AND_ASSIGN(Pool::Lease idle, pool.Acquire());
    ASSERT_OK_AND_ASSIGN(Pool::Lease out, pool.Acquire());
    { Pool::Lease gone = std::move(idle); }
    pool.Drain();
    AwaitBackends(1);
    EXPECT_OK(out->Execute("SELECT 1"));
  }
  AwaitBackends(0);
  EXPECT_OK(pool.Acquire());
}

TEST_F(PoolTest, AFailedConnectGivesItsPlaceBack) {
  PoolOptions options = Options();
  options.connect.conninfo += " dbname=no_such_database";
  options.size = 1;
  options.max_overflow = 0;
  Pool pool(options);
  for (int i = 0; i < 3; ++i) EXPECT_THAT(pool.Acquire(), StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace curlew::pg
