#include "cli/watch_view.h"

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

constexpr char kTwoRuns[] = R"(
  state: ROLLOUT_STATE_RUNNING create_time { seconds: 1000000000 }
  runs { target: "staging-crm" environment: "environments/staging" state: RUN_STATE_RUNNING last_attempt: 5
         steps { key: "add-1" phase: PHASE_ADD state: STEP_STATE_SUCCEEDED }
         steps { key: "backfill-1" phase: PHASE_BACKFILL state: STEP_STATE_ACTIVE
                 attempt { number: 5 direction: DIRECTION_DO } }
         steps { key: "drop-1" phase: PHASE_DROP state: STEP_STATE_PENDING } }
  runs { target: "production-crm" environment: "environments/production" state: RUN_STATE_PENDING })";

constexpr char kHalfWay[] = R"(
  target: "staging-crm" step: "backfill-1" attempt: 5 phase: PHASE_BACKFILL rows_done: 42000 rows_total: 100000
  fraction: 0.42 rows_per_second: 21000 eta { seconds: 3 } throttle: 0.1)";

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

TEST_F(PlainWatchTest, SaysWhomAStepWaitsFor) {
  Feed(RolloutMessage(0, kTwoRuns), kStart);
  EXPECT_THAT(Feed(ProgressMessage(R"(target: "staging-crm" step: "add-1" attempt: 5 phase: PHASE_ADD
                     waiting { cause: WAIT_CAUSE_LOCK message: "held by pid 123 (psql, app)"
})"),
                   kStart),
              HasSubstr("add-1: waits for lock: held by pid 123 (psql, app)\n"));
}

TEST_F(PlainWatchTest, SaysOnceWhatTheRolloutWaitsForAndHowToOpenIt) {
  const std::string waiting = R"(state: ROLLOUT_STATE_RUNNING
      waiting { cause: WAIT_CAUSE_APPROVAL message: "1 approval" gate: "staging/before-drop" })";
  EXPECT_EQ(Feed(RolloutMessage(0, waiting), kStart),
            "01:46:40  -  -           waits for approval: 1 approval\n"
            "          to open it: curlew rollout approve r1 --gate staging/before-drop\n");
  EXPECT_THAT(Feed(RolloutMessage(0, waiting), kStart + absl::Minutes(1)), IsEmpty());
  EXPECT_THAT(Feed(RolloutMessage(0, "state: ROLLOUT_STATE_RUNNING"), kStart), IsEmpty());
  EXPECT_THAT(Feed(RolloutMessage(0, waiting), kStart), HasSubstr("waits for approval")) << "it waits again";
}

TEST_F(PlainWatchTest, WaitsStandAfterTheEventsThatLedToThem) {
  EXPECT_THAT(Feed(RolloutMessage(1, "waiting { cause: WAIT_CAUSE_SOAK }"), kStart), IsEmpty());
  EXPECT_THAT(Feed(EventMessage(1), kStart), HasSubstr("event 1\n01:46:40  -  -           waits for soak\n"));
}

TEST_F(PlainWatchTest, ForeignTextCannotSteerTheTerminal) {
  Feed(RolloutMessage(1, kTwoRuns), kStart);
  EXPECT_THAT(Feed(EventMessage(1, R"(message: "\033[2J\nx")"), kStart),
              AllOf(Not(HasSubstr("\033")), HasSubstr("?[2J x\n")));
}

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
      "staging     staging-crm     BACKFILL    2/3 backfill-1  [###########................]  42%  21,000 "
      "rows/s  ETA 3s  throttled 10%\n"
      "production  production-crm  -           PENDING         [............................]   0%");
}

TEST_F(WatchFrameTest, NoLineIsWiderThanTheScreen) {
  state_.Apply(RolloutMessage(
      0, absl::StrCat(kTwoRuns, R"(waiting { cause: WAIT_CAUSE_APPROVAL gate: "production/before-drop"
                                             message: "one approval of somebody who may give it" })")));
  state_.Apply(ProgressMessage(absl::StrCat(
      kHalfWay,
      R"(waiting { cause: WAIT_CAUSE_LOCK message: "held by pid 4242 (an application), idle in transaction" })")));
  for (int width : {20, 40, 60, 80, 100, 200}) {
    const std::vector<std::string> lines = WatchFrame(state_, 24, View(kStart, width));
    EXPECT_THAT(lines, Each(ResultOf([](const std::string& line) { return DisplayWidth(line); },
                                     ::testing::Le(width))))
        << width;
  }
  EXPECT_THAT(Frame(200),
              HasSubstr("waits for lock: held by pid 4242 (an application), idle in transaction"));
}

TEST_F(WatchFrameTest, TheCommandThatOpensAGateStandsThereWhole) {
  state_.Apply(RolloutMessage(0, R"(waiting { cause: WAIT_CAUSE_APPROVAL gate: "production/before-drop" })"));
  EXPECT_THAT(Frame(60),
              HasSubstr("  to open it: curlew rollout approve r1 --gate\n  production/before-drop"));
  EXPECT_THAT(Frame(120), HasSubstr("  to open it: curlew rollout approve r1 --gate production/before-drop"));
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
  state_.Apply(RolloutMessage(0, R"(
    state: ROLLOUT_STATE_ROLLING_BACK
    runs { target: "a" state: RUN_STATE_ROLLING_BACK
           steps { key: "add-1" phase: PHASE_ADD state: STEP_STATE_ACTIVE attempt { direction: DIRECTION_UNDO } } }
    runs { target: "b" state: RUN_STATE_FAILED steps { key: "add-1" phase: PHASE_ADD state: STEP_STATE_FAILED } })"));
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
