#include "cli/watch_lines.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

const absl::Time kStart = absl::FromUnixSeconds(1'000'000'000);

ViewOptions View(absl::Time now, int width = 0) { return {{}, absl::UTCTimeZone(), now, width}; }

// Feeds messages to a state and a plain view, all at one time.
class PlainWatchTest : public ::testing::Test {
 protected:
  std::string Feed(const v1::WatchRolloutResponse& message, absl::Time now) {
    state_.Apply(message);
    return plain_.OnMessage(message, state_, View(now));
  }
  std::string Tick(absl::Time now) { return plain_.OnTick(state_, View(now)); }

  WatchState state_{0};
  PlainWatch plain_;
};

TEST_F(PlainWatchTest, PrintsEachEventInALineOfItsOwn) {
  EXPECT_THAT(Feed(RolloutMessage(2, kTwoRuns), kStart), IsEmpty());
  EXPECT_EQ(
      Feed(EventMessage(1, "time { seconds: 1000000001 } message: 'rollout created' actor: 'ann'"), kStart),
      "01:46:41  -               -           rollout created (by ann)\n");
  EXPECT_EQ(Feed(EventMessage(2,
                              "time { seconds: 1000000002 } target: 'staging-crm' phase: PHASE_ADD message: "
                              "'add-1 began'"),
                 kStart),
            "01:46:42  staging-crm     ADD         add-1 began\n");
}

TEST_F(PlainWatchTest, PrintsProgressEveryTwoSecondsAtMost) {
  Feed(RolloutMessage(0, kTwoRuns), kStart);
  EXPECT_EQ(
      Feed(ProgressMessage(kHalfWay), kStart),
      "01:46:40  staging-crm     BACKFILL    backfill-1: 42%, 42,000 of about 100,000 rows, 21,000 rows/s, "
      "ETA 3s, throttled 10%\n");
  EXPECT_THAT(Feed(ProgressMessage(kHalfWay), kStart + absl::Seconds(1)), IsEmpty());
  EXPECT_THAT(Tick(kStart + absl::Milliseconds(1999)), IsEmpty());
  EXPECT_THAT(Tick(kStart + absl::Seconds(2)),
              HasSubstr("01:46:42  staging-crm     BACKFILL    backfill-1: 42%"));
  EXPECT_THAT(Tick(kStart + absl::Seconds(9)), IsEmpty()) << "nothing new has come";
}

TEST_F(PlainWatchTest, LeavesOutProgressThatSaysNothingOrIsOver) {
  Feed(RolloutMessage(0, kTwoRuns), kStart);
  EXPECT_THAT(Feed(ProgressMessage("target: 'staging-crm' step: 'backfill-1' attempt: 5"), kStart),
              IsEmpty());
  Feed(ProgressMessage(kHalfWay), kStart);
  Feed(ProgressMessage(kHalfWay), kStart);
  EXPECT_EQ(Feed(EventMessage(1, "type: EVENT_TYPE_STEP_SUCCEEDED target: 'staging-crm'"), kStart),
            "00:00:00  staging-crm     -           event 1\n");
  EXPECT_THAT(Tick(kStart + absl::Seconds(5)), IsEmpty());
}

// One worker that waits for its replicas.
constexpr char kWalk[] = R"pb(
  blocks_done: 4096
  blocks_total: 12288
  workers {
    place: "public.contacts: blocks 4096 to 4160"
    batch_rows: 3200
    batch_duration { nanos: 48000000 }
  }
  load { utilisation: 0.82 signal: "replica_lag_ms" value: 410.4 limit: 500 workers: 1 }
  parts_aside: 1
  rows_quarantined: 3)pb";

TEST_F(PlainWatchTest, SaysWhatAWalkIsBoundByAndWhatItPassedOver) {
  Feed(RolloutMessage(0, kTwoRuns), kStart);
  EXPECT_EQ(Feed(ProgressMessage(absl::StrCat(kHalfWay, kWalk)), kStart),
            "01:46:40  staging-crm     BACKFILL    backfill-1: 42%, 42,000 of about 100,000 rows, 21,000 "
            "rows/s, ETA 3s, throttled 10%, 4,096 of 12,288 blocks, 1 worker, batch of 3,200 rows in 48ms, "
            "replica_lag_ms 410 of 500 (82%), 1 part aside, rows locked, 3 rows quarantined\n");
}

TEST_F(PlainWatchTest, SaysNothingOfALoadThatCostsNoWorker) {
  Feed(RolloutMessage(0, kTwoRuns), kStart);
  EXPECT_THAT(
      Feed(ProgressMessage(absl::StrCat(
               kHalfWay, " load { utilisation: 0.2 signal: 'replica_lag_ms' reason: 'adds a worker' }")),
           kStart),
      Not(HasSubstr("adds a worker")));
}

TEST_F(PlainWatchTest, TheLongerAStepTakesTheCalmerItGets) {
  Feed(RolloutMessage(0, kTwoRuns), kStart);
  int lines = 0;
  for (int second = 0; second < 3600; ++second) {
    lines += Feed(ProgressMessage(kHalfWay), kStart + absl::Seconds(second)).empty() ? 0 : 1;
  }
  EXPECT_GT(lines, 50);
  EXPECT_LT(lines, 100);
  EXPECT_THAT(Feed(ProgressMessage(absl::StrCat(
                       kHalfWay, " waiting { cause: WAIT_CAUSE_THROTTLE message: 'replicas lag' }")),
                   kStart + absl::Seconds(3602)),
              HasSubstr("waits for throttle: replicas lag"))
      << "that it pauses is said at once";
}

TEST_F(PlainWatchTest, SaysWhomAStepWaitsFor) {
  Feed(RolloutMessage(0, kTwoRuns), kStart);
  EXPECT_THAT(Feed(ProgressMessage(
                       R"pb(target: "staging-crm"
                            step: "add-1"
                            attempt: 5
                            phase: PHASE_ADD
                            waiting { cause: WAIT_CAUSE_LOCK message: "held by pid 123 (psql, app)" })pb"),
                   kStart),
              HasSubstr("add-1: waits for lock: held by pid 123 (psql, app)\n"));
}

TEST_F(PlainWatchTest, SaysOnceWhatTheRolloutWaitsForAndHowToOpenIt) {
  const std::string waiting =
      R"pb(state: ROLLOUT_STATE_RUNNING
           waiting { cause: WAIT_CAUSE_APPROVAL message: "1 approval" gate: "staging/before-drop" })pb";
  EXPECT_EQ(Feed(RolloutMessage(0, waiting), kStart),
            "01:46:40  -  -           waits for approval: 1 approval\n"
            "          to open it: curlew rollout approve r1 --gate staging/before-drop\n");
  EXPECT_THAT(Feed(RolloutMessage(0, waiting), kStart + absl::Minutes(1)), IsEmpty());
  EXPECT_THAT(Feed(RolloutMessage(0, "state: ROLLOUT_STATE_RUNNING"), kStart), IsEmpty());
  EXPECT_THAT(Feed(RolloutMessage(0, waiting), kStart), HasSubstr("waits for approval")) << "it waits again";
}

TEST_F(PlainWatchTest, SaysNothingTwiceInALine) {
  Feed(RolloutMessage(2, "state: ROLLOUT_STATE_RUNNING"), kStart);
  EXPECT_EQ(Feed(EventMessage(1, "target: 'a' message: 'a: add-1 started'"), kStart),
            "00:00:00  a  -           add-1 started\n");
  EXPECT_EQ(Feed(EventMessage(2, "message: 'started by ann' actor: 'ann'"), kStart),
            "00:00:00  -  -           started by ann\n");
  EXPECT_THAT(Feed(RolloutMessage(2, R"pb(waiting {
                                            cause: WAIT_CAUSE_APPROVAL
                                            gate: "g"
                                            message: "one more: curlew rollout approve r1 --gate g"
                                          })pb"),
                   kStart),
              Not(HasSubstr("to open it")));
}

TEST_F(PlainWatchTest, WaitsStandAfterTheEventsThatLedToThem) {
  EXPECT_THAT(Feed(RolloutMessage(1, "waiting { cause: WAIT_CAUSE_SOAK }"), kStart), IsEmpty());
  EXPECT_THAT(Feed(EventMessage(1), kStart), HasSubstr("event 1\n01:46:40  -  -           waits for soak\n"));
}

TEST_F(PlainWatchTest, ForeignTextCannotSteerTheTerminal) {
  Feed(RolloutMessage(1, kTwoRuns), kStart);
  EXPECT_THAT(Feed(EventMessage(1, R"pb(message: "\033[2J\nx")pb"), kStart),
              AllOf(Not(HasSubstr("\033")), HasSubstr("?[2J x\n")));
}

}  // namespace
}  // namespace curlew::cli
