#include "agent/guard/replica_lag.h"

#include <gtest/gtest.h>

namespace curlew::agent {
namespace {

// What one tracker sees, a look each second.
class ReplicaLagTest : public ::testing::Test {
 protected:
  ReplicaLag Look(double flushed, const std::vector<Standby>& standbys) {
    now_ += absl::Seconds(1);
    return tracker_.Look(now_, flushed, standbys);
  }
  ReplicaLagTracker tracker_;
  absl::Time now_ = absl::UnixEpoch();
};

TEST_F(ReplicaLagTest, AStandbyThatHasReplayedAllHasNoLagWhateverWasMeasuredOnce) {
  const ReplicaLag lag = Look(100, {{.name = "a", .replayed = 100, .measured = absl::Seconds(9)}});
  EXPECT_TRUE(lag.any);
  EXPECT_EQ(lag.time, absl::ZeroDuration());
  EXPECT_EQ(lag.bytes, 0);
}

TEST_F(ReplicaLagTest, AStandbyThatSaysNothingAnyMoreIsSeenByTheWalThatItLacks) {
  Look(100, {{.name = "a", .replayed = 100}});
  Look(200, {{.name = "a", .replayed = 100}});
  Look(300, {{.name = "a", .replayed = 100}});
  const ReplicaLag lag = Look(400, {{.name = "a", .replayed = 100, .measured = absl::Milliseconds(3)}});
  EXPECT_EQ(lag.time, absl::Seconds(2));
  EXPECT_EQ(lag.bytes, 300);
}

TEST_F(ReplicaLagTest, AnOldMeasurementDoesNotCountWhereTheLooksKnowBetter) {
  for (int i = 0; i < 5; ++i) Look(100, {{.name = "a", .replayed = 100, .measured = absl::Seconds(9)}});
  EXPECT_EQ(Look(101, {{.name = "a", .replayed = 100, .measured = absl::Seconds(9)}}).time,
            absl::ZeroDuration());
}

TEST_F(ReplicaLagTest, WhatIsOlderThanAllLooksIsTheServersToSay) {
  const ReplicaLag lag = Look(100, {{.name = "a", .replayed = 10, .measured = absl::Seconds(9)}});
  EXPECT_EQ(lag.time, absl::Seconds(9));
  EXPECT_EQ(Look(110, {{.name = "a", .replayed = 10}}).time, absl::Seconds(1));
}

TEST_F(ReplicaLagTest, TheSlowestStandbyCounts) {
  Look(100, {{.name = "a", .replayed = 100}, {.name = "b", .replayed = 100}});
  Look(200, {{.name = "a", .replayed = 200}, {.name = "b", .replayed = 100}});
  const ReplicaLag lag = Look(300, {{.name = "a", .replayed = 250}, {.name = "b", .replayed = 100}});
  EXPECT_EQ(lag.slowest_in_time, "b");
  EXPECT_EQ(lag.slowest_in_bytes, "b");
  EXPECT_EQ(lag.bytes, 200);
}

TEST_F(ReplicaLagTest, AStandbyThatVanishesIsMissedForAWhileAndThenGivenUp) {
  Look(100, {{.name = "a", .replayed = 100}, {.name = "b", .replayed = 100}});
  EXPECT_EQ(Look(200, {{.name = "b", .replayed = 200}}).missing, "a");
  EXPECT_EQ(Look(200, {{.name = "b", .replayed = 200}}).missing, "a");
  now_ += ReplicaLagTracker::kGrace;
  EXPECT_EQ(Look(200, {{.name = "b", .replayed = 200}}).missing, "");
  EXPECT_EQ(Look(200, {{.name = "b", .replayed = 200}}).missing, "");
}

TEST_F(ReplicaLagTest, AStandbyThatIsBackIsNotMissed) {
  Look(100, {{.name = "a", .replayed = 100}});
  EXPECT_EQ(Look(200, {}).missing, "a");
  EXPECT_EQ(Look(200, {{.name = "a", .replayed = 100}}).missing, "");
}

TEST_F(ReplicaLagTest, OneOfSeveralWithOneNameIsMissedToo) {
  Look(100, {{.name = "walreceiver", .replayed = 100}, {.name = "walreceiver", .replayed = 100}});
  EXPECT_EQ(Look(200, {{.name = "walreceiver", .replayed = 200}}).missing, "walreceiver");
  now_ += ReplicaLagTracker::kGrace;
  EXPECT_EQ(Look(200, {{.name = "walreceiver", .replayed = 200}}).missing, "");
}

TEST_F(ReplicaLagTest, TellsTheRateOfTheWal) {
  EXPECT_EQ(tracker_.BytesPerSecond(), 0);
  Look(100, {});
  Look(100, {});
  Look(350, {});
  EXPECT_EQ(tracker_.BytesPerSecond(), 250);
}

}  // namespace
}  // namespace curlew::agent
