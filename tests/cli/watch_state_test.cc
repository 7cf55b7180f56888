#include "cli/watch_state.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::Eq;
using ::testing::Optional;
using Applied = WatchState::Applied;

TEST(WatchStateTest, TakesEachEventOnceAndInOrder) {
  WatchState state(0);
  EXPECT_EQ(state.Apply(EventMessage(1)), Applied::kNew);
  EXPECT_EQ(state.Apply(EventMessage(2)), Applied::kNew);
  EXPECT_EQ(state.Apply(EventMessage(2)), Applied::kRepeated);
  EXPECT_EQ(state.Apply(EventMessage(1)), Applied::kRepeated);
  EXPECT_EQ(state.Apply(EventMessage(4)), Applied::kGap);
  EXPECT_EQ(state.last_event(), 2);
}

TEST(WatchStateTest, GoesOnAfterTheEventsThatWereSeenBefore) {
  WatchState state(7);
  EXPECT_EQ(state.Apply(EventMessage(7)), Applied::kRepeated);
  EXPECT_EQ(state.Apply(EventMessage(8)), Applied::kNew);
}

TEST(WatchStateTest, EndsOnlyWhenEveryEventWasSeen) {
  WatchState state(0);
  state.Apply(RolloutMessage(2, "state: ROLLOUT_STATE_SUCCEEDED"));
  EXPECT_THAT(state.Outcome(WatchGoal::kEnd), Eq(std::nullopt));
  state.Apply(EventMessage(1));
  EXPECT_THAT(state.Outcome(WatchGoal::kEnd), Eq(std::nullopt));
  state.Apply(EventMessage(2));
  EXPECT_THAT(state.Outcome(WatchGoal::kEnd), Optional(ExitCode::kOk));
}

TEST(WatchStateTest, OutcomesFollowStateAndGoal) {
  const auto outcome = [](const std::string& rollout, WatchGoal goal) {
    WatchState state(5);
    state.Apply(RolloutMessage(5, rollout));
    return state.Outcome(goal);
  };
  const std::string gate = "state: ROLLOUT_STATE_RUNNING waiting { cause: WAIT_CAUSE_APPROVAL gate: 'g' }";
  const std::string soak = "state: ROLLOUT_STATE_RUNNING waiting { cause: WAIT_CAUSE_SOAK }";
  EXPECT_THAT(outcome(gate, WatchGoal::kGate), Optional(ExitCode::kOk));
  EXPECT_THAT(outcome(gate, WatchGoal::kEnd), Eq(std::nullopt));
  EXPECT_THAT(outcome(soak, WatchGoal::kGate), Eq(std::nullopt));
  for (WatchGoal goal : {WatchGoal::kEnd, WatchGoal::kGate, WatchGoal::kUndone}) {
    EXPECT_THAT(outcome("state: ROLLOUT_STATE_FAILED", goal), Optional(ExitCode::kRolloutFailed));
    EXPECT_THAT(outcome("state: ROLLOUT_STATE_ABORTED", goal), Optional(ExitCode::kRolloutAborted));
    EXPECT_THAT(outcome("state: ROLLOUT_STATE_SUCCEEDED", goal), Optional(ExitCode::kOk));
    EXPECT_THAT(outcome("state: ROLLOUT_STATE_PAUSED", goal), Eq(std::nullopt));
    EXPECT_THAT(outcome("state: ROLLOUT_STATE_ROLLING_BACK", goal), Eq(std::nullopt));
  }
  EXPECT_THAT(outcome("state: ROLLOUT_STATE_ROLLED_BACK", WatchGoal::kEnd),
              Optional(ExitCode::kRolloutUndone));
  EXPECT_THAT(outcome("state: ROLLOUT_STATE_ROLLED_BACK", WatchGoal::kUndone), Optional(ExitCode::kOk));
}

TEST(WatchStateTest, ADecisionIsAnApprovalOrAPause) {
  const auto state_of = [](const std::string& rollout) {
    WatchState state(5);
    state.Apply(RolloutMessage(5, rollout));
    return state;
  };
  const WatchState gate =
      state_of("state: ROLLOUT_STATE_RUNNING waiting { cause: WAIT_CAUSE_APPROVAL gate: 'g' }");
  const WatchState paused = state_of("state: ROLLOUT_STATE_PAUSED");
  const WatchState window = state_of("state: ROLLOUT_STATE_RUNNING waiting { cause: WAIT_CAUSE_WINDOW }");
  EXPECT_THAT(gate.Outcome(WatchGoal::kDecision), Optional(ExitCode::kNeedsDecision));
  EXPECT_THAT(paused.Outcome(WatchGoal::kDecision), Optional(ExitCode::kNeedsDecision));
  EXPECT_THAT(window.Outcome(WatchGoal::kDecision), Eq(std::nullopt));
  EXPECT_THAT(state_of("state: ROLLOUT_STATE_FAILED").Outcome(WatchGoal::kDecision),
              Optional(ExitCode::kRolloutFailed));
  EXPECT_EQ(gate.OutcomeAtTimeout(), ExitCode::kNeedsDecision);
  EXPECT_EQ(paused.OutcomeAtTimeout(), ExitCode::kNeedsDecision);
  EXPECT_EQ(window.OutcomeAtTimeout(), ExitCode::kWaitedTooLong);
}

TEST(WatchStateTest, ForgetsProgressOfAStepThatEnded) {
  WatchState state(0);
  state.Apply(ProgressMessage("target: 'a' attempt: 1 fraction: 0.5"));
  EXPECT_EQ(state.progress().count("a"), 1u);
  state.Apply(EventMessage(1, "type: EVENT_TYPE_STEP_SUCCEEDED target: 'a'"));
  EXPECT_EQ(state.progress().count("a"), 0u);
}

TEST(WatchStateTest, KeepsProgressThatIsAheadOfTheRollout) {
  const std::string run = R"(runs { target: "a" last_attempt: 2 steps { key: "s" state: STEP_STATE_ACTIVE
                             attempt { number: 2 } } })";
  WatchState state(0);
  state.Apply(ProgressMessage("target: 'a' attempt: 3"));
  state.Apply(RolloutMessage(0, run));
  EXPECT_EQ(state.progress().count("a"), 1u);
  state.Apply(ProgressMessage("target: 'a' attempt: 1"));
  state.Apply(RolloutMessage(0, run));
  EXPECT_EQ(state.progress().count("a"), 0u);
}

TEST(WatchStateTest, LeavesOutMessagesOfANewerKind) {
  WatchState state(0);
  EXPECT_EQ(state.Apply(v1::WatchRolloutResponse()), Applied::kRepeated);
}

}  // namespace
}  // namespace curlew::cli
