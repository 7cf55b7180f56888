// What every RolloutStore promises. Each implementation passes all of it: a test that includes this says
//   INSTANTIATE_TYPED_TEST_SUITE_P(Name, RolloutStoreTest, Implementation);
#ifndef CURLEW_TESTS_CONTROLLER_STORE_ROLLOUT_STORE_SUITE_H_
#define CURLEW_TESTS_CONTROLLER_STORE_ROLLOUT_STORE_SUITE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "controller/store/rollout_store.h"
#include "tests/controller/store/builders.h"
#include "tests/support/status_matchers.h"

namespace curlew::store {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// An Implementation is made anew for each test, with an empty store. It has two methods:
//   RolloutStore& store();
//   RolloutStore& other();  // the same store, opened a second time where that makes a difference
template <typename Implementation>
class RolloutStoreTest : public ::testing::Test {
 protected:
  RolloutStore& store() { return implementation_.store(); }
  RolloutStore& other() { return implementation_.other(); }

  std::vector<std::string> PlanNames(const Page& page, std::string* next) {
    std::vector<std::string> names;
    auto plans = store().ListPlans(page, next);
    EXPECT_OK(plans);
    if (plans.ok()) {
      for (const v1::StoredPlan& plan : *plans) names.push_back(plan.name());
    }
    return names;
  }

  std::vector<int64_t> EventNumbers(const std::string& rollout, int64_t after, int limit) {
    std::vector<int64_t> numbers;
    auto events = store().ListEvents(rollout, after, limit);
    EXPECT_OK(events);
    if (events.ok()) {
      for (const v1::Event& event : *events) numbers.push_back(event.number());
    }
    return numbers;
  }

  std::vector<OutboxEntry> Pending() {
    auto entries = store().PendingOutbox();
    EXPECT_OK(entries);
    return entries.ok() ? *entries : std::vector<OutboxEntry>();
  }

 private:
  Implementation implementation_;
};
TYPED_TEST_SUITE_P(RolloutStoreTest);

TYPED_TEST_P(RolloutStoreTest, AnEmptyStoreHasNothing) {
  std::string next = "left over";
  EXPECT_THAT(this->PlanNames({}, &next), IsEmpty());
  EXPECT_EQ(next, "");
  EXPECT_THAT(this->store().ListEnvironments(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(this->store().ListRollouts({}, &next), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(this->store().PendingOutbox(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(this->store().ListEvents("rollouts/a", 0, 10), IsOkAndHolds(IsEmpty()));
}

TYPED_TEST_P(RolloutStoreTest, GivesAPlanBackAsItWasStored) {
  const v1::StoredPlan plan = MakePlan("rename-phone", "aaa");
  ASSERT_OK_AND_ASSIGN(const v1::StoredPlan stored, this->store().PutPlan(plan, {}));
  EXPECT_TRUE(SameProto(stored, plan));
  ASSERT_OK_AND_ASSIGN(const v1::StoredPlan read, this->store().GetPlan("plans/rename-phone-aaa"));
  EXPECT_TRUE(SameProto(read, plan));
}

TYPED_TEST_P(RolloutStoreTest, ABareNameMeansTheNewestPlanOfThatName) {
  ASSERT_OK(this->store().PutPlan(MakePlan("rename-phone", "aaa"), {}));
  ASSERT_OK(this->store().PutPlan(MakePlan("rename-phone", "bbb"), {}));
  ASSERT_OK(this->store().PutPlan(MakePlan("other", "ccc"), {}));
  ASSERT_OK_AND_ASSIGN(const v1::StoredPlan newest, this->store().GetPlan("rename-phone"));
  EXPECT_EQ(newest.digest(), "bbb");
}

TYPED_TEST_P(RolloutStoreTest, StoringAPlanTwiceKeepsTheFirst) {
  ASSERT_OK(this->store().PutPlan(MakePlan("rename-phone", "aaa"), {}));
  v1::StoredPlan again = MakePlan("rename-phone", "aaa");
  again.set_creator("bob");
  ASSERT_OK_AND_ASSIGN(const v1::StoredPlan stored, this->store().PutPlan(again, {}));
  EXPECT_EQ(stored.creator(), "ada");
  std::string next;
  EXPECT_THAT(this->PlanNames({}, &next), ElementsAre("plans/rename-phone-aaa"));
}

TYPED_TEST_P(RolloutStoreTest, RefusesAnotherPlanUnderANameThatIsTaken) {
  ASSERT_OK(this->store().PutPlan(MakePlan("rename-phone", "aaa"), {}));
  v1::StoredPlan other = MakePlan("rename-phone", "aaa");
  other.set_digest("aaa-and-more");
  EXPECT_THAT(this->store().PutPlan(other, {}),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("plans/rename-phone-aaa")));
}

// The n-th signature of a plan, of about `bytes`.
inline v1::PlanSignature MakeSignature(int n, size_t bytes = 0) {
  v1::PlanSignature signature;
  signature.mutable_statement()->set_id(absl::StrCat(n));
  signature.mutable_statement()->set_environment(std::string(bytes, 'e'));
  signature.set_public_key("key");
  signature.set_signature(absl::StrCat("signature ", n));
  return signature;
}

TYPED_TEST_P(RolloutStoreTest, KeepsSignaturesOfAPlanOnceAndInTheirOrder) {
  v1::StoredPlan plan = MakePlan("p", "1");
  ASSERT_OK(this->store().PutPlan(plan, {}));
  ASSERT_OK(this->store().PutPlan(MakePlan("p", "2"), {}));
  for (const int n : {1, 2, 1, 3, 2}) {
    if (plan.signatures_size() < n) *plan.add_signatures() = MakeSignature(n);
    ASSERT_OK_AND_ASSIGN(const v1::StoredPlan stored,
                         this->store().PutPlanSignature(plan.name(), MakeSignature(n), {}));
    EXPECT_TRUE(SameProto(stored, plan));
  }
  ASSERT_OK_AND_ASSIGN(const v1::StoredPlan read, this->other().GetPlan(plan.name()));
  EXPECT_TRUE(SameProto(read, plan));
  // The plan once more takes nothing away, and another one has none of them.
  ASSERT_OK_AND_ASSIGN(const v1::StoredPlan again, this->store().PutPlan(MakePlan("p", "1"), {}));
  EXPECT_TRUE(SameProto(again, plan));
  ASSERT_OK_AND_ASSIGN(const v1::StoredPlan other, this->store().GetPlan("plans/p-2"));
  EXPECT_EQ(other.signatures_size(), 0);
  for (const char* name : {"plans/p-3", "p", "", "plans/\xff"}) {
    EXPECT_THAT(this->store().PutPlanSignature(name, MakeSignature(1), {}),
                StatusIs(absl::StatusCode::kNotFound))
        << name;
  }
}

TYPED_TEST_P(RolloutStoreTest, OfManySignaturesTheNewestStay) {
  ASSERT_OK(this->store().PutPlan(MakePlan("p", "1"), {}));
  v1::StoredPlan stored;
  for (int n = 1; n <= 103; ++n) {
    ASSERT_OK_AND_ASSIGN(stored, this->store().PutPlanSignature("plans/p-1", MakeSignature(n), {}));
  }
  ASSERT_EQ(stored.signatures_size(), 100);
  EXPECT_EQ(stored.signatures(0).statement().id(), "4");
  EXPECT_EQ(stored.signatures(99).statement().id(), "103");
  // Of large ones fewer, but always the newest.
  constexpr size_t kLarge = 400 << 10;
  for (int n = 201; n <= 203; ++n) {
    ASSERT_OK_AND_ASSIGN(stored, this->store().PutPlanSignature("plans/p-1", MakeSignature(n, kLarge), {}));
  }
  ASSERT_EQ(stored.signatures_size(), 2);
  EXPECT_EQ(stored.signatures(1).statement().id(), "203");
}

TYPED_TEST_P(RolloutStoreTest, APlanThatIsNotThereIsNotFound) {
  ASSERT_OK(this->store().PutPlan(MakePlan("rename-phone", "aaa"), {}));
  EXPECT_THAT(this->store().GetPlan("plans/rename-phone"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(this->store().GetPlan("rename"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("rename")));
}

TYPED_TEST_P(RolloutStoreTest, ListsPlansNewestFirstInPagesWithoutGapOrOverlap) {
  for (const char* digest : {"1", "2", "3", "4", "5"})
    ASSERT_OK(this->store().PutPlan(MakePlan("p", digest), {}));
  std::string next;
  EXPECT_THAT(this->PlanNames({.size = 2}, &next), ElementsAre("plans/p-5", "plans/p-4"));
  ASSERT_NE(next, "");
  // What arrives between two pages does not shift them.
  ASSERT_OK(this->store().PutPlan(MakePlan("p", "6"), {}));
  EXPECT_THAT(this->PlanNames({.size = 2, .token = next}, &next), ElementsAre("plans/p-3", "plans/p-2"));
  EXPECT_THAT(this->PlanNames({.size = 2, .token = next}, &next), ElementsAre("plans/p-1"));
  EXPECT_EQ(next, "");
}

TYPED_TEST_P(RolloutStoreTest, APageThatHoldsTheRestIsTheLast) {
  for (const char* digest : {"1", "2"}) ASSERT_OK(this->store().PutPlan(MakePlan("p", digest), {}));
  std::string next = "left over";
  EXPECT_THAT(this->PlanNames({.size = 2}, &next), ElementsAre("plans/p-2", "plans/p-1"));
  EXPECT_EQ(next, "");
}

TYPED_TEST_P(RolloutStoreTest, RefusesAPageTokenThatItDidNotMake) {
  std::string next;
  for (const char* token : {"12", "before-", "before-x", "' OR 1=1"}) {
    EXPECT_THAT(this->store().ListPlans({.token = token}, &next),
                StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(this->store().ListRollouts({.token = token}, &next),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("page_token")));
  }
}

TYPED_TEST_P(RolloutStoreTest, PutEnvironmentsReplacesTheWholePipeline) {
  std::vector<v1::Environment> pipeline(3);
  pipeline[0].set_name("environments/staging");
  pipeline[0].add_targets("staging-crm");
  pipeline[1].set_name("environments/canary");
  pipeline[2].set_name("environments/production");
  ASSERT_OK(this->store().PutEnvironments(pipeline, {}));
  std::vector<v1::Environment> shorter = {pipeline[2], pipeline[0]};
  ASSERT_OK(this->store().PutEnvironments(shorter, {}));
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Environment> read, this->store().ListEnvironments());
  ASSERT_EQ(read.size(), 2u);
  EXPECT_TRUE(SameProto(read[0], pipeline[2]));
  EXPECT_TRUE(SameProto(read[1], pipeline[0]));
}

TYPED_TEST_P(RolloutStoreTest, ANewRolloutHasVersionOne) {
  const RolloutChange change = MakeChange("rollouts/a", 0, 0, 1);
  EXPECT_THAT(this->store().Commit(change), IsOkAndHolds(1));
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, this->store().GetRollout("rollouts/a"));
  EXPECT_EQ(read.version, 1);
  EXPECT_TRUE(SameProto(read.rollout, change.rollout));
}

TYPED_TEST_P(RolloutStoreTest, EachChangeRaisesTheVersionAndReplacesTheState) {
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 0, 0, 2)));
  EXPECT_THAT(this->store().Commit(MakeChange("rollouts/a", 1, 2, 0)), IsOkAndHolds(2));
  EXPECT_THAT(this->store().Commit(MakeChange("rollouts/a", 2, 2, 1)), IsOkAndHolds(3));
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, this->store().GetRollout("rollouts/a"));
  EXPECT_EQ(read.version, 3);
  EXPECT_EQ(read.rollout.reason(), "change of version 2");
}

TYPED_TEST_P(RolloutStoreTest, AChangeFromAnOldVersionIsAbortedAndChangesNothing) {
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 0, 0, 1)));
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 1, 1, 1)));
  RolloutChange late = MakeChange("rollouts/a", 1, 2, 1);
  late.outbox.push_back(MakeEntry("rollouts/a", "t", "cancel", "x"));
  late.pin = RolloutChange::Pin{.run = "rollouts/a/runs/t", .plan = {}};
  EXPECT_THAT(this->store().Commit(late), StatusIs(absl::StatusCode::kAborted, HasSubstr("version 2")));
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, this->store().GetRollout("rollouts/a"));
  EXPECT_EQ(read.version, 2);
  EXPECT_THAT(this->EventNumbers("rollouts/a", 0, 10), ElementsAre(1, 2));
  EXPECT_THAT(this->Pending(), IsEmpty());
  EXPECT_THAT(this->store().GetCompiledPlan("rollouts/a/runs/t"), StatusIs(absl::StatusCode::kNotFound));
}

TYPED_TEST_P(RolloutStoreTest, AChangeOfARolloutThatIsNotThereIsAborted) {
  EXPECT_THAT(this->store().Commit(MakeChange("rollouts/a", 3, 0, 1)), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(this->store().GetRollout("rollouts/a"), StatusIs(absl::StatusCode::kNotFound));
}

TYPED_TEST_P(RolloutStoreTest, ANewRolloutCannotTakeANameThatIsTaken) {
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 0, 0, 1)));
  EXPECT_THAT(this->store().Commit(MakeChange("rollouts/a", 0, 0, 1)),
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("rollouts/a")));
}

TYPED_TEST_P(RolloutStoreTest, EventsAreNumberedWithoutGapsOrRepetition) {
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 0, 0, 2)));
  EXPECT_THAT(this->store().Commit(MakeChange("rollouts/a", 1, 3, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("event 4 cannot follow event 2")));
  EXPECT_THAT(this->store().Commit(MakeChange("rollouts/a", 1, 1, 1)),
              StatusIs(absl::StatusCode::kInvalidArgument));
  RolloutChange uncounted = MakeChange("rollouts/a", 1, 2, 1);
  uncounted.rollout.set_last_event(2);
  EXPECT_THAT(this->store().Commit(uncounted), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(this->EventNumbers("rollouts/a", 0, 10), ElementsAre(1, 2));
}

TYPED_TEST_P(RolloutStoreTest, ListsEventsInOrderFromAnyOfThemOn) {
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 0, 0, 3)));
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/b", 0, 0, 7)));
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 1, 3, 9)));
  EXPECT_THAT(this->EventNumbers("rollouts/a", 0, 4), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(this->EventNumbers("rollouts/a", 9, 100), ElementsAre(10, 11, 12));
  EXPECT_THAT(this->EventNumbers("rollouts/a", 12, 100), IsEmpty());
  EXPECT_THAT(this->EventNumbers("rollouts/a", 0, 0), IsEmpty());
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Event> events, this->store().ListEvents("rollouts/a", 3, 1));
  EXPECT_EQ(events[0].message(), "event 4");
}

TYPED_TEST_P(RolloutStoreTest, TheOutboxKeepsItsOrderUntilEntriesAreDone) {
  RolloutChange first = MakeChange("rollouts/a", 0, 0, 1);
  first.outbox = {MakeEntry("rollouts/a", "t1", "compile", ""),
                  MakeEntry("rollouts/a", "t2", "dispatch", std::string("\0\xff", 2))};
  ASSERT_OK(this->store().Commit(first));
  RolloutChange second = MakeChange("rollouts/b", 0, 0, 1);
  second.outbox = {MakeEntry("rollouts/b", "t3", "cancel", "now")};
  ASSERT_OK(this->store().Commit(second));
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
  ASSERT_OK(this->store().Commit(done));
  ASSERT_EQ(this->Pending().size(), 1u);
  EXPECT_EQ(this->Pending()[0].id, pending[1].id);
}

TYPED_TEST_P(RolloutStoreTest, TheOutboxTakesCommandsOfWhateverKind) {
  RolloutChange change = MakeChange("rollouts/a", 0, 0, 1);
  for (const char* kind : {"compile", "dispatch", "cancel", "tune", "of a later version"}) {
    change.outbox.push_back(MakeEntry("rollouts/a", "t", kind, ""));
  }
  ASSERT_OK(this->store().Commit(change));
  ASSERT_EQ(this->Pending().size(), 5u);
  EXPECT_EQ(this->Pending()[3].kind, "tune");
}

TYPED_TEST_P(RolloutStoreTest, AnOutboxEntryMayBeDoneTwice) {
  RolloutChange first = MakeChange("rollouts/a", 0, 0, 1);
  first.outbox = {MakeEntry("rollouts/a", "t", "compile", "")};
  ASSERT_OK(this->store().Commit(first));
  RolloutChange done = MakeChange("rollouts/a", 1, 1, 0);
  done.outbox_done = {this->Pending()[0].id};
  ASSERT_OK(this->store().Commit(done));
  done.expected_version = 2;
  EXPECT_OK(this->store().Commit(done));
}

TYPED_TEST_P(RolloutStoreTest, IdsOfTheOutboxAreNeverUsedAgain) {
  std::set<int64_t> ids;
  for (int version = 0; version < 5; ++version) {
    RolloutChange change = MakeChange("rollouts/a", version, version, 1);
    for (const OutboxEntry& entry : this->Pending()) change.outbox_done.push_back(entry.id);
    change.outbox = {MakeEntry("rollouts/a", "t", "compile", "")};
    ASSERT_OK(this->store().Commit(change));
    ASSERT_EQ(this->Pending().size(), 1u);
    EXPECT_TRUE(ids.insert(this->Pending()[0].id).second);
  }
}

TYPED_TEST_P(RolloutStoreTest, PinsACompiledPlanToItsRun) {
  RolloutChange change = MakeChange("rollouts/a", 0, 0, 1);
  change.pin = RolloutChange::Pin{.run = "rollouts/a/runs/t", .plan = {}};
  change.pin->plan.set_plan_digest("abc");
  ASSERT_OK(this->store().Commit(change));
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan, this->store().GetCompiledPlan("rollouts/a/runs/t"));
  EXPECT_EQ(plan.plan_digest(), "abc");
  EXPECT_THAT(this->store().GetCompiledPlan("rollouts/a/runs/u"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("rollouts/a/runs/u")));
}

TYPED_TEST_P(RolloutStoreTest, ARunThatIsCompiledAgainGetsTheNewPlan) {
  for (int version = 0; version < 2; ++version) {
    RolloutChange change = MakeChange("rollouts/a", version, version, 1);
    change.pin = RolloutChange::Pin{.run = "rollouts/a/runs/t", .plan = {}};
    change.pin->plan.set_plan_digest(version == 0 ? "old" : "new");
    ASSERT_OK(this->store().Commit(change));
  }
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan, this->store().GetCompiledPlan("rollouts/a/runs/t"));
  EXPECT_EQ(plan.plan_digest(), "new");
}

TYPED_TEST_P(RolloutStoreTest, ListsRolloutsNewestFirstHoweverOftenTheyChanged) {
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 0, 0, 1)));
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/b", 0, 0, 1)));
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 1, 1, 1)));
  std::string next;
  ASSERT_OK_AND_ASSIGN(std::vector<VersionedRollout> page, this->store().ListRollouts({.size = 1}, &next));
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].rollout.name(), "rollouts/b");
  EXPECT_EQ(page[0].version, 1);
  ASSERT_OK_AND_ASSIGN(page, this->store().ListRollouts({.size = 1, .token = next}, &next));
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].rollout.name(), "rollouts/a");
  EXPECT_EQ(page[0].version, 2);
  EXPECT_EQ(next, "");
}

// Runs may be kept apart from their rollout, and only those written that have changed: nobody sees that.
TYPED_TEST_P(RolloutStoreTest, KeepsTheRunsOfARolloutAsTheyWereChangedLast) {
  RolloutChange change = MakeChange("rollouts/a", 0, 0, 0);
  for (int i = 0; i < 5; ++i) change.rollout.add_runs()->set_target(absl::StrCat("t", i));
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/without", 0, 0, 0)));
  const auto commit = [&](RolloutStore& store) {
    ASSERT_OK(store.Commit(change));
    ++change.expected_version;
    for (RolloutStore* const reader : {&this->store(), &this->other()}) {
      ASSERT_OK_AND_ASSIGN(const VersionedRollout read, reader->GetRollout("rollouts/a"));
      EXPECT_TRUE(SameProto(read.rollout, change.rollout)) << read.rollout.ShortDebugString();
      EXPECT_EQ(read.version, change.expected_version);
      std::string next;
      ASSERT_OK_AND_ASSIGN(const auto listed, reader->ListRollouts({}, &next));
      ASSERT_EQ(listed.size(), 2u);
      EXPECT_TRUE(SameProto(listed[0].rollout, change.rollout));
      EXPECT_EQ(listed[1].rollout.runs_size(), 0);
    }
  };
  commit(this->store());
  change.rollout.mutable_runs(3)->set_state(v1::RUN_STATE_RUNNING);
  commit(this->store());
  change.rollout.set_reason("only this");
  commit(this->store());
  // What another one writes is not what this one wrote last, also where this one then writes that again.
  const v1::Rollout mine = change.rollout;
  change.rollout.mutable_runs(0)->set_target("renamed");
  change.rollout.mutable_runs(4)->set_state(v1::RUN_STATE_FAILED);
  commit(this->other());
  change.rollout = mine;
  commit(this->store());
  change.rollout.mutable_runs()->DeleteSubrange(1, 3);
  commit(this->store());
  change.rollout.add_runs()->set_target("t5");
  commit(this->store());
  // A change that is refused leaves no trace, here or in what is written next.
  RolloutChange refused = change;
  refused.rollout.mutable_runs(0)->set_target("refused");
  refused.rollout.mutable_runs(1)->set_target("refused");
  refused.expected_version = 1;
  EXPECT_THAT(this->store().Commit(refused), StatusIs(absl::StatusCode::kAborted));
  refused.expected_version = change.expected_version;
  refused.rollout.set_last_event(7);
  EXPECT_THAT(this->store().Commit(refused), StatusIs(absl::StatusCode::kInvalidArgument));
  change.rollout.mutable_runs(1)->set_state(v1::RUN_STATE_SUCCEEDED);
  commit(this->store());
  change.rollout.clear_runs();
  commit(this->store());
}

TYPED_TEST_P(RolloutStoreTest, RefusesARolloutWithoutAName) {
  EXPECT_THAT(this->store().Commit(MakeChange("", 0, 0, 1)), StatusIs(absl::StatusCode::kInvalidArgument));
}

TYPED_TEST_P(RolloutStoreTest, RefusesACommandOfAnotherRollout) {
  RolloutChange change = MakeChange("rollouts/a", 0, 0, 1);
  change.outbox = {MakeEntry("rollouts/b", "t", "compile", "")};
  EXPECT_THAT(this->store().Commit(change),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("rollouts/b")));
  EXPECT_THAT(this->store().GetRollout("rollouts/a"), StatusIs(absl::StatusCode::kNotFound));
}

TYPED_TEST_P(RolloutStoreTest, NamesAreOnlyText) {
  const std::string name = "plans/'; DROP TABLE plan; --";
  v1::StoredPlan plan = MakePlan("p", "x");
  plan.set_name(name);
  ASSERT_OK(this->store().PutPlan(plan, {}));
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/\"'x", 0, 0, 1)));
  EXPECT_OK(this->store().GetPlan(name));
  EXPECT_OK(this->store().GetRollout("rollouts/\"'x"));
}

TYPED_TEST_P(RolloutStoreTest, RemovesEventsBelowANumberAndListsTheRest) {
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 0, 0, 6)));
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/b", 0, 0, 3)));
  RolloutChange trim = MakeChange("rollouts/a", 1, 6, 0);
  trim.trim_events_below = 4;
  trim.rollout.set_first_event(4);
  ASSERT_OK(this->store().Commit(trim));
  EXPECT_THAT(this->EventNumbers("rollouts/a", 0, 10), ElementsAre(4, 5, 6));
  EXPECT_THAT(this->EventNumbers("rollouts/a", 2, 2), ElementsAre(4, 5));
  EXPECT_THAT(this->EventNumbers("rollouts/b", 0, 10), ElementsAre(1, 2, 3));
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, this->store().GetRollout("rollouts/a"));
  EXPECT_EQ(read.rollout.first_event(), 4);
  // Numbers go on where they were, and a change may trim and add.
  RolloutChange both = MakeChange("rollouts/a", 2, 6, 1);
  both.trim_events_below = 7;
  both.rollout.set_first_event(7);
  ASSERT_OK(this->store().Commit(both));
  EXPECT_THAT(this->EventNumbers("rollouts/a", 0, 10), ElementsAre(7));
}

TYPED_TEST_P(RolloutStoreTest, TrimsOnlyAsTheRolloutSaysAndNeverTheNewestEventNorBackwards) {
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 0, 0, 6)));
  const auto trim = [](int64_t version, int64_t below, int64_t first) {
    RolloutChange change = MakeChange("rollouts/a", version, 6, 0);
    change.trim_events_below = below;
    change.rollout.set_first_event(first);
    return change;
  };
  EXPECT_THAT(this->store().Commit(trim(1, 7, 7)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("always kept")));
  EXPECT_THAT(this->store().Commit(trim(1, 4, 3)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("first_event is 3")));
  EXPECT_THAT(this->store().Commit(trim(1, -1, 0)), StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_OK(this->store().Commit(trim(1, 6, 6)));
  EXPECT_THAT(this->store().Commit(trim(2, 5, 5)),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("oldest that is kept has number 6")));
  EXPECT_THAT(this->EventNumbers("rollouts/a", 0, 10), ElementsAre(6));
}

TYPED_TEST_P(RolloutStoreTest, OfTwoChangesFromOneVersionTheSecondIsAborted) {
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 0, 0, 1)));
  RolloutChange mine = MakeChange("rollouts/a", 1, 1, 1);
  mine.events[0].set_message("mine");
  EXPECT_THAT(this->other().Commit(mine), IsOkAndHolds(2));
  EXPECT_THAT(this->store().Commit(MakeChange("rollouts/a", 1, 1, 1)),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("version 2")));
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Event> events, this->store().ListEvents("rollouts/a", 1, 10));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].message(), "mine");
}

TYPED_TEST_P(RolloutStoreTest, OfTwoNewRolloutsOfOneNameTheSecondIsRefused) {
  ASSERT_OK(this->other().Commit(MakeChange("rollouts/a", 0, 0, 1)));
  EXPECT_THAT(this->store().Commit(MakeChange("rollouts/a", 0, 0, 1)),
              StatusIs(absl::StatusCode::kAlreadyExists));
}

TYPED_TEST_P(RolloutStoreTest, KeepsPlansAndStatesOfSeveralMegabytes) {
  v1::StoredPlan plan = MakePlan("large", "1");
  plan.set_creator(std::string(5 << 20, 'p'));
  ASSERT_OK(this->store().PutPlan(plan, {}));
  ASSERT_OK_AND_ASSIGN(const v1::StoredPlan read, this->store().GetPlan("plans/large-1"));
  EXPECT_TRUE(SameProto(read, plan));
  RolloutChange change = MakeChange("rollouts/large", 0, 0, 300);
  change.rollout.set_reason(std::string(5 << 20, 'r'));
  for (v1::Event& event : change.events) event.set_message(std::string(4 << 10, 'e'));
  change.pin = RolloutChange::Pin{.run = "rollouts/large/runs/t", .plan = {}};
  change.pin->plan.set_plan_digest(std::string(5 << 20, 'c'));
  change.outbox = {MakeEntry("rollouts/large", "t", "compile", std::string(1 << 20, '\0'))};
  ASSERT_OK(this->store().Commit(change));
  ASSERT_OK_AND_ASSIGN(const VersionedRollout rollout, this->store().GetRollout("rollouts/large"));
  EXPECT_TRUE(SameProto(rollout.rollout, change.rollout));
  ASSERT_OK_AND_ASSIGN(const auto events, this->store().ListEvents("rollouts/large", 0, 1000));
  ASSERT_EQ(events.size(), 300u);
  EXPECT_TRUE(SameProto(events[299], change.events[299]));
  ASSERT_OK_AND_ASSIGN(const auto compiled, this->store().GetCompiledPlan("rollouts/large/runs/t"));
  EXPECT_TRUE(SameProto(compiled, change.pin->plan));
  ASSERT_EQ(this->Pending().size(), 1u);
  EXPECT_EQ(this->Pending()[0].payload, change.outbox[0].payload);
}

TYPED_TEST_P(RolloutStoreTest, KeepsEveryTextAndEveryByteAsItIs) {
  std::string bytes;
  for (int c = 0; c < 256; ++c) bytes += static_cast<char>(c);
  RolloutChange change = MakeChange("rollouts/\u00fc\u6f22\U0001f426", 0, 0, 1);
  change.events[0].set_message(std::string("a\0b", 3));
  const std::vector<std::string> texts = {"",           "NULL",  "null",      "{}", "a,b",
                                          "\"q\"",      "\\x41", "'\\''",     "$1", "%s",
                                          "\u00fc\n\t", " pad ", "\U0001f426"};
  for (const std::string& text : texts) {
    change.outbox.push_back(MakeEntry(change.rollout.name(), text, "k" + text, text + bytes));
  }
  ASSERT_OK(this->store().Commit(change));
  const std::vector<OutboxEntry> pending = this->Pending();
  ASSERT_EQ(pending.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(pending[i].target, texts[i]);
    EXPECT_EQ(pending[i].kind, "k" + texts[i]);
    EXPECT_EQ(pending[i].payload, texts[i] + bytes);
    EXPECT_EQ(pending[i].rollout, change.rollout.name());
  }
  ASSERT_OK_AND_ASSIGN(const auto events, this->store().ListEvents(change.rollout.name(), 0, 10));
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].message(), std::string("a\0b", 3));
  std::vector<v1::Environment> pipeline(3);
  pipeline[0].set_name("NULL");
  pipeline[1].set_name("\"\\,{}'");
  pipeline[1].add_targets("\u6f22");
  pipeline[2].set_name("");
  ASSERT_OK(this->store().PutEnvironments(pipeline, {}));
  ASSERT_OK_AND_ASSIGN(const auto read, this->store().ListEnvironments());
  ASSERT_EQ(read.size(), 3u);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(SameProto(read[i], pipeline[i]));
}

TYPED_TEST_P(RolloutStoreTest, RefusesNamesWithANulOrThatAreNoUtf8AndFindsNoneOfThem) {
  ASSERT_OK(this->store().Commit(MakeChange("rollouts/a", 0, 0, 1)));
  ASSERT_OK(this->store().PutPlan(MakePlan("p", "1"), {}));
  for (const std::string& tail : {std::string("\0b", 2), std::string("\xff")}) {
    const std::string name = "rollouts/a" + tail;
    EXPECT_THAT(this->store().Commit(MakeChange(name, 0, 0, 1)),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("name of a rollout")));
    EXPECT_THAT(this->store().GetRollout(name), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(this->store().ListEvents(name, 0, 10), IsOkAndHolds(IsEmpty()));
    EXPECT_THAT(this->store().GetPlan("plans/p-1" + tail), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(this->store().GetPlan("p" + tail), StatusIs(absl::StatusCode::kNotFound));
    EXPECT_THAT(this->store().GetCompiledPlan(name), StatusIs(absl::StatusCode::kNotFound));
    v1::StoredPlan plan = MakePlan("p", "2");
    plan.set_name(plan.name() + tail);
    EXPECT_THAT(this->store().PutPlan(plan, {}), StatusIs(absl::StatusCode::kInvalidArgument));
    RolloutChange change = MakeChange("rollouts/a", 1, 1, 0);
    change.outbox = {MakeEntry("rollouts/a", "t" + tail, "compile", "")};
    EXPECT_THAT(this->store().Commit(change), StatusIs(absl::StatusCode::kInvalidArgument));
    v1::Environment environment;
    environment.set_name("e" + tail);
    EXPECT_THAT(this->store().PutEnvironments({environment}, {}),
                StatusIs(absl::StatusCode::kInvalidArgument));
  }
}

TYPED_TEST_P(RolloutStoreTest, ListsMoreRolloutsThanAPageHoldsWithoutGapOrOverlap) {
  for (int i = 0; i < 7; ++i)
    ASSERT_OK(this->store().Commit(MakeChange(absl::StrCat("rollouts/", i), 0, 0, 1)));
  std::vector<std::string> names;
  std::string next;
  do {
    ASSERT_OK_AND_ASSIGN(const auto page, this->store().ListRollouts({.size = 3, .token = next}, &next));
    ASSERT_LE(page.size(), 3u);
    for (const VersionedRollout& rollout : page) names.push_back(rollout.rollout.name());
  } while (!next.empty());
  EXPECT_THAT(names, ElementsAre("rollouts/6", "rollouts/5", "rollouts/4", "rollouts/3", "rollouts/2",
                                 "rollouts/1", "rollouts/0"));
}

REGISTER_TYPED_TEST_SUITE_P(
    RolloutStoreTest, AnEmptyStoreHasNothing, GivesAPlanBackAsItWasStored,
    ABareNameMeansTheNewestPlanOfThatName, StoringAPlanTwiceKeepsTheFirst,
    RefusesAnotherPlanUnderANameThatIsTaken, KeepsSignaturesOfAPlanOnceAndInTheirOrder,
    OfManySignaturesTheNewestStay, APlanThatIsNotThereIsNotFound,
    ListsPlansNewestFirstInPagesWithoutGapOrOverlap, APageThatHoldsTheRestIsTheLast,
    RefusesAPageTokenThatItDidNotMake, PutEnvironmentsReplacesTheWholePipeline, ANewRolloutHasVersionOne,
    EachChangeRaisesTheVersionAndReplacesTheState, AChangeFromAnOldVersionIsAbortedAndChangesNothing,
    AChangeOfARolloutThatIsNotThereIsAborted, ANewRolloutCannotTakeANameThatIsTaken,
    EventsAreNumberedWithoutGapsOrRepetition, ListsEventsInOrderFromAnyOfThemOn,
    TheOutboxKeepsItsOrderUntilEntriesAreDone, TheOutboxTakesCommandsOfWhateverKind,
    AnOutboxEntryMayBeDoneTwice, IdsOfTheOutboxAreNeverUsedAgain, PinsACompiledPlanToItsRun,
    ARunThatIsCompiledAgainGetsTheNewPlan, ListsRolloutsNewestFirstHoweverOftenTheyChanged,
    KeepsTheRunsOfARolloutAsTheyWereChangedLast, RefusesARolloutWithoutAName, RefusesACommandOfAnotherRollout,
    NamesAreOnlyText, RemovesEventsBelowANumberAndListsTheRest,
    TrimsOnlyAsTheRolloutSaysAndNeverTheNewestEventNorBackwards, OfTwoChangesFromOneVersionTheSecondIsAborted,
    OfTwoNewRolloutsOfOneNameTheSecondIsRefused, KeepsPlansAndStatesOfSeveralMegabytes,
    KeepsEveryTextAndEveryByteAsItIs, RefusesNamesWithANulOrThatAreNoUtf8AndFindsNoneOfThem,
    ListsMoreRolloutsThanAPageHoldsWithoutGapOrOverlap);

}  // namespace curlew::store

#endif  // CURLEW_TESTS_CONTROLLER_STORE_ROLLOUT_STORE_SUITE_H_
