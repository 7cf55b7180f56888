#include "cli/watch_frame.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::ResultOf;
using ::testing::SizeIs;

const absl::Time kStart = absl::FromUnixSeconds(1'000'000'000);

ViewOptions View(absl::Time now, int width = 0) { return {{}, absl::UTCTimeZone(), now, width}; }

class WatchFrameTest : public ::testing::Test {
 protected:
  std::string Frame(int width, int height = 24) {
    return absl::StrJoin(WatchFrame(state_, height, View(kStart + absl::Seconds(65), width)), "\n");
  }

  WatchState state_{0};
};

TEST_F(WatchFrameTest, HasALineForEachTargetWithPhaseStepBarAndRates) {
  state_.Apply(RolloutMessage(0, kTwoRuns));
  state_.Apply(ProgressMessage(kHalfWay));
  EXPECT_EQ(
      Frame(150),
      "r1  RUNNING  1m05s\n"
      "staging     staging-crm     BACKFILL    2/3 backfill-1  [###########.................]  42%  21,000 "
      "rows/s  ETA 3s  throttled 10%\n"
      "production  production-crm  -           PENDING         [............................]   0%");
}

TEST_F(WatchFrameTest, NoLineIsWiderThanTheScreen) {
  state_.Apply(
      RolloutMessage(0, absl::StrCat(kTwoRuns, " ", R"pb(waiting {
                                                           cause: WAIT_CAUSE_APPROVAL
                                                           gate: "production/before-drop"
                                                           message: "one approval of somebody who may give it"
                                                         })pb")));
  state_.Apply(ProgressMessage(
      absl::StrCat(kHalfWay, " ", R"pb(waiting {
                                         cause: WAIT_CAUSE_LOCK
                                         message: "held by pid 4242 (an application), idle in transaction"
                                       })pb")));
  for (int width : {20, 40, 60, 80, 100, 250}) {
    const std::vector<std::string> lines = WatchFrame(state_, 24, View(kStart, width));
    EXPECT_THAT(lines, Each(ResultOf([](const std::string& line) { return DisplayWidth(line); },
                                     ::testing::Le(width))))
        << width;
  }
}

TEST_F(WatchFrameTest, SaysBelowATargetWhatItWaitsFor) {
  state_.Apply(RolloutMessage(0, kTwoRuns));
  state_.Apply(ProgressMessage(R"pb(
    target: "staging-crm"
    step: "backfill-1"
    attempt: 5
    waiting { cause: WAIT_CAUSE_LOCK message: "held by pid 4242 (psql, app)" })pb"));
  EXPECT_THAT(Frame(80), HasSubstr("  0%\n    waits for lock: held by pid 4242 (psql, app)\n"));
}

TEST_F(WatchFrameTest, TheWayOutOfAWaitStandsThereWhole) {
  state_.Apply(RolloutMessage(0, kTwoRuns));
  std::string sessions;
  for (int i = 0; i < 100; ++i) absl::StrAppend(&sessions, " app (pid ", i, ");");
  state_.Apply(ProgressMessage(absl::StrCat(
      "target: 'staging-crm' step: 'drop-1' attempt: 5 waiting { cause: WAIT_CAUSE_SESSIONS message: \"the "
      "old "
      "shape is used: end these sessions, or `curlew rollout override r1 --target staging-crm --reason ...`:",
      sessions, "\" }")));
  const std::vector<std::string> lines = WatchFrame(state_, 24, View(kStart, 60));
  ASSERT_THAT(lines, SizeIs(6));
  EXPECT_EQ(lines[2], "    waits for sessions: the old shape is used: end these");
  EXPECT_EQ(lines[3], "    sessions, or `curlew rollout override r1 --target");
  EXPECT_THAT(lines[4], HasSubstr("staging-crm --reason ...`: app (pid 0)"));
  EXPECT_EQ(DisplayWidth(lines[4]), 60) << "cut there";
}

constexpr char kWalk[] = R"pb(
  blocks_done: 4096
  blocks_total: 12288
  workers {
    place: "public.contacts: blocks 4096 to 4160"
    batch_rows: 3200
    batch_duration { nanos: 48000000 }
  }
  workers {
    place: "public.contacts: blocks 4160 to 4224"
    batch_rows: 3100
    batch_duration { nanos: 61000000 }
  }
  load {
    utilisation: 1.04
    signal: "replica_lag_ms"
    value: 520
    limit: 500
    reason: "replica_lag_ms is 520, limit 500: pauses"
  }
  rows_quarantined: 1)pb";

TEST_F(WatchFrameTest, SaysBelowATargetHowItsWalkGoes) {
  state_.Apply(RolloutMessage(0, kTwoRuns));
  state_.Apply(ProgressMessage(absl::StrCat(kHalfWay, kWalk)));
  EXPECT_THAT(Frame(150), HasSubstr("throttled 10%\n"
                                    "    4,096 of 12,288 blocks, 2 workers, batch of 3,100 rows in 61ms, "
                                    "replica_lag_ms is 520, limit 500: pauses, 1 row quarantined\n"
                                    "production"));
  for (int width : {20, 40, 60, 80, 100}) {
    for (const std::string& line : WatchFrame(state_, 24, View(kStart, width))) {
      EXPECT_LE(DisplayWidth(line), width);
    }
  }
  EXPECT_THAT(Frame(150, 3), Not(HasSubstr("blocks"))) << "targets go first where there is little room";
}

TEST_F(WatchFrameTest, LeavesOutTheEnvironmentWhereRoomIsScarce) {
  state_.Apply(RolloutMessage(0, kTwoRuns));
  state_.Apply(ProgressMessage(kHalfWay));
  EXPECT_THAT(Frame(80), AllOf(HasSubstr("\nstaging-crm     BACKFILL"), HasSubstr("  42%  21,000 rows/s")));
}

TEST_F(WatchFrameTest, TheCommandThatOpensAGateStandsThereWhole) {
  state_.Apply(
      RolloutMessage(0, R"pb(waiting { cause: WAIT_CAUSE_APPROVAL gate: "production/before-drop" })pb"));
  EXPECT_THAT(Frame(60),
              HasSubstr("  to open it: curlew rollout approve r1 --gate\n  production/before-drop"));
  EXPECT_THAT(Frame(120), HasSubstr("  to open it: curlew rollout approve r1 --gate production/before-drop"));
}

TEST_F(WatchFrameTest, OfAFleetItShowsTheWavesAndWhatFailedFirst) {
  std::string rollout = "state: ROLLOUT_STATE_RUNNING";
  std::string targets;
  for (int i = 0; i < 300; ++i) {
    absl::StrAppend(&targets, i == 0 ? "" : " ", "targets: 't", i, "'");
    absl::StrAppend(&rollout, " runs { target: 't", i, "' environment: 'environments/production' state: ",
                    i == 250 ? "RUN_STATE_FAILED" : "RUN_STATE_RUNNING", " }");
  }
  absl::StrAppend(&rollout,
                  " stages { environment: 'environments/staging' state: STAGE_STATE_DONE waves { name: "
                  "'all' } } stages { environment: 'environments/production' state: STAGE_STATE_RUNNING "
                  "waves { name: 'rest' state: WAVE_STATE_RUNNING ",
                  targets, " } }");
  state_.Apply(RolloutMessage(0, rollout));
  state_.Apply(ProgressMessage("target: 't200' step: 'backfill-1' fraction: 0.5"));
  EXPECT_THAT(WatchFrame(state_, 10, View(kStart, 100)), SizeIs(10));
  const std::string frame = Frame(100, 10);
  EXPECT_THAT(frame, HasSubstr("\n  production/rest           RUNNING        1 FAILED, 299 RUNNING\n"));
  EXPECT_THAT(frame, Not(HasSubstr("staging/all")));
  EXPECT_LT(frame.find("t250"), frame.find("t200")) << "what failed, then what is at work";
  EXPECT_LT(frame.find("t200"), frame.find("t0 "));
  EXPECT_THAT(frame, HasSubstr("targets more: curlew rollout show r1"));
}

TEST_F(WatchFrameTest, ShowsWorkingTargetsFirstWhereThereIsNoRoomForAll) {
  std::string rollout = "state: ROLLOUT_STATE_RUNNING";
  for (int i = 0; i < 50; ++i) {
    absl::StrAppend(&rollout, " runs { target: 't", i, "' state: RUN_STATE_RUNNING steps { key: 's' state: ",
                    i == 49 ? "STEP_STATE_ACTIVE" : "STEP_STATE_PENDING", " } }");
  }
  state_.Apply(RolloutMessage(0, rollout));
  EXPECT_THAT(WatchFrame(state_, 10, View(kStart, 100)), SizeIs(10));
  EXPECT_THAT(Frame(100, 10),
              AllOf(HasSubstr("t49 "), HasSubstr("and 42 targets more: curlew rollout show r1")));
}

TEST_F(WatchFrameTest, ShowsUndoAndFailure) {
  state_.Apply(RolloutMessage(0, R"pb(
    state: ROLLOUT_STATE_ROLLING_BACK
    runs {
      target: "a"
      state: RUN_STATE_ROLLING_BACK
      steps {
        key: "add-1"
        phase: PHASE_ADD
        state: STEP_STATE_ACTIVE
        attempt { direction: DIRECTION_UNDO }
      }
    }
    runs {
      target: "b"
      state: RUN_STATE_FAILED
      steps { key: "add-1" phase: PHASE_ADD state: STEP_STATE_FAILED }
    })pb"));
  EXPECT_THAT(Frame(100), AllOf(HasSubstr("1/1 undo add-1"), HasSubstr("FAILED")));
}

TEST_F(WatchFrameTest, IsEmptyUntilTheRolloutIsKnown) {
  EXPECT_THAT(WatchFrame(state_, 24, View(kStart, 80)), IsEmpty());
}

TEST(LiveRegionTest, ReplacesWhatItDrewBefore) {
  LiveRegion region;
  EXPECT_EQ(region.Redraw("", {"a", "b"}), "\r\033[Ja\nb\n");
  EXPECT_EQ(region.Redraw("event\n", {"c"}), "\033[2A\r\033[Jevent\nc\n");
  EXPECT_EQ(region.Redraw("", {}), "\033[1A\r\033[J");
}

}  // namespace
}  // namespace curlew::cli
