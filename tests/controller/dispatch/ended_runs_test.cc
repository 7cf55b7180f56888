#include "controller/dispatch/ended_runs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/fake_rollout_store.h"

namespace curlew::dispatch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class EndedRunsTest : public ::testing::Test {
 protected:
  EndedRunsTest() {
    store::RolloutChange change;
    v1::Rollout& rollout = change.rollout;
    rollout.set_name("rollouts/r");
    rollout.set_state(v1::ROLLOUT_STATE_SUCCEEDED);
    for (const char* target : {"a", "b"}) {
      v1::Run& run = *rollout.add_runs();
      run.set_name(std::string("rollouts/r/runs/") + target);
      run.set_target(target);
      run.set_compiled_digest("d");
      run.add_steps()->set_key("one");
      run.add_steps()->set_key("two");
      for (v1::StepStatus& step : *run.mutable_steps()) step.set_state(v1::STEP_STATE_SUCCEEDED);
    }
    EXPECT_TRUE(store_.Commit(change).ok());
  }

  static v1::TargetReady Ready(const std::string& target) {
    v1::TargetReady ready;
    ready.set_target(target);
    ready.set_journal_is_whole(true);
    return ready;
  }
  static v1::RunJournal* Journal(v1::TargetReady* ready, const std::string& digest) {
    v1::RunJournal* journal = ready->add_journal();
    journal->set_run("rollouts/r/runs/" + ready->target());
    journal->set_compiled_digest(digest);
    return journal;
  }

  ::curlew::testing::FakeRolloutStore store_;
  EndedRuns ended_{&store_};
};

TEST_F(EndedRunsTest, AJournalThatHasEverythingIsNoNews) {
  ASSERT_TRUE(ended_.LookUp().ok());
  v1::TargetReady ready = Ready("a");
  v1::RunJournal* journal = Journal(&ready, "d");
  journal->add_done("one");
  journal->add_done("two");
  EXPECT_THAT(ended_.TakeContradicted(ready), IsEmpty());
}

TEST_F(EndedRunsTest, AStepThatIsGoneIsNewsOnceForEachTarget) {
  ASSERT_TRUE(ended_.LookUp().ok());
  v1::TargetReady ready = Ready("a");
  Journal(&ready, "d")->add_done("one");
  EXPECT_THAT(ended_.TakeContradicted(ready), ElementsAre("rollouts/r"));
  EXPECT_THAT(ended_.TakeContradicted(ready), IsEmpty());
  EXPECT_THAT(ended_.TakeContradicted(Ready("b")), ElementsAre("rollouts/r"));
  ASSERT_TRUE(ended_.LookUp("a").ok());
  EXPECT_THAT(ended_.TakeContradicted(Ready("b")), IsEmpty());
  EXPECT_THAT(ended_.TakeContradicted(ready), ElementsAre("rollouts/r"));
}

TEST_F(EndedRunsTest, AStepThatIsBackIsNews) {
  auto stored = store_.GetRollout("rollouts/r");
  ASSERT_TRUE(stored.ok());
  store::RolloutChange change{.expected_version = stored->version, .rollout = stored->rollout};
  for (v1::StepStatus& step : *change.rollout.mutable_runs(0)->mutable_steps()) {
    step.set_state(v1::STEP_STATE_UNDONE);
    step.set_has_undo(step.key() == "one");
  }
  ASSERT_TRUE(store_.Commit(change).ok());
  v1::TargetReady ready = Ready("a");
  v1::RunJournal* journal = Journal(&ready, "d");
  journal->add_done("one");
  ASSERT_TRUE(ended_.LookUp().ok());
  EXPECT_THAT(ended_.TakeContradicted(ready), ElementsAre("rollouts/r"));
  ready.mutable_journal(0)->add_undone("one");
  ASSERT_TRUE(ended_.LookUp().ok());
  EXPECT_THAT(ended_.TakeContradicted(ready), IsEmpty());
}

TEST_F(EndedRunsTest, WhatAJournalLeavesOutSaysNothing) {
  ASSERT_TRUE(ended_.LookUp().ok());
  v1::TargetReady ready = Ready("a");
  ready.set_journal_is_whole(false);
  EXPECT_THAT(ended_.TakeContradicted(ready), IsEmpty());
  ASSERT_TRUE(ended_.LookUp().ok());
  ready = Ready("a");
  Journal(&ready, "another plan's");
  EXPECT_THAT(ended_.TakeContradicted(ready), IsEmpty());
}

TEST_F(EndedRunsTest, AStoreThatFailsChangesNothing) {
  ASSERT_TRUE(ended_.LookUp().ok());
  store_.FailWith(absl::UnavailableError("away"));
  EXPECT_FALSE(ended_.LookUp().ok());
  EXPECT_FALSE(ended_.LookUp("a").ok());
  EXPECT_THAT(ended_.TakeContradicted(Ready("a")), ElementsAre("rollouts/r"));
}

}  // namespace
}  // namespace curlew::dispatch
