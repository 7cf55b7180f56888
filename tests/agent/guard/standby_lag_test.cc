// The throttle with a standby that really streams: a primary and a standby of this test's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "agent/guard/load_monitor.h"
#include "agent/guard/signals.h"
#include "agent/journal/takeover.h"
#include "tests/support/pg_test.h"
#include "tests/support/standby.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::PrimaryAndStandby;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

class StandbyLagTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(servers_, PrimaryAndStandby::Start());
    primary_ = servers_->primary();
    standby_ = servers_->standby();
  }

  void Write() {
    Query(primary_,
          "CREATE TABLE IF NOT EXISTS t (v text); INSERT INTO t SELECT repeat('x', 1000) FROM"
          " generate_series(1, 1000)");
  }
  // Looks at the signals that are named only.
  LoadMonitorOptions Options(const std::map<std::string, double>& limits) {
    LoadMonitorOptions options{
        .connect = {.conninfo = primary_}, .max_workers = 2, .interval = absl::Milliseconds(50)};
    for (const auto& [name, limit] : DefaultLimits()) options.config.limits[name] = -1;
    for (const auto& [name, limit] : limits) options.config.limits[name] = limit;
    return options;
  }
  static v1::Load Until(const LoadMonitor& monitor, const std::function<bool(const v1::Load&)>& holds) {
    const absl::Time deadline = absl::Now() + absl::Seconds(20);
    while (true) {
      const v1::Load load = monitor.Current();
      if (holds(load) || absl::Now() > deadline) {
        EXPECT_TRUE(holds(load)) << load.DebugString();
        return load;
      }
      monitor.AwaitChange(load.workers(), absl::Milliseconds(20));
    }
  }

  std::string primary_;
  std::string standby_;

  std::unique_ptr<PrimaryAndStandby> servers_;
};

TEST_F(StandbyLagTest, AWalkPausesWhileAStandbyIsBehindOrGoneAndGoesOnAfterwards) {
  const LoadMonitor monitor(Options({{"replica_lag_ms", 500}}));
  Until(monitor, [](const v1::Load& load) { return load.workers() == 2; });

  Query(standby_, "SELECT pg_wal_replay_pause()");
  Write();
  v1::Load load = Until(monitor, [](const v1::Load& l) { return l.workers() == 0; });
  EXPECT_EQ(load.signal(), "replica_lag_ms");
  EXPECT_GT(load.value(), 500);
  EXPECT_THAT(load.reason(), HasSubstr("replica_lag_ms (standby \"crm_standby\") is "));
  Query(standby_, "SELECT pg_wal_replay_resume()");
  Until(monitor, [](const v1::Load& l) { return l.workers() > 0; });

  ASSERT_OK(servers_->StopStandby());
  load = Until(monitor, [](const v1::Load& l) { return l.workers() == 0; });
  EXPECT_THAT(load.reason(), HasSubstr("standby \"crm_standby\" was there a moment ago and is not now"));
  {
    // Its slot still knows what it misses, whoever asks.
    const LoadMonitor slots(Options({{"slot_lag_bytes", 100'000}}));
    Write();
    load = Until(slots, [](const v1::Load& l) { return l.workers() == 0; });
    EXPECT_THAT(load.reason(), HasSubstr("slot_lag_bytes (slot \"crm_slot\") is "));
  }
  ASSERT_OK(servers_->StartStandby());
  Until(monitor, [](const v1::Load& l) { return l.workers() > 0; });
}

TEST_F(StandbyLagTest, AStandbyIsNotServed) {
  CancelToken never;
  EXPECT_THAT(
      TakeOver({.connect = {.conninfo = standby_}, .target = "staging", .agent_id = "a", .instance_id = "i"},
               never),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is a standby and takes no writes")));
  EXPECT_EQ(Query(standby_, "SELECT count(*) FROM pg_namespace WHERE nspname = 'curlew'"), "0");
}

}  // namespace
}  // namespace curlew::agent
