// The throttle with a standby that really streams: a primary and a standby of this test's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "agent/guard/load_monitor.h"
#include "agent/guard/signals.h"
#include "tests/support/pg_test.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::Process;
using ::testing::HasSubstr;

class StandbyLagTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override {
    char folder[] = "/var/tmp/curlew-standby-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    if (geteuid() == 0) {
      const passwd* owner = getpwnam("postgres");
      ASSERT_NE(owner, nullptr);
      ASSERT_EQ(chown(folder, owner->pw_uid, owner->pw_gid), 0);
    }
    ASSERT_OK(Process::Run({.argv = {CURLEW_TEST_CLUSTER_SCRIPT, "start", env_file()}}));
    std::ifstream in(env_file());
    for (std::string line; std::getline(in, line);) {
      const std::pair<std::string, std::string> entry = absl::StrSplit(line, absl::MaxSplits('=', 1));
      if (entry.first == "CURLEW_TEST_PG") primary_ = entry.second;
      if (entry.first == "CURLEW_TEST_PG_BIN") bin_ = entry.second;
    }
    standby_ = absl::StrCat("host=", folder_, " port=5432 user=postgres dbname=postgres");
    ASSERT_OK(AsOwner({absl::StrCat(bin_, "/pg_basebackup"), "-D", data(), "-d",
                       absl::StrCat(primary_, " application_name=crm_standby"), "-R", "-X", "stream", "-c",
                       "fast", "-C", "-S", "crm_slot", "--no-sync"}));
    StartStandby();
  }
  void TearDown() override {
    (void)AsOwner({absl::StrCat(bin_, "/pg_ctl"), "-D", data(), "-m", "immediate", "stop"});
    (void)Process::Run({.argv = {CURLEW_TEST_CLUSTER_SCRIPT, "stop", env_file()}});
    (void)Process::Run({.argv = {"rm", "-rf", folder_}});
  }

  void StartStandby() {
    // It listens on a socket only, so no port can be taken.
    ASSERT_OK(
        AsOwner({absl::StrCat(bin_, "/pg_ctl"), "-D", data(), "-w", "-l", absl::StrCat(folder_, "/log"), "-o",
                 absl::StrCat("-p 5432 -c listen_addresses='' -c unix_socket_directories='", folder_,
                              "' -c wal_retrieve_retry_interval=100"),
                 "start"}));
  }
  void StopStandby() {
    ASSERT_OK(AsOwner({absl::StrCat(bin_, "/pg_ctl"), "-D", data(), "-w", "-m", "fast", "stop"}));
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

 private:
  absl::Status AsOwner(std::vector<std::string> argv) {
    // The server's user may not enter the folder that the test runs in.
    std::vector<std::string> whole = {"env", "-C", "/"};
    if (geteuid() == 0) whole.insert(whole.end(), {"runuser", "-u", "postgres", "--"});
    whole.insert(whole.end(), argv.begin(), argv.end());
    return Process::Run({.argv = whole}).status();
  }
  std::string env_file() const { return absl::StrCat(folder_, "/primary.env"); }
  std::string data() const { return absl::StrCat(folder_, "/data"); }

  std::string folder_;
  std::string bin_;
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

  StopStandby();
  load = Until(monitor, [](const v1::Load& l) { return l.workers() == 0; });
  EXPECT_THAT(load.reason(), HasSubstr("standby \"crm_standby\" was there a moment ago and is not now"));
  {
    // Its slot still knows what it misses, whoever asks.
    const LoadMonitor slots(Options({{"slot_lag_bytes", 100'000}}));
    Write();
    load = Until(slots, [](const v1::Load& l) { return l.workers() == 0; });
    EXPECT_THAT(load.reason(), HasSubstr("slot_lag_bytes (slot \"crm_slot\") is "));
  }
  StartStandby();
  Until(monitor, [](const v1::Load& l) { return l.workers() > 0; });
}

}  // namespace
}  // namespace curlew::agent
