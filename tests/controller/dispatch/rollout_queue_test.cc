// Several rollouts on the same targets. EngineFixture checks at each step that an agent is asked for that
// nobody else is at work there.
#include <gmock/gmock.h>

#include <cstdlib>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "controller/dispatch/names.h"
#include "tests/controller/support/engine_fixture.h"
#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::AddsColumn;
using ::curlew::testing::EngineFixture;
using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RolloutQueueTest : public EngineFixture {
 protected:
  RolloutQueueTest() { Apply({Environment("staging", {"crm"})}); }

  // Stores a plan of the same name and starts a rollout of it.
  void StartOwn(const std::string& name, const std::vector<std::string>& after = {}) {
    ASSERT_THAT(Start(name, StorePlan(AddsColumn(name, "column_" + name)), after), IsOk());
    loop_.RunReady();
  }
  // Agents do what they were asked for meanwhile, and go on.
  void WorkOn() {
    agent_.works = true;
    agent_.TakeUp();
    loop_.Pass(absl::Minutes(5));
  }
  // A rollout that has changed crm and was aborted before it came to its end.
  void StartAndAbort(const std::string& name) {
    agent_.works = true;
    StartOwn(name);
    WorkOn();
    EXPECT_EQ(RunOf(name, "crm").state(), v1::RUN_STATE_SUCCEEDED);
    EXPECT_THAT(Do(name, rollout::AbortAsked{"bob", ""}), IsOk());
    loop_.RunReady();
    EXPECT_EQ(StateOf(name), v1::ROLLOUT_STATE_ABORTED);
  }
  // Another environment behind staging, which nobody serves.
  void ApplyWithEnd() { Apply({Environment("staging", {"crm"}), Environment("production", {"nobody"})}); }
  v1::Dispatch Dispatched() {
    for (const v1::ControllerMessage& message : agent_.kept) {
      if (message.has_dispatch()) return message.dispatch();
    }
    ADD_FAILURE() << "nothing was asked for";
    return {};
  }
};

TEST_F(RolloutQueueTest, ASecondOneWaitsForTheFirstAndThenRuns) {
  agent_.works = false;
  Serve(&agent_, "crm");
  StartOwn("a");
  StartOwn("b");
  EXPECT_EQ(RunOf("b", "crm").state(), v1::RUN_STATE_PENDING);
  EXPECT_EQ(RunOf("b", "crm").held_by(), "rollouts/a");
  const v1::Rollout waits = Get("b");
  ASSERT_EQ(waits.waiting_size(), 1) << waits.DebugString();
  EXPECT_EQ(waits.waiting(0).cause(), v1::WAIT_CAUSE_ROLLOUT);
  EXPECT_EQ(RolloutOfRun(Dispatched().run()), "rollouts/a");
  EXPECT_EQ(engine().rollouts().OccupantOf("crm")->name(), "rollouts/a");
  WorkOn();
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_SUCCEEDED);
  EXPECT_EQ(StateOf("b"), v1::ROLLOUT_STATE_SUCCEEDED) << Get("b").DebugString();
  EXPECT_THAT(worked_["crm"], ElementsAre("rollouts/a", "rollouts/b"));
  EXPECT_EQ(engine().rollouts().OccupantOf("crm"), nullptr);
}

TEST_F(RolloutQueueTest, SeveralRunInOrderOfTheirCreationAlsoAfterARestart) {
  for (const char* name : {"c", "a", "b"}) StartOwn(name);
  Restart();
  loop_.RunReady();
  EXPECT_EQ(RunOf("b", "crm").held_by(), "rollouts/c");
  Serve(&agent_, "crm");
  WorkOn();
  EXPECT_THAT(worked_["crm"], ElementsAre("rollouts/c", "rollouts/a", "rollouts/b"));
  EXPECT_EQ(StateOf("b"), v1::ROLLOUT_STATE_SUCCEEDED);
}

TEST_F(RolloutQueueTest, ARestartInTheMiddleOfTheFirstChangesNothing) {
  agent_.works = false;
  Serve(&agent_, "crm");
  StartOwn("a");
  StartOwn("b");
  Restart();
  Serve(&agent_, "crm", /*epoch=*/2);
  loop_.RunReady();
  EXPECT_EQ(RolloutOfRun(Dispatched().run()), "rollouts/a");
  WorkOn();
  EXPECT_THAT(worked_["crm"], ElementsAre("rollouts/a", "rollouts/b"));
}

TEST_F(RolloutQueueTest, WhereTheClockWasSetBackTheLaterOneComesLaterAllTheSame) {
  StartOwn("a");
  loop_.SetClockBy(-absl::Hours(1));
  StartOwn("b");
  EXPECT_EQ(RunOf("b", "crm").held_by(), "rollouts/a");
  EXPECT_EQ(RunOf("a", "crm").held_by(), "");
  Serve(&agent_, "crm");
  WorkOn();
  EXPECT_THAT(worked_["crm"], ElementsAre("rollouts/a", "rollouts/b"));
}

TEST_F(RolloutQueueTest, OnDifferentTargetsTheyRunTogether) {
  agent_.works = false;
  StartOwn("a");
  Apply({Environment("lab", {"shop"}), Environment("staging", {"crm"})});
  StartOwn("b");
  Serve(&agent_, "crm");
  Serve(&agent_, "shop");
  loop_.RunReady();
  EXPECT_THAT(worked_["crm"], ElementsAre("rollouts/a"));
  EXPECT_THAT(worked_["shop"], ElementsAre("rollouts/b")) << "nobody else is there";
  WorkOn();
  EXPECT_THAT(worked_["crm"], ElementsAre("rollouts/a", "rollouts/b"));
  EXPECT_EQ(StateOf("b"), v1::ROLLOUT_STATE_SUCCEEDED);
}

TEST_F(RolloutQueueTest, OneThatHasFailedHoldsTheNextUntilItIsDecided) {
  agent_.works = false;
  Serve(&agent_, "crm");
  StartOwn("a");
  StartOwn("b");
  agent_.Report(Dispatched(), v1::ATTEMPT_STATE_FAILED);
  WorkOn();
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_FAILED);
  EXPECT_EQ(RunOf("b", "crm").held_by(), "rollouts/a");
  ASSERT_THAT(Do("a", rollout::RollbackAsked{"bob", "", ""}), IsOk());
  WorkOn();
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(StateOf("b"), v1::ROLLOUT_STATE_SUCCEEDED);
}

TEST_F(RolloutQueueTest, AnAbortedOneHoldsTheNextUntilItsAttemptHasEnded) {
  agent_.works = false;
  Serve(&agent_, "crm");
  StartOwn("a");
  StartOwn("b");
  const v1::Dispatch dispatch = Dispatched();
  ASSERT_THAT(Do("a", rollout::AbortAsked{"bob", ""}), IsOk());
  loop_.Pass(absl::Minutes(1));
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_ABORTED);
  EXPECT_EQ(RunOf("b", "crm").held_by(), "rollouts/a") << "its attempt may be at work still";
  agent_.kept.clear();
  agent_.Report(dispatch, v1::ATTEMPT_STATE_CANCELLED);
  WorkOn();
  EXPECT_EQ(StateOf("b"), v1::ROLLOUT_STATE_SUCCEEDED) << Get("b").DebugString();
}

TEST_F(RolloutQueueTest, AnAbortedOneWhoseAgentNeverComesBackHoldsNobodyOnceAnotherIsThere) {
  agent_.works = false;
  Serve(&agent_, "crm");
  StartOwn("a");
  StartOwn("b");
  Lose("crm");
  ASSERT_THAT(Do("a", rollout::AbortAsked{"bob", ""}), IsOk());
  loop_.Pass(absl::Minutes(1));
  Serve(&agent_, "crm", /*epoch=*/2);
  WorkOn();
  EXPECT_EQ(StateOf("b"), v1::ROLLOUT_STATE_SUCCEEDED) << Get("b").DebugString();
}

TEST_F(RolloutQueueTest, OneThatIsRolledBackAfterItsEndHoldsThoseThatHaveNotBegun) {
  ApplyWithEnd();
  Serve(&agent_, "crm");
  StartAndAbort("a");
  StartOwn("b", {"rollouts/never"});
  EXPECT_EQ(RunOf("b", "crm").held_by(), "rollouts/never");
  agent_.works = false;
  ASSERT_THAT(Do("a", rollout::RollbackAsked{"bob", "", ""}), IsOk());
  loop_.RunReady();
  EXPECT_EQ(RunOf("b", "crm").held_by(), "rollouts/a");
  EXPECT_EQ(Dispatched().direction(), v1::DIRECTION_UNDO);
  WorkOn();
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(RunOf("b", "crm").held_by(), "rollouts/never");
}

TEST_F(RolloutQueueTest, OneThatIsRolledBackAfterItsEndTakesItsTurnFromOneThatIsOnlyCompiled) {
  v1::Environment staging = Environment("staging", {"crm"});
  ApplyWithEnd();
  Serve(&agent_, "crm");
  StartAndAbort("a");
  staging.mutable_before()->set_approvals(1);
  Apply({staging, Environment("production", {"nobody"})});
  StartOwn("b");
  ASSERT_EQ(RunOf("b", "crm").state(), v1::RUN_STATE_COMPILED);
  agent_.works = false;
  ASSERT_THAT(Do("a", rollout::RollbackAsked{"bob", "", ""}), IsOk());
  loop_.RunReady();
  EXPECT_EQ(RunOf("b", "crm").state(), v1::RUN_STATE_PENDING);
  EXPECT_EQ(RunOf("b", "crm").held_by(), "rollouts/a");
  WorkOn();
  ASSERT_EQ(StateOf("a"), v1::ROLLOUT_STATE_ROLLED_BACK);
  EXPECT_EQ(RunOf("b", "crm").state(), v1::RUN_STATE_COMPILED);
  ASSERT_THAT(Do("b", rollout::Approved{"", "bob", "", ""}), IsOk());
  WorkOn();
  EXPECT_EQ(RunOf("b", "crm").state(), v1::RUN_STATE_SUCCEEDED) << Get("b").DebugString();
}

TEST_F(RolloutQueueTest, ARollbackOfAnEndedOneIsRefusedWhileALaterOneHasBegun) {
  ApplyWithEnd();
  Serve(&agent_, "crm");
  StartAndAbort("a");
  agent_.works = false;
  StartOwn("b");
  EXPECT_THAT(
      Do("a", rollout::RollbackAsked{"bob", "", ""}),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("\"rollouts/b\" is active on target")));
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_ABORTED);
  WorkOn();
  ASSERT_THAT(Do("b", rollout::AbortAsked{"bob", ""}), IsOk());
  EXPECT_THAT(Do("a", rollout::RollbackAsked{"bob", "", ""}), IsOk());
}

TEST_F(RolloutQueueTest, ARollbackOfWhichNobodyKnowsWhetherItIsStoredHoldsTheNext) {
  ApplyWithEnd();
  Serve(&agent_, "crm");
  StartAndAbort("a");
  StartOwn("b", {"rollouts/c"});
  StartOwn("c");
  agent_.works = false;
  ASSERT_THAT(Do("c", rollout::AbortAsked{"bob", ""}), IsOk());
  loop_.RunReady();
  store_.lost_answer = absl::UnavailableError("the disk went away");
  EXPECT_THAT(Do("a", rollout::RollbackAsked{"bob", "", ""}), StatusIs(absl::StatusCode::kUnavailable));
  store_.lost_answer = absl::OkStatus();
  loop_.Pass(absl::Seconds(1));
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_ROLLING_BACK);
  EXPECT_EQ(RunOf("b", "crm").held_by(), "rollouts/a");
  WorkOn();
  EXPECT_EQ(StateOf("a"), v1::ROLLOUT_STATE_ROLLED_BACK);
}

TEST_F(RolloutQueueTest, OneThatComesAfterAnotherWaitsUntilThatHasSucceeded) {
  agent_.works = false;
  StartOwn("a");
  Apply({Environment("lab", {"shop"}), Environment("staging", {"crm"})});
  StartOwn("b", {"rollouts/a"});
  Serve(&agent_, "shop");
  Serve(&agent_, "crm");
  loop_.RunReady();
  EXPECT_EQ(RunOf("b", "shop").held_by(), "rollouts/a") << "though nobody else is there";
  ASSERT_THAT(Do("a", rollout::PauseAsked{"bob", ""}), IsOk());
  WorkOn();
  EXPECT_EQ(RunOf("b", "shop").held_by(), "rollouts/a");
  ASSERT_THAT(Do("a", rollout::ResumeAsked{"bob", ""}), IsOk());
  WorkOn();
  EXPECT_EQ(StateOf("b"), v1::ROLLOUT_STATE_SUCCEEDED) << Get("b").DebugString();
}

TEST_F(RolloutQueueTest, OneThatComesAfterAnAbortedOneDoesNotBegin) {
  StartOwn("a");
  StartOwn("b", {"rollouts/a"});
  ASSERT_THAT(Do("a", rollout::AbortAsked{"bob", ""}), IsOk());
  Serve(&agent_, "crm");
  WorkOn();
  EXPECT_EQ(RunOf("b", "crm").state(), v1::RUN_STATE_PENDING);
  EXPECT_EQ(RunOf("b", "crm").held_by(), "rollouts/a");
}

TEST_F(RolloutQueueTest, ATargetMayComeWhileARolloutIsActiveAndNotGoOrMove) {
  StartOwn("a");
  Apply({Environment("staging", {"crm", "new"})});
  const auto refused = StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("rollouts/a"));
  EXPECT_THAT(engine().ApplyEnvironments({Environment("staging", {"new"})}, {}), refused);
  EXPECT_THAT(
      engine().ApplyEnvironments({Environment("staging", {"new"}), Environment("production", {"crm"})}, {}),
      refused);
  EXPECT_THAT(engine().ApplyEnvironments({Environment("staging", {"crm"})}, {}), IsOk())
      << "nobody is active on new";
  ASSERT_THAT(Do("a", rollout::AbortAsked{"bob", ""}), IsOk());
  EXPECT_THAT(engine().ApplyEnvironments({Environment("other", {"new"})}, {}), IsOk());
}

TEST_F(RolloutQueueTest, WhatOperatorsAskForIsInTheAuditLogAndRefusalsAreNot) {
  StartOwn("a");
  ASSERT_THAT(Do("a", rollout::PauseAsked{"bob", "lunch"}), IsOk());
  ASSERT_FALSE(Do("a", rollout::PauseAsked{"bob", "lunch"}).ok());
  ASSERT_THAT(Do("a", rollout::AbortAsked{"eve", ""}), IsOk());
  std::vector<std::string> said;
  const auto entries = store_.records().ListAudit(0, 100);
  ASSERT_THAT(entries, IsOk());
  for (const v1::AuditEntry& entry : *entries)
    said.push_back(absl::StrCat(entry.action(), " by ", entry.actor()));
  EXPECT_THAT(said, ElementsAre("rollout.start by alice", "rollout.pause by bob", "rollout.abort by eve"));
}

// Operators, agents, results and restarts in any order.
class RandomQueueTest : public RolloutQueueTest {
 protected:
  void Play(int seed) {
    random_.seed(static_cast<unsigned>(seed));
    Apply({Environment("lab", {"shop"}), Environment("staging", {"crm"})});
    agent_.works = false;
    for (int i = 0; i < 150; ++i) {
      Step();
      loop_.Pass(absl::Milliseconds(Below(3000)));
    }
    // What stands still is decided, then everything comes to an end.
    store_.FailWith(absl::OkStatus());
    store_.lost_answer = absl::OkStatus();
    for (const char* target : kTargets) Serve(&agent_, target, ++epoch_);
    agent_.works = true;
    for (int round = 0; round < 3 * started_; ++round) {
      WorkOn();
      for (int n = 1; n <= started_; ++n) {
        const std::string name = absl::StrCat("r", n);
        if (!store_.GetRollout("rollouts/" + name).ok()) continue;
        if (!rollout::Ended(Get(name))) Do(name, rollout::AbortAsked{"bob", ""}).IgnoreError();
        WorkOn();
      }
    }
    for (int n = 1; n <= started_; ++n) {
      const std::string name = absl::StrCat("r", n);
      if (!store_.GetRollout("rollouts/" + name).ok()) continue;
      EXPECT_TRUE(rollout::Ended(Get(name)))
          << name << " after seed " << seed << ": " << Get(name).DebugString();
    }
    EXPECT_EQ(engine().rollouts().OccupantOf("crm"), nullptr);
  }

 private:
  static constexpr const char* kTargets[] = {"crm", "shop"};

  int Below(int end) { return std::uniform_int_distribution<int>(0, end - 1)(random_); }
  std::string Any() { return absl::StrCat("r", 1 + Below(std::max(started_, 1))); }

  void Step() {
    switch (Below(14)) {
      case 0:
      case 1: {
        if (started_ == 6) return;
        const std::string name = absl::StrCat("r", ++started_);
        std::vector<std::string> after;
        if (Below(4) == 0 && started_ > 1) after.push_back("rollouts/" + Any());
        store_.FailWith(absl::OkStatus());
        Start(name, StorePlan(AddsColumn(name, "column_" + name)), after).IgnoreError();
        return;
      }
      case 2:
        Do(Any(), rollout::AbortAsked{"bob", ""}).IgnoreError();
        return;
      case 3:
        Do(Any(), rollout::RollbackAsked{"bob", "", ""}).IgnoreError();
        return;
      case 4:
        Do(Any(), rollout::PauseAsked{"bob", ""}).IgnoreError();
        return;
      case 5:
        Do(Any(), rollout::ResumeAsked{"bob", ""}).IgnoreError();
        return;
      case 6:
        store_.FailWith(absl::OkStatus());
        Restart();
        return;
      case 7:
        Lose(kTargets[Below(2)]);
        return;
      case 8:
      case 9:
        Serve(&agent_, kTargets[Below(2)], ++epoch_);
        return;
      case 10:
        loop_.SetClockBy(absl::Seconds(Below(20000) - 10000));
        return;
      case 11:
        store_.lost_answer =
            Below(2) == 0 ? absl::OkStatus() : absl::UnavailableError("nobody knows whether it was stored");
        return;
      case 12:
        store_.FailWith(Below(2) == 0 ? absl::OkStatus() : absl::UnavailableError("the store is away"));
        return;
      default: {
        // The oldest attempt ends in any way.
        for (auto message = agent_.kept.begin(); message != agent_.kept.end(); ++message) {
          if (!message->has_dispatch()) continue;
          const v1::Dispatch dispatch = message->dispatch();
          agent_.kept.erase(message);
          const v1::AttemptState outcomes[] = {v1::ATTEMPT_STATE_SUCCEEDED, v1::ATTEMPT_STATE_SUCCEEDED,
                                               v1::ATTEMPT_STATE_FAILED, v1::ATTEMPT_STATE_CANCELLED};
          agent_.Report(dispatch, outcomes[Below(4)]);
          return;
        }
      }
    }
  }

  std::mt19937 random_;
  int started_ = 0;
  int64_t epoch_ = 0;
};

// How many worlds; CURLEW_SEEDS says otherwise.
int Seeds() {
  int seeds = 6;
  if (const char* wanted = std::getenv("CURLEW_SEEDS"); wanted != nullptr) {
    EXPECT_TRUE(absl::SimpleAtoi(wanted, &seeds)) << wanted;
  }
  return seeds;
}

TEST_F(RandomQueueTest, NeverTwoAtWorkOnOneTarget) {
  // Each seed is a world of its own.
  for (int seed = 1, end = Seeds(); seed <= end && !HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    class World : public RandomQueueTest {
     public:
      void TestBody() override {}
      using RandomQueueTest::Play;
    };
    World().Play(seed);
  }
}

}  // namespace
}  // namespace curlew::dispatch
