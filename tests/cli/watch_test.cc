#include "cli/watch.h"

#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/fake_controller.h"
#include "tests/cli/messages.h"
#include "tests/support/status_matchers.h"

namespace curlew::cli {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::Not;

const absl::Status kLost = absl::UnavailableError("connection reset");

class WatchTest : public ::testing::Test {
 protected:
  WatchTest() : context_(out_, err_) {
    context_.flags.controller = controller_.address();
    context_.flags.transport.plain_text = rpc::PlainText::kLoopbackOnly;
    context_.zone = absl::UTCTimeZone();
    options_.rollout = "rollouts/r1";
    options_.backoff = {absl::Milliseconds(1), absl::Milliseconds(5), 2.0};
  }

  // How often `text` stands in the output.
  int Count(const std::string& text) const {
    int count = 0;
    const std::string out = out_.str();
    for (size_t at = out.find(text); at != out.npos; at = out.find(text, at + 1)) ++count;
    return count;
  }

  FakeController controller_;
  std::ostringstream out_, err_;
  Context context_;
  WatchOptions options_;
};

TEST_F(WatchTest, ShowsEventsUntilTheRolloutHasEnded) {
  controller_.AddScript({{RolloutMessage(2,
                                         "state: ROLLOUT_STATE_SUCCEEDED create_time { seconds: 5 } "
                                         "end_time { seconds: 65 }"),
                          EventMessage(1), EventMessage(2)},
                         absl::OkStatus()});
  EXPECT_THAT(Watch(context_, options_), IsOkAndHolds(ExitCode::kOk));
  EXPECT_THAT(out_.str(), HasSubstr("event 1\n"));
  EXPECT_THAT(out_.str(), ::testing::EndsWith("event 2\nrollout r1 SUCCEEDED after 1m00s\n"));
  EXPECT_THAT(err_.str(), IsEmpty());
}

TEST_F(WatchTest, GoesOnAfterALostConnectionWithoutSkippingOrRepeating) {
  const std::string running = "state: ROLLOUT_STATE_RUNNING";
  controller_.AddScript({{RolloutMessage(2, running), EventMessage(1), EventMessage(2)}, kLost});
  // This controller repeats an event, and ends the stream without an error, as one that shuts down does.
  controller_.AddScript({{RolloutMessage(3, running), EventMessage(2), EventMessage(3)}, absl::OkStatus()});
  // Here one is missing: it must be asked for again.
  controller_.AddScript({{RolloutMessage(5, running), EventMessage(5)}, absl::OkStatus()});
  controller_.AddScript(
      {{RolloutMessage(5, "state: ROLLOUT_STATE_SUCCEEDED"), EventMessage(4), EventMessage(5)},
       absl::OkStatus()});
  EXPECT_THAT(Watch(context_, options_), IsOkAndHolds(ExitCode::kOk));
  EXPECT_THAT(controller_.watched_after(), ElementsAre(0, 2, 3, 3));
  size_t before = 0;
  for (int i = 1; i <= 5; ++i) {
    const std::string line = absl::StrCat("event ", i, "\n");
    EXPECT_EQ(Count(line), 1) << line;
    const size_t at = out_.str().find(line);
    EXPECT_GT(at, before) << "events stand in order";
    before = at;
  }
  EXPECT_THAT(err_.str(), HasSubstr("connection lost"));
  EXPECT_THAT(err_.str(), HasSubstr("trying again, from event 3"));
}

TEST_F(WatchTest, StopsAtAGateWhereAskedTo) {
  const auto at_gate =
      RolloutMessage(1, R"pb(state: ROLLOUT_STATE_RUNNING
                             waiting { cause: WAIT_CAUSE_APPROVAL gate: "staging/before-drop" })pb");
  controller_.AddScript({{at_gate, EventMessage(1)}, absl::OkStatus()});
  options_.goal = WatchGoal::kGate;
  EXPECT_THAT(Watch(context_, options_), IsOkAndHolds(ExitCode::kOk));
  EXPECT_THAT(out_.str(), HasSubstr("to open it: curlew rollout approve r1 --gate staging/before-drop\n"));
}

TEST_F(WatchTest, WhenTheTimeIsOverItSaysWhatIsMissing) {
  // The stream ends again and again: the controller goes on saying the same.
  controller_.AddScript({{RolloutMessage(1, R"pb(state: ROLLOUT_STATE_RUNNING
                                                 waiting {
                                                   cause: WAIT_CAUSE_APPROVAL
                                                   gate: "production/before"
                                                   message: "1 more approval"
                                                 })pb"),
                          EventMessage(1)},
                         absl::OkStatus()});
  options_.timeout = absl::Seconds(1);
  options_.print = WatchOptions::Print::kQuiet;
  EXPECT_THAT(Watch(context_, options_), IsOkAndHolds(ExitCode::kNeedsDecision));
  EXPECT_THAT(err_.str(),
              AllOf(HasSubstr("error: rollout r1 has not ended within 1s: it is RUNNING\n"
                              "  waits for approval: 1 more approval\n"),
                    HasSubstr("  what to do: curlew rollout approve r1 --gate production/before; to wait on: "
                              "curlew rollout watch r1\n")));
}

TEST_F(WatchTest, WhenTheTimeIsOverWhileItWorksTheStatusIsAnother) {
  controller_.AddScript(
      {{RolloutMessage(1, "state: ROLLOUT_STATE_RUNNING"), EventMessage(1)}, absl::OkStatus()});
  options_.timeout = absl::Seconds(1);
  EXPECT_THAT(Watch(context_, options_), IsOkAndHolds(ExitCode::kWaitedTooLong));
}

TEST_F(WatchTest, WhenTheTimeIsOverBeforeAnythingWasSeenTheControllerIsToBlame) {
  controller_.AddScript({{}, kLost});
  options_.timeout = absl::Nanoseconds(1);
  const auto code = Watch(context_, options_);
  EXPECT_THAT(code, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("said nothing of rollouts/r1")));
  EXPECT_EQ(ExitCodeOf(code.status()), ExitCode::kUnreachable);
}

TEST_F(WatchTest, ADecisionEndsTheWaitWhereAskedTo) {
  controller_.AddScript(
      {{RolloutMessage(1, "state: ROLLOUT_STATE_PAUSED reason: 'check errors fails'"), EventMessage(1)},
       absl::OkStatus()});
  options_.goal = WatchGoal::kDecision;
  EXPECT_THAT(Watch(context_, options_), IsOkAndHolds(ExitCode::kNeedsDecision));
  EXPECT_THAT(err_.str(), HasSubstr("error: rollout r1 needs a decision: it is PAUSED: check errors fails\n"
                                    "  what to do: curlew rollout resume r1; to wait on"));
}

TEST_F(WatchTest, AFailureIsExplainedOnTheErrorStream) {
  controller_.AddScript(
      {{RolloutMessage(0, R"pb(state: ROLLOUT_STATE_FAILED
                               reason: "staging-crm failed"
                               runs {
                                 target: "staging-crm"
                                 error { message: "numbers collide" row_keys: "contacts (id)=(42)" }
                               })pb")},
       absl::OkStatus()});
  EXPECT_THAT(Watch(context_, options_), IsOkAndHolds(ExitCode::kRolloutFailed));
  EXPECT_THAT(err_.str(), HasSubstr("contacts (id)=(42)"));
  EXPECT_THAT(err_.str(), HasSubstr("curlew rollout retry r1"));
}

TEST_F(WatchTest, ARollbackThatWasAskedForIsASuccess) {
  controller_.AddScript({{RolloutMessage(0, "state: ROLLOUT_STATE_ROLLED_BACK")}, absl::OkStatus()});
  EXPECT_THAT(Watch(context_, options_), IsOkAndHolds(ExitCode::kRolloutUndone));
  EXPECT_THAT(err_.str(), HasSubstr("error: rollout r1 was rolled back"));
  err_.str("");
  options_.goal = WatchGoal::kUndone;
  EXPECT_THAT(Watch(context_, options_), IsOkAndHolds(ExitCode::kOk));
  EXPECT_THAT(err_.str(), IsEmpty());
  EXPECT_THAT(out_.str(), ::testing::EndsWith("rollout r1 ROLLED_BACK\n"));
}

TEST_F(WatchTest, AnErrorThatAnotherTryCannotMendEndsIt) {
  controller_.AddScript({{RolloutMessage(1, "state: ROLLOUT_STATE_RUNNING"), EventMessage(1)}, kLost});
  controller_.AddScript({{}, absl::NotFoundError("no rollout r1")});
  EXPECT_THAT(Watch(context_, options_), StatusIs(absl::StatusCode::kNotFound));
}

TEST_F(WatchTest, AFirstConnectionThatFailsEndsIt) {
  context_.flags.controller = "127.0.0.1:1";
  const auto code = Watch(context_, options_);
  EXPECT_THAT(code, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(ExitCodeOf(code.status()), ExitCode::kUnreachable);
}

TEST_F(WatchTest, GivesUpWhenNothingComesBack) {
  controller_.AddScript({{RolloutMessage(1, "state: ROLLOUT_STATE_RUNNING"), EventMessage(1)}, kLost});
  controller_.AddScript({{}, kLost});
  options_.give_up_after = absl::Milliseconds(50);
  const auto code = Watch(context_, options_);
  EXPECT_THAT(code, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("gave up after 50ms")));
  EXPECT_EQ(ExitCodeOf(code.status()), ExitCode::kUnreachable);
  EXPECT_THAT(err_.str(), Not(MatchesRegex(".*lost.*lost.*"))) << "one outage is told once";
}

TEST_F(WatchTest, PrintsMessagesAsLinesOfJson) {
  controller_.AddScript(
      {{RolloutMessage(1, "state: ROLLOUT_STATE_SUCCEEDED"), EventMessage(1)}, absl::OkStatus()});
  options_.print = WatchOptions::Print::kJson;
  EXPECT_THAT(Watch(context_, options_), IsOkAndHolds(ExitCode::kOk));
  EXPECT_EQ(
      out_.str(),
      "{\"rollout\":{\"name\":\"rollouts/r1\",\"state\":\"ROLLOUT_STATE_SUCCEEDED\",\"last_event\":\"1\"}}\n"
      "{\"event\":{\"number\":\"1\",\"message\":\"event 1\"}}\n");
}

TEST_F(WatchTest, WaitingPrintsOnlyTheEnd) {
  controller_.AddScript(
      {{RolloutMessage(1, "state: ROLLOUT_STATE_SUCCEEDED"), EventMessage(1)}, absl::OkStatus()});
  options_.print = WatchOptions::Print::kQuiet;
  EXPECT_THAT(Watch(context_, options_), IsOkAndHolds(ExitCode::kOk));
  EXPECT_EQ(out_.str(), "rollout r1 SUCCEEDED\n");
}

TEST_F(WatchTest, ATerminalGetsEventsAboveALiveRegion) {
  context_.terminal.kind = Terminal::Kind::kScreen;
  controller_.AddScript({{RolloutMessage(1,
                                         "state: ROLLOUT_STATE_SUCCEEDED runs { target: 'a' state: "
                                         "RUN_STATE_SUCCEEDED }"),
                          EventMessage(1)},
                         absl::OkStatus()});
  EXPECT_THAT(Watch(context_, options_), IsOkAndHolds(ExitCode::kOk));
  EXPECT_EQ(Count("event 1\n"), 1);
  EXPECT_THAT(out_.str(), HasSubstr("\033[J"));
  EXPECT_THAT(out_.str(), HasSubstr("event 1\nr1  SUCCEEDED"));
}

}  // namespace
}  // namespace curlew::cli
