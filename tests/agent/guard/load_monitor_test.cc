#include "agent/guard/load_monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/guard/signals.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// Limits that keep the load of other tests on the same server out of a test.
std::map<std::string, double> Without(const std::vector<std::string>& wanted) {
  std::map<std::string, double> limits;
  for (const auto& [name, limit] : DefaultLimits()) limits[name] = -1;
  for (const std::string& name : wanted) limits[name] = DefaultLimits().at(name);
  return limits;
}

class LoadMonitorTest : public ::curlew::testing::PgTest {
 protected:
  LoadMonitorOptions Options(ThrottleConfig config, int max_workers = 3, std::string table = "") {
    config.max_workers = max_workers;
    return {.connect = {.conninfo = database_, .application_name = "curlew-monitor"},
            .config = std::move(config),
            .table = std::move(table),
            .max_workers = max_workers,
            .interval = absl::Milliseconds(50)};
  }
  // Looks until `holds`; what it was at last.
  static v1::Load Until(const LoadMonitor& monitor, const std::function<bool(const v1::Load&)>& holds,
                        absl::Duration most = absl::Seconds(20)) {
    const absl::Time deadline = absl::Now() + most;
    while (true) {
      const v1::Load load = monitor.Current();
      if (holds(load) || absl::Now() > deadline) {
        EXPECT_TRUE(holds(load)) << load.DebugString();
        return load;
      }
      monitor.AwaitChange(load.workers(), absl::Milliseconds(20));
    }
  }
  // For a number that stays.
  static v1::Load UntilWorkers(const LoadMonitor& monitor, int workers) {
    return Until(monitor, [=](const v1::Load& load) { return load.workers() == workers; });
  }
  // For one that grows meanwhile.
  static void UntilAtLeast(const LoadMonitor& monitor, int workers) {
    Until(monitor, [=](const v1::Load& load) { return load.workers() >= workers; });
  }

  const std::string database_ = NewDatabase(
      "CREATE TABLE t (id int PRIMARY KEY, v int);"
      "INSERT INTO t SELECT g, 0 FROM generate_series(1, 100) AS g;"
      "CREATE TABLE number (value float8); INSERT INTO number VALUES (0)");
};

// A session that waits for a lock until the object ends.
class Waiter {
 public:
  Waiter(std::unique_ptr<pg::Connection> connection, std::string sql)
      : connection_(std::move(connection)), thread_([this, sql] { (void)connection_->Execute(sql); }) {}
  ~Waiter() { thread_.join(); }
  int pid() const { return connection_->backend_pid(); }

 private:
  std::unique_ptr<pg::Connection> connection_;
  std::thread thread_;
};

TEST_F(LoadMonitorTest, GivesOneWorkerBeforeTheFirstLookAndSoonAllOnAnIdleDatabase) {
  const LoadMonitor monitor(Options({.limits = Without({"lock_waiters"})}));
  EXPECT_EQ(UntilWorkers(monitor, 3).signal(), "lock_waiters");
}

TEST_F(LoadMonitorTest, PausesWhileSessionsWaitForOurLocksAndCountsOurOwnNever) {
  LoadMonitor monitor(Options({.limits = Without({"lock_waiters"})}));
  const auto ours = Connect(database_);
  const auto colleague = Connect(database_);
  monitor.SetBackends({ours->backend_pid(), colleague->backend_pid()});
  UntilWorkers(monitor, 3);
  ASSERT_OK(ours->Execute("BEGIN; UPDATE t SET v = 1 WHERE id <= 3"));
  {
    const Waiter one(Connect(database_), "UPDATE t SET v = 2 WHERE id = 1");
    v1::Load load = Until(monitor, [](const v1::Load& l) { return l.value() == 1; });
    EXPECT_EQ(load.utilisation(), 1);
    load = UntilWorkers(monitor, 1);
    EXPECT_THAT(load.reason(), HasSubstr("lock_waiters is 1, limit 1"));

    const Waiter two(Connect(database_), "UPDATE t SET v = 2 WHERE id = 2");
    load = UntilWorkers(monitor, 0);
    EXPECT_EQ(load.signal(), "lock_waiters");
    EXPECT_EQ(load.value(), 2);
    EXPECT_EQ(load.reason(), "lock_waiters is 2, limit 1: pauses");
    ASSERT_OK(ours->Execute("ROLLBACK"));
  }
  UntilAtLeast(monitor, 1);

  // One that waits for somebody else is not our doing.
  {
    const auto stranger = Connect(database_);
    ASSERT_OK(stranger->Execute("BEGIN; UPDATE t SET v = 1 WHERE id <= 3"));
    const Waiter other(Connect(database_), "UPDATE t SET v = 2 WHERE id = 1");
    UntilAtLeast(monitor, 2);
    EXPECT_EQ(monitor.Current().value(), 0);
    ASSERT_OK(stranger->Execute("ROLLBACK"));
  }

  // Nor is one of us that waits for another.
  ASSERT_OK(ours->Execute("BEGIN; UPDATE t SET v = 1 WHERE id <= 3"));
  std::thread waits([&] { (void)colleague->Execute("UPDATE t SET v = 2 WHERE id = 1"); });
  UntilWorkers(monitor, 3);
  ASSERT_OK(ours->Execute("ROLLBACK"));
  waits.join();
}

TEST_F(LoadMonitorTest, CountsActiveSessionsWithoutOurs) {
  ThrottleConfig config{.limits = Without({})};
  config.limits["active_sessions"] = 1.5;
  LoadMonitor monitor(Options(config));
  Waiter one(Connect(database_), "SELECT pg_sleep(600)");
  Waiter two(Connect(database_), "SELECT pg_sleep(600)");
  const v1::Load load = UntilWorkers(monitor, 0);
  EXPECT_EQ(load.signal(), "active_sessions");
  EXPECT_GE(load.value(), 1.5);
  monitor.SetBackends({one.pid(), two.pid()});
  UntilAtLeast(monitor, 1);
  for (const Waiter* waiter : {&one, &two}) {
    Query(database_, absl::StrCat("SELECT pg_terminate_backend(", waiter->pid(), ")"));
  }
}

TEST_F(LoadMonitorTest, ConnectsAnewAndAddsNothingMeanwhile) {
  LoadMonitor monitor(Options({.limits = Without({"lock_waiters"})}, 2));
  UntilWorkers(monitor, 2);
  const std::string name = Query(database_, "SELECT current_database()");
  const std::string admin = ::curlew::testing::Cluster::Get().Conninfo("postgres");
  Query(admin, absl::StrCat("ALTER DATABASE ", name, " ALLOW_CONNECTIONS false"));
  Query(admin, absl::StrCat("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '", name,
                            "' AND application_name = 'curlew-monitor'"));
  const v1::Load load =
      Until(monitor, [](const v1::Load& l) { return absl::StrContains(l.reason(), "could not be read"); });
  EXPECT_THAT(load.reason(),
              AllOf(HasSubstr("lock_waiters could not be read for "), HasSubstr("adds no worker")));
  EXPECT_EQ(load.workers(), 2);
  Query(admin, absl::StrCat("ALTER DATABASE ", name, " ALLOW_CONNECTIONS true"));
  Until(monitor, [](const v1::Load& l) { return absl::StrContains(l.reason(), "lock_waiters is 0"); });
}

TEST_F(LoadMonitorTest, ReadsTheChecksOfTheConfiguration) {
  LoadMonitor monitor(
      Options({.limits = Without({}),
               .checks = {{.name = "number", .sql = "SELECT value FROM number", .limit = 10}}}));
  UntilWorkers(monitor, 3);
  Query(database_, "UPDATE number SET value = 10.5");
  EXPECT_EQ(UntilWorkers(monitor, 0).reason(), "number is 10.5, limit 10: pauses");
  Query(database_, "UPDATE number SET value = 8");
  UntilWorkers(monitor, 1);
}

TEST_F(LoadMonitorTest, ACheckThatFailsFreezesAndARequiredOnePausesAndTheOthersAreReadAllTheSame) {
  const ThrottleCheck broken = {.name = "broken", .sql = "SELECT nothing FROM nowhere", .limit = 10};
  const ThrottleCheck slow = {.name = "slow", .sql = "SELECT 1 FROM pg_sleep(600)", .limit = 10};
  const ThrottleCheck writes = {
      .name = "writes", .sql = "UPDATE number SET value = 1 RETURNING value", .limit = 10};
  {
    LoadMonitor monitor(Options({.limits = Without({"lock_waiters"}), .checks = {slow, writes, broken}}));
    const v1::Load load = Until(monitor, [](const v1::Load& l) {
      return absl::StrContains(l.reason(), "slow could not be read yet (");
    });
    EXPECT_EQ(load.workers(), 1);
    EXPECT_THAT(load.reason(), HasSubstr("adds no worker"));
    const auto ours = Connect(database_);
    monitor.SetBackends({ours->backend_pid()});
    ASSERT_OK(ours->Execute("BEGIN; UPDATE t SET v = 1 WHERE id <= 3"));
    const Waiter one(Connect(database_), "UPDATE t SET v = 2 WHERE id = 1");
    const Waiter two(Connect(database_), "UPDATE t SET v = 2 WHERE id = 2");
    EXPECT_EQ(UntilWorkers(monitor, 0).signal(), "lock_waiters");
    ASSERT_OK(ours->Execute("ROLLBACK"));
  }
  EXPECT_EQ(Query(database_, "SELECT value FROM number"), "0") << "checks cannot write";
  ThrottleCheck required = broken;
  required.required = true;
  const LoadMonitor monitor(Options({.limits = Without({}), .checks = {required}}));
  const v1::Load load =
      Until(monitor, [](const v1::Load& l) { return absl::StrContains(l.reason(), "42P01"); });
  EXPECT_EQ(load.workers(), 0);
  EXPECT_EQ(load.signal(), "broken");
}

TEST_F(LoadMonitorTest, TakesNewLimitsAndWorkersWhileItRuns) {
  LoadMonitor monitor(
      Options({.limits = Without({}), .checks = {{.name = "number", .sql = "SELECT 5", .limit = 100}}}));
  UntilWorkers(monitor, 3);
  v1::Tuning tuning;
  tuning.set_max_workers(2);
  monitor.Tune(tuning);
  UntilWorkers(monitor, 2);
  (*tuning.mutable_limits())["number"] = 4;
  monitor.Tune(tuning);
  EXPECT_EQ(UntilWorkers(monitor, 0).limit(), 4);
  (*tuning.mutable_limits())["number"] = -1;
  monitor.Tune(tuning);
  UntilWorkers(monitor, 2);
  monitor.Tune({});
  UntilWorkers(monitor, 3);
}

TEST_F(LoadMonitorTest, EndsAtOnceWhileACheckRuns) {
  absl::Time begun;
  {
    const LoadMonitor monitor(
        Options({.limits = Without({}),
                 .checks = {{.name = "slow", .sql = "SELECT 1 FROM pg_sleep(600)", .limit = 1}}}));
    const std::string runs = absl::StrCat(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event = 'PgSleep'");
    while (Query(database_, runs) == "0") {
    }
    begun = absl::Now();
  }
  EXPECT_LT(absl::Now() - begun, absl::Seconds(1));
}

TEST_F(LoadMonitorTest, SurvivesATableAndADatabaseThatAreNotThere) {
  LoadMonitorOptions options = Options({}, 2, R"("Weird""Name"."no such table")");
  {
    const LoadMonitor monitor(options);
    Until(monitor, [](const v1::Load& load) { return !load.signal().empty(); });
  }
  options.connect.conninfo = "host=/nonexistent dbname=nothing";
  const LoadMonitor monitor(options);
  const v1::Load load = UntilWorkers(monitor, 0);
  EXPECT_THAT(load.reason(), HasSubstr("could not be read yet"));
}

}  // namespace
}  // namespace curlew::agent
