#include "controller/dispatch/watches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/error_detail.h"
#include "tests/support/fake_rollout_store.h"
#include "tests/support/status_matchers.h"

namespace curlew::dispatch {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kName[] = "rollouts/a";

class WatchesTest : public ::testing::Test {
 protected:
  // A rollout with events 4 to 9; those before were removed.
  void SetUp() override {
    store::RolloutChange change;
    change.rollout.set_name(kName);
    change.rollout.set_state(v1::ROLLOUT_STATE_SUCCEEDED);
    for (int i = 1; i <= 9; ++i) change.events.emplace_back().set_number(i);
    change.rollout.set_last_event(9);
    ASSERT_OK(store_.Commit(change));
    change.events.clear();
    change.expected_version = 1;
    change.trim_events_below = 4;
    change.rollout.set_first_event(4);
    ASSERT_OK(store_.Commit(change));
  }
  // What a watcher that has read up to `after` gets.
  absl::StatusOr<std::vector<int64_t>> Numbers(int64_t after) {
    WatchCursor cursor{.event = after};
    const auto batch = watches_.Read(kName, &cursor);
    if (!batch.ok()) return batch.status();
    std::vector<int64_t> numbers;
    for (const v1::WatchRolloutResponse& message : batch->messages) {
      if (message.has_event()) numbers.push_back(message.event().number());
    }
    return numbers;
  }

  curlew::testing::FakeRolloutStore store_;
  Watches watches_{&store_, [this](const std::string& name) { return store_.GetRollout(name); }};
};

TEST_F(WatchesTest, WhoAsksForAllGetsAllThatAreKept) {
  ASSERT_OK_AND_ASSIGN(const auto numbers, Numbers(0));
  EXPECT_THAT(numbers, ElementsAre(4, 5, 6, 7, 8, 9));
}

TEST_F(WatchesTest, WhoGoesOnWhereNothingIsMissingGetsTheNext) {
  for (const int64_t after : {3, 4, 8}) {
    ASSERT_OK_AND_ASSIGN(const auto numbers, Numbers(after));
    ASSERT_FALSE(numbers.empty());
    EXPECT_EQ(numbers[0], after + 1);
  }
  ASSERT_OK_AND_ASSIGN(const auto numbers, Numbers(9));
  EXPECT_THAT(numbers, IsEmpty());
}

TEST_F(WatchesTest, WhoseNextEventWasRemovedIsToldSoAndWhatToDo) {
  for (const int64_t after : {1, 2}) {
    const absl::Status status = Numbers(after).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kOutOfRange,
                                 AllOf(HasSubstr(kName), HasSubstr("the oldest that is kept has number 4"))));
    EXPECT_EQ(base::Detail(status, base::kReason), "EVENTS_REMOVED");
    EXPECT_THAT(base::Detail(status, base::kHint), HasSubstr("from event 3 on"));
  }
}

}  // namespace
}  // namespace curlew::dispatch
