#include "controller/dispatch/event_retention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "tests/controller/support/test_loop.h"
#include "tests/support/fake_rollout_store.h"
#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::FakeRolloutStore;
using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::TestLoop;
using ::testing::ElementsAre;

constexpr absl::Duration kDay = absl::Hours(24);

// A fake store that counts its commits, and the most events that one of them removed.
class CountingStore : public FakeRolloutStore {
 public:
  absl::StatusOr<int64_t> Commit(const store::RolloutChange& change) override {
    ++commits;
    if (!conflict_with.empty() && change.rollout.name() == conflict_with)
      return absl::AbortedError("changed");
    return FakeRolloutStore::Commit(change);
  }
  int commits = 0;
  std::string conflict_with;
};

class EventRetentionTest : public ::testing::Test {
 protected:
  // A rollout of `events` events that ended at `end`, or has not.
  void Add(const std::string& name, int events, absl::Duration end, v1::RolloutState state) {
    store::RolloutChange change;
    change.rollout.set_name(name);
    change.rollout.set_state(state);
    change.rollout.set_etag("v7");
    if (end < absl::InfiniteDuration()) {
      *change.rollout.mutable_end_time() = base::ToProto(absl::UnixEpoch() + end);
    }
    for (int i = 1; i <= events; ++i) change.events.emplace_back().set_number(i);
    change.rollout.set_last_event(events);
    ASSERT_OK(store_.Commit(change));
  }
  std::vector<int64_t> Numbers(const std::string& name) {
    std::vector<int64_t> numbers;
    const auto events = store_.ListEvents(name, 0, 100000);
    for (const v1::Event& event : *events) numbers.push_back(event.number());
    return numbers;
  }
  int64_t FirstEvent(const std::string& name) { return store_.GetRollout(name)->rollout.first_event(); }

  TestLoop loop_;
  CountingStore store_;
  EventRetention retention_{&loop_, &store_, &loop_, EventRetention::Options()};
};

TEST_F(EventRetentionTest, KeepsEventsForNinetyDaysAfterTheEndAndThenTheNewestAlone) {
  Add("rollouts/a", 5, kDay, v1::ROLLOUT_STATE_SUCCEEDED);
  retention_.Start();
  loop_.Pass(91 * kDay);
  EXPECT_THAT(Numbers("rollouts/a"), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(FirstEvent("rollouts/a"), 0);
  loop_.Pass(2 * absl::Hours(1));
  EXPECT_THAT(Numbers("rollouts/a"), ElementsAre(5));
  EXPECT_EQ(FirstEvent("rollouts/a"), 5);
  EXPECT_EQ(store_.GetRollout("rollouts/a")->rollout.etag(), "v7");
  const int commits = store_.commits;
  loop_.Pass(10 * kDay);
  EXPECT_EQ(store_.commits, commits) << "what has been done is not done again";
}

TEST_F(EventRetentionTest, KeepsAllOfARolloutThatHasNotEnded) {
  Add("rollouts/running", 5, absl::InfiniteDuration(), v1::ROLLOUT_STATE_RUNNING);
  // It had ended, and is being rolled back.
  Add("rollouts/again", 5, kDay, v1::ROLLOUT_STATE_ROLLING_BACK);
  retention_.Start();
  loop_.Pass(1000 * kDay);
  EXPECT_EQ(Numbers("rollouts/running").size(), 5u);
  EXPECT_EQ(Numbers("rollouts/again").size(), 5u);
}

TEST_F(EventRetentionTest, GoesThroughAllRolloutsInSmallCommitsOfTasksOfTheirOwn) {
  constexpr int kRollouts = 120;
  for (int i = 0; i < kRollouts; ++i) {
    Add(absl::StrCat("rollouts/", i), i == 60 ? 1801 : 2, kDay, v1::ROLLOUT_STATE_ROLLED_BACK);
  }
  store_.commits = 0;
  retention_.Start();
  loop_.Pass(92 * kDay);
  for (int i = 0; i < kRollouts; ++i) {
    EXPECT_EQ(Numbers(absl::StrCat("rollouts/", i)).size(), 1u) << i;
  }
  EXPECT_THAT(Numbers("rollouts/60"), ElementsAre(1801));
  EXPECT_EQ(store_.commits, kRollouts - 1 + 4) << "1800 events, 500 at a time";
  EXPECT_GE(loop_.ran(), store_.commits);
}

TEST_F(EventRetentionTest, ARolloutThatChangesMeanwhileIsLeftForTheNextRound) {
  Add("rollouts/a", 5, kDay, v1::ROLLOUT_STATE_SUCCEEDED);
  Add("rollouts/b", 5, kDay, v1::ROLLOUT_STATE_SUCCEEDED);
  store_.conflict_with = "rollouts/b";
  retention_.Start();
  loop_.Pass(92 * kDay);
  EXPECT_THAT(Numbers("rollouts/a"), ElementsAre(5));
  EXPECT_EQ(Numbers("rollouts/b").size(), 5u);
  store_.conflict_with = "";
  loop_.Pass(absl::Hours(1));
  EXPECT_THAT(Numbers("rollouts/b"), ElementsAre(5));
}

TEST_F(EventRetentionTest, AStoreThatFailsIsTriedAgainInTheNextRound) {
  Add("rollouts/a", 5, kDay, v1::ROLLOUT_STATE_SUCCEEDED);
  store_.FailWith(absl::UnavailableError("full"));
  retention_.Start();
  loop_.Pass(100 * kDay);
  store_.FailWith(absl::OkStatus());
  EXPECT_EQ(Numbers("rollouts/a").size(), 5u);
  loop_.Pass(absl::Hours(1));
  EXPECT_THAT(Numbers("rollouts/a"), ElementsAre(5));
}

TEST_F(EventRetentionTest, ForEverMeansForEver) {
  Add("rollouts/a", 5, kDay, v1::ROLLOUT_STATE_SUCCEEDED);
  EventRetention for_ever(&loop_, &store_, &loop_, {.retention = absl::InfiniteDuration()});
  for_ever.Start();
  EXPECT_TRUE(loop_.idle());
}

}  // namespace
}  // namespace curlew::dispatch
