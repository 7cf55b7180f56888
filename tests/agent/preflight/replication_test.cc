// With a standby that really streams: a primary and a standby of this test's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "agent/preflight/preflight.h"
#include "tests/support/pg_test.h"
#include "tests/support/standby.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::PrimaryAndStandby;
using ::testing::HasSubstr;

class PreflightReplicationTest : public ::curlew::testing::PgTest {
 protected:
  std::string Look(const std::string& code) {
    const auto connection = Connect(servers_->primary());
    const auto preflight = LookAtTarget(connection.get(), {}, options_, CancelToken());
    EXPECT_TRUE(preflight.ok()) << preflight.status();
    std::string all;
    if (!preflight.ok()) return all;
    for (const v1::PreflightFinding& finding : preflight->findings()) {
      EXPECT_NE(finding.severity(), v1::PREFLIGHT_SEVERITY_ERROR) << finding.DebugString();
      if (finding.code() == code) all += finding.message() + "\n";
    }
    return all;
  }
  std::unique_ptr<PrimaryAndStandby> servers_;
  PreflightOptions options_{.target = "crm"};
};

TEST_F(PreflightReplicationTest, TellsOfStandbysThatAreBehindAndOfTheirSlots) {
  ASSERT_OK_AND_ASSIGN(servers_, PrimaryAndStandby::Start());
  EXPECT_EQ(Look("replication-lag"), "");
  EXPECT_EQ(Look("replication-slots"), "");
  Query(servers_->standby(), "SELECT pg_wal_replay_pause()");
  options_.limits.lag_bytes = 100'000;
  options_.limits.slot_bytes = 100'000;
  Query(servers_->primary(),
        "CREATE TABLE t (v text); INSERT INTO t SELECT repeat('x', 1000) FROM generate_series(1, 1000)");
  EXPECT_THAT(Look("replication-lag"), HasSubstr("standby \"crm_standby\" at a socket (streaming) is 1"));
  ASSERT_OK(servers_->StopStandby());
  EXPECT_EQ(Look("replication-lag"), "");
  EXPECT_THAT(Look("replication-slots"), HasSubstr("replication slot crm_slot is not in use: it keeps "));
}

}  // namespace
}  // namespace curlew::agent
