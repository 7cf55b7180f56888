// What every RolloutStore promises. Each implementation passes all of it.
#include "controller/store/rollout_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>

#include "controller/store/sqlite_rollout_store.h"
#include "tests/controller/store/builders.h"
#include "tests/controller/store/temp_folder.h"
#include "tests/support/fake_rollout_store.h"
#include "tests/support/status_matchers.h"

namespace curlew::store {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct FakeStore {
  static std::unique_ptr<RolloutStore> Make(const TempFolder&) {
    return std::make_unique<curlew::testing::FakeRolloutStore>();
  }
};

struct SqliteStore {
  static std::unique_ptr<RolloutStore> Make(const TempFolder& folder) {
    auto store = SqliteRolloutStore::Open({.path = folder.File("store.db")});
    EXPECT_OK(store);
    return store.ok() ? *std::move(store) : nullptr;
  }
};

template <typename Implementation>
class RolloutStoreTest : public ::testing::Test {
 protected:
  std::vector<std::string> PlanNames(const Page& page, std::string* next) {
    std::vector<std::string> names;
    auto plans = store_->ListPlans(page, next);
    EXPECT_OK(plans);
    if (plans.ok()) {
      for (const v1::StoredPlan& plan : *plans) names.push_back(plan.name());
    }
    return names;
  }

  std::vector<int64_t> EventNumbers(const std::string& rollout, int64_t after, int limit) {
    std::vector<int64_t> numbers;
    auto events = store_->ListEvents(rollout, after, limit);
    EXPECT_OK(events);
    if (events.ok()) {
      for (const v1::Event& event : *events) numbers.push_back(event.number());
    }
    return numbers;
  }

  std::vector<OutboxEntry> Pending() {
    auto entries = store_->PendingOutbox();
    EXPECT_OK(entries);
    return entries.ok() ? *entries : std::vector<OutboxEntry>();
  }

  TempFolder folder_;
  std::unique_ptr<RolloutStore> store_ = Implementation::Make(folder_);
};

class ImplementationNames {
 public:
  template <typename Implementation>
  static std::string GetName(int) {
    return std::is_same_v<Implementation, FakeStore> ? "Fake" : "Sqlite";
  }
};

using Implementations = ::testing::Types<FakeStore, SqliteStore>;
TYPED_TEST_SUITE(RolloutStoreTest, Implementations, ImplementationNames);

TYPED_TEST(RolloutStoreTest, AnEmptyStoreHasNothing) {
  std::string next = "left over";
  EXPECT_THAT(this->PlanNames({}, &next), IsEmpty());
  EXPECT_EQ(next, "");
  EXPECT_THAT(this->store_->ListEnvironments(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(this->store_->ListRollouts({}, &next), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(this->store_->PendingOutbox(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(this->store_->ListEvents("rollouts/a", 0, 10), IsOkAndHolds(IsEmpty()));
}

TYPED_TEST(RolloutStoreTest, GivesAPlanBackAsItWasStored) {
  const v1::StoredPlan plan = MakePlan("rename-phone", "aaa");
  ASSERT_OK_AND_ASSIGN(const v1::StoredPlan stored, this->store_->PutPlan(plan));
  EXPECT_TRUE(SameProto(stored, plan));
  ASSERT_OK_AND_ASSIGN(const v1::StoredPlan read, this->store_->GetPlan("plans/rename-phone-aaa"));
  EXPECT_TRUE(SameProto(read, plan));
}

TYPED_TEST(RolloutStoreTest, ABareNameMeansTheNewestPlanOfThatName) {
  ASSERT_OK(this->store_->PutPlan(MakePlan("rename-phone", "aaa")));
  ASSERT_OK(this->store_->PutPlan(MakePlan("rename-phone", "bbb")));
  ASSERT_OK(this->store_->PutPlan(MakePlan("other", "ccc")));
  ASSERT_OK_AND_ASSIGN(const v1::StoredPlan newest, this->store_->GetPlan("rename-phone"));
  EXPECT_EQ(newest.digest(), "bbb");
}

TYPED_TEST(RolloutStoreTest, StoringAPlanTwiceKeepsTheFirst) {
  ASSERT_OK(this->store_->PutPlan(MakePlan("rename-phone", "aaa")));
  v1::StoredPlan again = MakePlan("rename-phone", "aaa");
  again.set_creator("bob");
  ASSERT_OK_AND_ASSIGN(const v1::StoredPlan stored, this->store_->PutPlan(again));
  EXPECT_EQ(stored.creator(), "ada");
  std::string next;
  EXPECT_THAT(this->PlanNames({}, &next), ElementsAre("plans/rename-phone-aaa"));
}

TYPED_TEST(RolloutStoreTest, RefusesAnotherPlanUnderANameThatIsTaken) {
  ASSERT_OK(this->store_->PutPlan(MakePlan("rename-phone", "aaa")));
  v1::StoredPlan other = MakePlan("rename-phone", "aaa");
  other.set_digest("aaa-and-more");
  EXPECT_THAT(this->store_->PutPlan(other),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("plans/rename-phone-aaa")));
}

TYPED_TEST(RolloutStoreTest, APlanThatIsNotThereIsNotFound) {
  ASSERT_OK(this->store_->PutPlan(MakePlan("rename-phone", "aaa")));
  EXPECT_THAT(this->store_->GetPlan("plans/rename-phone"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(this->store_->GetPlan("rename"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("rename")));
}

TYPED_TEST(RolloutStoreTest, ListsPlansNewestFirstInPagesWithoutGapOrOverlap) {
  for (const char* digest : {"1", "2", "3", "4", "5"})
    ASSERT_OK(this->store_->PutPlan(MakePlan("p", digest)));
  std::string next;
  EXPECT_THAT(this->PlanNames({.size = 2}, &next), ElementsAre("plans/p-5", "plans/p-4"));
  ASSERT_NE(next, "");
  // What arrives between two pages does not shift them.
  ASSERT_OK(this->store_->PutPlan(MakePlan("p", "6")));
  EXPECT_THAT(this->PlanNames({.size = 2, .token = next}, &next), ElementsAre("plans/p-3", "plans/p-2"));
  EXPECT_THAT(this->PlanNames({.size = 2, .token = next}, &next), ElementsAre("plans/p-1"));
  EXPECT_EQ(next, "");
}

TYPED_TEST(RolloutStoreTest, APageThatHoldsTheRestIsTheLast) {
  for (const char* digest : {"1", "2"}) ASSERT_OK(this->store_->PutPlan(MakePlan("p", digest)));
  std::string next = "left over";
  EXPECT_THAT(this->PlanNames({.size = 2}, &next), ElementsAre("plans/p-2", "plans/p-1"));
  EXPECT_EQ(next, "");
}

TYPED_TEST(RolloutStoreTest, RefusesAPageTokenThatItDidNotMake) {
  std::string next;
  for (const char* token : {"12", "before-", "before-x", "' OR 1=1"}) {
    EXPECT_THAT(this->store_->ListPlans({.token = token}, &next),
                StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(this->store_->ListRollouts({.token = token}, &next),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("page_token")));
  }
}

TYPED_TEST(RolloutStoreTest, PutEnvironmentsReplacesTheWholePipeline) {
  std::vector<v1::Environment> pipeline(3);
  pipeline[0].set_name("environments/staging");
  pipeline[0].add_targets("staging-crm");
  pipeline[1].set_name("environments/canary");
  pipeline[2].set_name("environments/production");
  ASSERT_OK(this->store_->PutEnvironments(pipeline));
  std::vector<v1::Environment> shorter = {pipeline[2], pipeline[0]};
  ASSERT_OK(this->store_->PutEnvironments(shorter));
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Environment> read, this->store_->ListEnvironments());
  ASSERT_EQ(read.size(), 2u);
  EXPECT_TRUE(SameProto(read[0], pipeline[2]));
  EXPECT_TRUE(SameProto(read[1], pipeline[0]));
}

TYPED_TEST(RolloutStoreTest, ANewRolloutHasVersionOne) {
  const RolloutChange change = MakeChange("rollouts/a", 0, 0, 1);
  EXPECT_THAT(this->store_->Commit(change), IsOkAndHolds(1));
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, this->store_->GetRollout("rollouts/a"));
  EXPECT_EQ(read.version, 1);
  EXPECT_TRUE(SameProto(read.rollout, change.rollout));
}

TYPED_TEST(RolloutStoreTest, EachChangeRaisesTheVersionAndReplacesTheState) {
  ASSERT_OK(this->store_->Commit(MakeChange("rollouts/a", 0, 0, 2)));
  EXPECT_THAT(this->store_->Commit(MakeChange("rollouts/a", 1, 2, 0)), IsOkAndHolds(2));
  EXPECT_THAT(this->store_->Commit(MakeChange("rollouts/a", 2, 2, 1)), IsOkAndHolds(3));
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, this->store_->GetRollout("rollouts/a"));
  EXPECT_EQ(read.version, 3);
  EXPECT_EQ(read.rollout.reason(), "change of version 2");
}

TYPED_TEST(RolloutStoreTest, AChangeFromAnOldVersionIsAbortedAndChangesNothing) {
  ASSERT_OK(this->store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  ASSERT_OK(this->store_->Commit(MakeChange("rollouts/a", 1, 1, 1)));
  RolloutChange late = MakeChange("rollouts/a", 1, 2, 1);
  late.outbox.push_back(MakeEntry("rollouts/a", "t", "cancel", "x"));
  late.pin = RolloutChange::Pin{.run = "rollouts/a/runs/t", .plan = {}};
  EXPECT_THAT(this->store_->Commit(late), StatusIs(absl::StatusCode::kAborted, HasSubstr("version 2")));
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, this->store_->GetRollout("rollouts/a"));
  EXPECT_EQ(read.version, 2);
  EXPECT_THAT(this->EventNumbers("rollouts/a", 0, 10), ElementsAre(1, 2));
  EXPECT_THAT(this->Pending(), IsEmpty());
  EXPECT_THAT(this->store_->GetCompiledPlan("rollouts/a/runs/t"), StatusIs(absl::StatusCode::kNotFound));
}

TYPED_TEST(RolloutStoreTest, AChangeOfARolloutThatIsNotThereIsAborted) {
  EXPECT_THAT(this->store_->Commit(MakeChange("rollouts/a", 3, 0, 1)), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(this->store_->GetRollout("rollouts/a"), StatusIs(absl::StatusCode::kNotFound));
}

TYPED_TEST(RolloutStoreTest, ANewRolloutCannotTakeANameThatIsTaken) {
  ASSERT_OK(this->store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  EXPECT_THAT(this->store_->Commit(MakeChange("rollouts/a", 0, 0, 1)),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("rollouts/a")));
}

TYPED_TEST(RolloutStoreTest, EventsAreNumberedWithoutGapsOrRepetition) {
  ASSERT_OK(this->store_->Commit(MakeChange("rollouts/a", 0, 0, 2)));
  EXPECT_THAT(this->store_->Commit(MakeChange("rollouts/a", 1, 3, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("event 4 cannot follow event 2")));
  EXPECT_THAT(this->store_->Commit(MakeChange("rollouts/a", 1, 1, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  RolloutChange uncounted = MakeChange("rollouts/a", 1, 2, 1);
  uncounted.rollout.set_last_event(2);
  EXPECT_THAT(this->store_->Commit(uncounted), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(this->EventNumbers("rollouts/a", 0, 10), ElementsAre(1, 2));
}

TYPED_TEST(RolloutStoreTest, ListsEventsInOrderFromAnyOfThemOn) {
  ASSERT_OK(this->store_->Commit(MakeChange("rollouts/a", 0, 0, 3)));
  ASSERT_OK(this->store_->Commit(MakeChange("rollouts/b", 0, 0, 7)));
  ASSERT_OK(this->store_->Commit(MakeChange("rollouts/a", 1, 3, 9)));
  EXPECT_THAT(this->EventNumbers("rollouts/a", 0, 4), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(this->EventNumbers("rollouts/a", 9, 100), ElementsAre(10, 11, 12));
  EXPECT_THAT(this->EventNumbers("rollouts/a", 12, 100), IsEmpty());
  EXPECT_THAT(this->EventNumbers("rollouts/a", 0, 0), IsEmpty());
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Event> events, this->store_->ListEvents("rollouts/a", 3, 1));
  EXPECT_EQ(events[0].message(), "event 4");
}

TYPED_TEST(RolloutStoreTest, TheOutboxKeepsItsOrderUntilEntriesAreDone) {
  RolloutChange first = MakeChange("rollouts/a", 0, 0, 1);
  first.outbox = {MakeEntry("rollouts/a", "t1", "compile", ""),
                  MakeEntry("rollouts/a", "t2", "dispatch", std::string("\0\xff", 2))};
  ASSERT_OK(this->store_->Commit(first));
  RolloutChange second = MakeChange("rollouts/b", 0, 0, 1);
  second.outbox = {MakeEntry("rollouts/b", "t3", "cancel", "now")};
  ASSERT_OK(this->store_->Commit(second));
  std::vector<OutboxEntry> pending = this->Pending();
  ASSERT_EQ(pending.size(), 3u);
  EXPECT_LT(pending[0].id, pending[1].id);
  EXPECT_LT(pending[1].id, pending[2].id);
  EXPECT_EQ(pending[0].kind, "compile");
  EXPECT_EQ(pending[1].payload, std::string("\0\xff", 2));
  EXPECT_EQ(pending[1].target, "t2");
  EXPECT_EQ(pending[2].rollout, "rollouts/b");

  RolloutChange done = MakeChange("rollouts/a", 1, 1, 0);
  done.outbox_done = {pending[0].id, pending[2].id};
  ASSERT_OK(this->store_->Commit(done));
  ASSERT_EQ(this->Pending().size(), 1u);
  EXPECT_EQ(this->Pending()[0].id, pending[1].id);
}

TYPED_TEST(RolloutStoreTest, TheOutboxTakesCommandsOfWhateverKind) {
  RolloutChange change = MakeChange("rollouts/a", 0, 0, 1);
  for (const char* kind : {"compile", "dispatch", "cancel", "tune", "of a later version"}) {
    change.outbox.push_back(MakeEntry("rollouts/a", "t", kind, ""));
  }
  ASSERT_OK(this->store_->Commit(change));
  ASSERT_EQ(this->Pending().size(), 5u);
  EXPECT_EQ(this->Pending()[3].kind, "tune");
}

TYPED_TEST(RolloutStoreTest, AnOutboxEntryMayBeDoneTwice) {
  RolloutChange first = MakeChange("rollouts/a", 0, 0, 1);
  first.outbox = {MakeEntry("rollouts/a", "t", "compile", "")};
  ASSERT_OK(this->store_->Commit(first));
  RolloutChange done = MakeChange("rollouts/a", 1, 1, 0);
  done.outbox_done = {this->Pending()[0].id};
  ASSERT_OK(this->store_->Commit(done));
  done.expected_version = 2;
  EXPECT_OK(this->store_->Commit(done));
}

TYPED_TEST(RolloutStoreTest, IdsOfTheOutboxAreNeverUsedAgain) {
  std::set<int64_t> ids;
  for (int version = 0; version < 5; ++version) {
    RolloutChange change = MakeChange("rollouts/a", version, version, 1);
    for (const OutboxEntry& entry : this->Pending()) change.outbox_done.push_back(entry.id);
    change.outbox = {MakeEntry("rollouts/a", "t", "compile", "")};
    ASSERT_OK(this->store_->Commit(change));
    ASSERT_EQ(this->Pending().size(), 1u);
    EXPECT_TRUE(ids.insert(this->Pending()[0].id).second);
  }
}

TYPED_TEST(RolloutStoreTest, PinsACompiledPlanToItsRun) {
  RolloutChange change = MakeChange("rollouts/a", 0, 0, 1);
  change.pin = RolloutChange::Pin{.run = "rollouts/a/runs/t", .plan = {}};
  change.pin->plan.set_plan_digest("abc");
  ASSERT_OK(this->store_->Commit(change));
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan, this->store_->GetCompiledPlan("rollouts/a/runs/t"));
  EXPECT_EQ(plan.plan_digest(), "abc");
  EXPECT_THAT(this->store_->GetCompiledPlan("rollouts/a/runs/u"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("rollouts/a/runs/u")));
}

TYPED_TEST(RolloutStoreTest, ARunThatIsCompiledAgainGetsTheNewPlan) {
  for (int version = 0; version < 2; ++version) {
    RolloutChange change = MakeChange("rollouts/a", version, version, 1);
    change.pin = RolloutChange::Pin{.run = "rollouts/a/runs/t", .plan = {}};
    change.pin->plan.set_plan_digest(version == 0 ? "old" : "new");
    ASSERT_OK(this->store_->Commit(change));
  }
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan, this->store_->GetCompiledPlan("rollouts/a/runs/t"));
  EXPECT_EQ(plan.plan_digest(), "new");
}

TYPED_TEST(RolloutStoreTest, ListsRolloutsNewestFirstHoweverOftenTheyChanged) {
  ASSERT_OK(this->store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  ASSERT_OK(this->store_->Commit(MakeChange("rollouts/b", 0, 0, 1)));
  ASSERT_OK(this->store_->Commit(MakeChange("rollouts/a", 1, 1, 1)));
  std::string next;
  ASSERT_OK_AND_ASSIGN(std::vector<VersionedRollout> page, this->store_->ListRollouts({.size = 1}, &next));
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].rollout.name(), "rollouts/b");
  EXPECT_EQ(page[0].version, 1);
  ASSERT_OK_AND_ASSIGN(page, this->store_->ListRollouts({.size = 1, .token = next}, &next));
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].rollout.name(), "rollouts/a");
  EXPECT_EQ(page[0].version, 2);
  EXPECT_EQ(next, "");
}

TYPED_TEST(RolloutStoreTest, RefusesARolloutWithoutAName) {
  EXPECT_THAT(this->store_->Commit(MakeChange("", 0, 0, 1)), StatusIs(absl::StatusCode::kInvalidArgument));
}

TYPED_TEST(RolloutStoreTest, RefusesACommandOfAnotherRollout) {
  RolloutChange change = MakeChange("rollouts/a", 0, 0, 1);
  change.outbox = {MakeEntry("rollouts/b", "t", "compile", "")};
  EXPECT_THAT(this->store_->Commit(change),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("rollouts/b")));
  EXPECT_THAT(this->store_->GetRollout("rollouts/a"), StatusIs(absl::StatusCode::kNotFound));
}

TYPED_TEST(RolloutStoreTest, NamesAreOnlyText) {
  const std::string name = "plans/'; DROP TABLE plan; --";
  v1::StoredPlan plan = MakePlan("p", "x");
  plan.set_name(name);
  ASSERT_OK(this->store_->PutPlan(plan));
  ASSERT_OK(this->store_->Commit(MakeChange("rollouts/\"'x", 0, 0, 1)));
  EXPECT_OK(this->store_->GetPlan(name));
  EXPECT_OK(this->store_->GetRollout("rollouts/\"'x"));
}

}  // namespace
}  // namespace curlew::store
