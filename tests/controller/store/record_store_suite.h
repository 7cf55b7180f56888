// What the records of every RolloutStore promise. Each implementation passes all of it: a test that includes
// this says
//   INSTANTIATE_TYPED_TEST_SUITE_P(Name, RecordStoreTest, Implementation);
// with an Implementation as RolloutStoreTest wants it.
#ifndef CURLEW_TESTS_CONTROLLER_STORE_RECORD_STORE_SUITE_H_
#define CURLEW_TESTS_CONTROLLER_STORE_RECORD_STORE_SUITE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/audit_chain.h"
#include "controller/store/rollout_store.h"
#include "tests/controller/store/builders.h"
#include "tests/support/status_matchers.h"

namespace curlew::store {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <typename Implementation>
class RecordStoreTest : public ::testing::Test {
 protected:
  RolloutStore& store() { return implementation_.store(); }
  RecordStore& records() { return implementation_.store().records(); }
  RolloutStore& other() { return implementation_.other(); }

  std::vector<v1::AuditEntry> Audit() {
    auto entries = records().ListAudit(0, 10000);
    EXPECT_OK(entries);
    return entries.ok() ? *entries : std::vector<v1::AuditEntry>();
  }
  std::vector<std::string> Actions() {
    std::vector<std::string> actions;
    for (const v1::AuditEntry& entry : Audit()) actions.push_back(entry.action());
    return actions;
  }
  std::vector<v1::Notification> Pending(int64_t after = 0, int limit = 10000) {
    auto pending = records().PendingNotifications(after, limit);
    EXPECT_OK(pending);
    return pending.ok() ? *pending : std::vector<v1::Notification>();
  }
  std::vector<std::string> Messages() {
    std::vector<std::string> messages;
    for (const v1::Notification& notification : Pending()) messages.push_back(notification.message());
    return messages;
  }
  // Number and target of each record of a page.
  std::vector<std::string> Listed(const std::string& target, const Page& page, std::string* next) {
    std::vector<std::string> listed;
    auto records = this->records().ListTargetRecords(target, page, next);
    EXPECT_OK(records);
    if (!records.ok()) return listed;
    for (const v1::TargetRecord& record : *records) {
      EXPECT_EQ(record.schema_json(), "") << "lists leave it out";
      listed.push_back(absl::StrCat(record.target(), " ", record.number()));
    }
    return listed;
  }
  // The whole log is numbered and chained, and its head is its last entry.
  void ExpectChained() {
    int64_t number = 0;
    std::string hash(base::kNoAuditHash);
    for (const v1::AuditEntry& entry : Audit()) {
      EXPECT_OK(base::CheckChain(number, hash, entry));
      number = entry.number();
      hash = entry.hash();
    }
    ASSERT_OK_AND_ASSIGN(const v1::AuditHead head, records().AuditHead());
    EXPECT_EQ(head.number(), number);
    EXPECT_EQ(head.hash(), hash);
    EXPECT_EQ(head.signature(), "");
  }

 private:
  Implementation implementation_;
};
TYPED_TEST_SUITE_P(RecordStoreTest);

TYPED_TEST_P(RecordStoreTest, AnEmptyStoreHasNothing) {
  EXPECT_THAT(this->Audit(), IsEmpty());
  this->ExpectChained();
  EXPECT_THAT(this->Pending(), IsEmpty());
  std::string next = "left over";
  EXPECT_THAT(this->Listed("", {}, &next), IsEmpty());
  EXPECT_EQ(next, "");
  next = "left over";
  EXPECT_THAT(this->Listed("crm", {}, &next), IsEmpty());
  EXPECT_EQ(next, "");
  EXPECT_THAT(this->records().NewestTargetRecord("crm"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("crm")));
  ASSERT_OK(this->records().Put({}));
  EXPECT_THAT(this->Audit(), IsEmpty());
}

TYPED_TEST_P(RecordStoreTest, EntriesAreNumberedAndChainedWhateverStandsInThem) {
  Record record = MakeRecord({"plan.create", "rollout.start"});
  record.audit[0].set_number(77);
  record.audit[0].set_hash("forged");
  record.audit[1].set_previous_hash("forged");
  record.audit[1].set_reason("because \u00fc \"of\" {it}\n");
  (*record.audit[1].mutable_details())["gate"] = "staging/before";
  (*record.audit[1].mutable_details())["a"] = "";
  ASSERT_OK(this->records().Put(record));
  ASSERT_OK(this->records().Put(MakeRecord({"rollout.approve"})));
  this->ExpectChained();
  const std::vector<v1::AuditEntry> entries = this->Audit();
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].number(), 1);
  EXPECT_EQ(entries[0].previous_hash(), base::kNoAuditHash);
  EXPECT_EQ(entries[1].reason(), record.audit[1].reason());
  EXPECT_EQ(entries[1].details().at("gate"), "staging/before");
  EXPECT_EQ(entries[1].actor(), "ada");
  EXPECT_EQ(entries[2].number(), 3);
  EXPECT_EQ(entries[2].previous_hash(), entries[1].hash());
}

TYPED_TEST_P(RecordStoreTest, ListsTheAuditLogInOrderFromAnyEntryOn) {
  ASSERT_OK(this->records().Put(MakeRecord({"1", "2", "3", "4", "5"})));
  const auto actions = [&](int64_t after, int limit) {
    std::vector<std::string> listed;
    auto entries = this->records().ListAudit(after, limit);
    EXPECT_OK(entries);
    for (const v1::AuditEntry& entry : *entries) listed.push_back(entry.action());
    return listed;
  };
  EXPECT_THAT(actions(0, 2), ElementsAre("1", "2"));
  EXPECT_THAT(actions(2, 2), ElementsAre("3", "4"));
  EXPECT_THAT(actions(4, 2), ElementsAre("5"));
  EXPECT_THAT(actions(5, 2), IsEmpty());
  EXPECT_THAT(actions(0, 0), IsEmpty());
  EXPECT_THAT(actions(0, -1), IsEmpty());
}

TYPED_TEST_P(RecordStoreTest, WhatIsPutIsRecordedWithIt) {
  ASSERT_OK(this->store().PutPlan(MakePlan("p", "1"), MakeRecord({"plan.create"}, {"a plan"})));
  v1::Environment staging;
  staging.set_name("environments/staging");
  ASSERT_OK(this->store().PutEnvironments({staging}, MakeRecord({"environments.apply"}, {"a pipeline"})));
  RolloutChange change = MakeChange("rollouts/a", 0, 0, 1);
  change.record = MakeRecord({"rollout.start", "rollout.pause"}, {"started", "paused"});
  ASSERT_OK(this->store().Commit(change));
  EXPECT_THAT(this->Actions(),
              ElementsAre("plan.create", "environments.apply", "rollout.start", "rollout.pause"));
  EXPECT_THAT(this->Messages(), ElementsAre("a plan", "a pipeline", "started", "paused"));
  this->ExpectChained();
}

TYPED_TEST_P(RecordStoreTest, APlanThatIsThereAlreadyIsNotRecordedAgain) {
  ASSERT_OK(this->store().PutPlan(MakePlan("p", "1"), MakeRecord({"plan.create"})));
  ASSERT_OK(this->store().PutPlan(MakePlan("p", "1"), MakeRecord({"again"}, {"again"})));
  v1::StoredPlan changed = MakePlan("p", "1");
  changed.set_digest("2");
  EXPECT_THAT(this->store().PutPlan(changed, MakeRecord({"changed"}, {"changed"})),
              StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_THAT(this->Actions(), ElementsAre("plan.create"));
  // Nor is a signature.
  v1::PlanSignature signature;
  signature.set_signature("s");
  for (const char* action : {"plan.sign", "again"}) {
    ASSERT_OK(this->store().PutPlanSignature("plans/p-1", signature, MakeRecord({action})));
  }
  EXPECT_THAT(this->store().PutPlanSignature("plans/p-2", signature, MakeRecord({"none"})),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(this->Actions(), ElementsAre("plan.create", "plan.sign"));
  this->ExpectChained();
  EXPECT_THAT(this->Messages(), IsEmpty());
}

TYPED_TEST_P(RecordStoreTest, OfAChangeThatIsRefusedNothingIsRecordedAndNoNumberIsLost) {
  RolloutChange change = MakeChange("rollouts/a", 0, 0, 1);
  change.record = MakeRecord({"rollout.start"}, {"started"});
  ASSERT_OK(this->store().Commit(change));
  EXPECT_THAT(this->store().Commit(change), StatusIs(absl::StatusCode::kAlreadyExists));
  change.expected_version = 7;
  EXPECT_THAT(this->store().Commit(change), StatusIs(absl::StatusCode::kAborted));
  RolloutChange bad = MakeChange("rollouts/a", 1, 5, 1);
  bad.record = MakeRecord({"bad"}, {"bad"});
  EXPECT_THAT(this->store().Commit(bad), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(this->Actions(), ElementsAre("rollout.start"));
  EXPECT_THAT(this->Messages(), ElementsAre("started"));
  RolloutChange next = MakeChange("rollouts/a", 1, 1, 1);
  next.record = MakeRecord({"rollout.approve"});
  ASSERT_OK(this->store().Commit(next));
  this->ExpectChained();
}

TYPED_TEST_P(RecordStoreTest, WhatHoldsBytesThatAreNoTextIsRefusedWholly) {
  Record bad = MakeRecord({"good", "b\xff"}, {"told"});
  EXPECT_THAT(this->records().Put(bad), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("action")));
  EXPECT_THAT(this->store().PutPlan(MakePlan("p", "1"), bad), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(this->store().PutEnvironments({}, bad), StatusIs(absl::StatusCode::kInvalidArgument));
  RolloutChange change = MakeChange("rollouts/a", 0, 0, 1);
  change.record = bad;
  EXPECT_THAT(this->store().Commit(change), StatusIs(absl::StatusCode::kInvalidArgument));
  Record details = MakeRecord({"good"});
  (*details.audit[0].mutable_details())["k\xff"] = "v";
  EXPECT_THAT(this->records().Put(details), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(this->records().Put(MakeRecord({}, {"\xff"})), StatusIs(absl::StatusCode::kInvalidArgument));
  v1::TargetRecord record = MakeTargetRecord("crm", "");
  EXPECT_THAT(this->records().AddTargetRecord(record, bad), StatusIs(absl::StatusCode::kInvalidArgument));
  record.set_reason("\xff");
  EXPECT_THAT(this->records().AddTargetRecord(record, {}), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(this->Audit(), IsEmpty());
  EXPECT_THAT(this->Pending(), IsEmpty());
  EXPECT_THAT(this->store().GetPlan("p"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(this->store().GetRollout("rollouts/a"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(this->records().NewestTargetRecord("crm"), StatusIs(absl::StatusCode::kNotFound));
}

TYPED_TEST_P(RecordStoreTest, TwoThatWriteInTurnChainToEachOther) {
  for (int i = 0; i < 6; ++i) {
    RolloutStore& store = i % 2 == 0 ? this->store() : this->other();
    ASSERT_OK(store.records().Put(MakeRecord({absl::StrCat(i)}, {absl::StrCat(i)})));
    ASSERT_OK(store.records().AddTargetRecord(MakeTargetRecord("crm", absl::StrCat("rollouts/", i)), {}));
  }
  EXPECT_THAT(this->Actions(), ElementsAre("0", "1", "2", "3", "4", "5"));
  EXPECT_THAT(this->Messages(), ElementsAre("0", "1", "2", "3", "4", "5"));
  std::string next;
  EXPECT_THAT(this->Listed("crm", {.size = 2}, &next), ElementsAre("crm 6", "crm 5"));
  this->ExpectChained();
}

TYPED_TEST_P(RecordStoreTest, NotificationsWaitInOrderUntilTheyAreTold) {
  Record record = MakeRecord({}, {"1", "2", "3"});
  record.notifications[1].set_id(1000);
  record.notifications[1].mutable_event()->set_message("what happened");
  ASSERT_OK(this->records().Put(record));
  const std::vector<v1::Notification> pending = this->Pending();
  ASSERT_EQ(pending.size(), 3u);
  EXPECT_EQ(pending[0].sink(), "chat");
  EXPECT_LT(pending[0].id(), pending[1].id());
  EXPECT_LT(pending[1].id(), pending[2].id());
  EXPECT_LT(pending[2].id(), 1000) << "ids are the store's";
  EXPECT_EQ(pending[1].event().message(), "what happened");
  const std::vector<v1::Notification> page = this->Pending(pending[0].id(), 1);
  ASSERT_EQ(page.size(), 1u);
  EXPECT_EQ(page[0].message(), "2");
  EXPECT_THAT(this->Pending(pending[2].id()), IsEmpty());
  EXPECT_THAT(this->Pending(0, 0), IsEmpty());

  ASSERT_OK(this->records().RemoveNotification(pending[1].id()));
  ASSERT_OK(this->records().RemoveNotification(pending[1].id())) << "it is gone";
  EXPECT_THAT(this->Messages(), ElementsAre("1", "3"));
}

TYPED_TEST_P(RecordStoreTest, ANotificationThatCouldNotBeToldIsKeptAsItStandsThen) {
  ASSERT_OK(this->records().Put(MakeRecord({}, {"1", "2"})));
  v1::Notification failed = this->Pending()[0];
  failed.set_attempts(3);
  failed.set_error("no route to host");
  failed.mutable_not_before()->set_seconds(1'800'000'000);
  ASSERT_OK(this->records().UpdateNotification(failed));
  std::vector<v1::Notification> pending = this->Pending();
  ASSERT_EQ(pending.size(), 2u);
  EXPECT_TRUE(SameProto(pending[0], failed)) << "its place is as before";
  failed.set_error("\xff");
  EXPECT_THAT(this->records().UpdateNotification(failed), StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_OK(this->records().RemoveNotification(failed.id()));
  failed.set_error("");
  EXPECT_THAT(this->records().UpdateNotification(failed), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(this->Messages(), ElementsAre("2"));
}

TYPED_TEST_P(RecordStoreTest, IdsOfNotificationsAreNeverUsedAgain) {
  int64_t last = 0;
  for (int i = 0; i < 4; ++i) {
    ASSERT_OK(this->records().Put(MakeRecord({}, {absl::StrCat(i)})));
    const std::vector<v1::Notification> pending = this->Pending();
    ASSERT_EQ(pending.size(), 1u);
    EXPECT_GT(pending[0].id(), last);
    last = pending[0].id();
    ASSERT_OK(this->records().RemoveNotification(last));
  }
}

TYPED_TEST_P(RecordStoreTest, RecordsOfATargetAreNumberedAndTheNewestIsWhole) {
  v1::TargetRecord first = MakeTargetRecord("crm", "rollouts/a");
  first.set_number(99);
  (*first.mutable_labels())["team"] = "blue";
  ASSERT_OK_AND_ASSIGN(const v1::TargetRecord added,
                       this->records().AddTargetRecord(first, MakeRecord({"recorded"}, {"told"})));
  EXPECT_EQ(added.number(), 1);
  ASSERT_OK(this->records().AddTargetRecord(MakeTargetRecord("erp", "rollouts/a"), {}));
  ASSERT_OK(this->records().AddTargetRecord(MakeTargetRecord("crm", "rollouts/b"), {}));
  ASSERT_OK_AND_ASSIGN(const v1::TargetRecord newest, this->records().NewestTargetRecord("crm"));
  EXPECT_EQ(newest.number(), 2);
  EXPECT_EQ(newest.rollout(), "rollouts/b");
  EXPECT_EQ(newest.schema_json(), "{\"of\":\"rollouts/b\"}");
  EXPECT_EQ(newest.schema_fingerprint(), "print of rollouts/b");
  ASSERT_OK_AND_ASSIGN(const v1::TargetRecord other, this->records().NewestTargetRecord("erp"));
  EXPECT_EQ(other.number(), 1);
  EXPECT_THAT(this->Actions(), ElementsAre("recorded"));
  EXPECT_THAT(this->Messages(), ElementsAre("told"));
  std::string next;
  ASSERT_OK_AND_ASSIGN(const auto records, this->records().ListTargetRecords("crm", {}, &next));
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[1].labels().at("team"), "blue");
}

TYPED_TEST_P(RecordStoreTest, ARunIsRecordedOnceAndABaselineEveryTime) {
  const Record record = MakeRecord({"recorded"}, {"told"});
  const v1::TargetRecord run = MakeTargetRecord("crm", "rollouts/a");
  ASSERT_OK(this->records().AddTargetRecord(run, record));
  v1::TargetRecord again = run;
  again.set_reason("after a restart");
  again.clear_schema_json();
  ASSERT_OK_AND_ASSIGN(const v1::TargetRecord kept, this->records().AddTargetRecord(again, record));
  EXPECT_EQ(kept.number(), 1);
  EXPECT_EQ(kept.reason(), run.reason());
  EXPECT_EQ(kept.schema_json(), run.schema_json());
  EXPECT_THAT(this->Actions(), ElementsAre("recorded"));
  EXPECT_EQ(this->Pending().size(), 1u);
  // What has become of it later is something else.
  v1::TargetRecord undone = run;
  undone.set_kind(v1::TARGET_RECORD_KIND_ROLLED_BACK);
  ASSERT_OK_AND_ASSIGN(const v1::TargetRecord second, this->records().AddTargetRecord(undone, record));
  EXPECT_EQ(second.number(), 2);
  ASSERT_OK_AND_ASSIGN(const v1::TargetRecord third,
                       this->records().AddTargetRecord(MakeTargetRecord("crm", ""), record));
  EXPECT_EQ(third.number(), 3);
  ASSERT_OK_AND_ASSIGN(const v1::TargetRecord fourth,
                       this->records().AddTargetRecord(MakeTargetRecord("crm", ""), record));
  EXPECT_EQ(fourth.number(), 4);
}

TYPED_TEST_P(RecordStoreTest, ListsRecordsOfATargetNewestFirstInPages) {
  for (int i = 1; i <= 5; ++i) {
    ASSERT_OK(
        this->records().AddTargetRecord(MakeTargetRecord("crm", absl::StrCat("rollouts/", i)), Record()));
    ASSERT_OK(this->records().AddTargetRecord(MakeTargetRecord("crm2", absl::StrCat("rollouts/", i)), {}));
  }
  std::string next;
  EXPECT_THAT(this->Listed("crm", {.size = 2}, &next), ElementsAre("crm 5", "crm 4"));
  ASSERT_OK(this->records().AddTargetRecord(MakeTargetRecord("crm", "rollouts/later"), {}));
  EXPECT_THAT(this->Listed("crm", {.size = 2, .token = next}, &next), ElementsAre("crm 3", "crm 2"));
  EXPECT_THAT(this->Listed("crm", {.size = 2, .token = next}, &next), ElementsAre("crm 1"));
  EXPECT_EQ(next, "");
  EXPECT_THAT(this->records().ListTargetRecords("crm", {.token = "after-crm"}, &next),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("page_token")));
}

TYPED_TEST_P(RecordStoreTest, ListsTheNewestOfEachTargetByNameInPages) {
  const std::vector<std::string> names = {"a",   "a b", "a-b",    "a/b",    "a\"b",      "A",
                                          "zoo", "Zoo", "\u00fc", "\u6f22", "\U0001f426"};
  for (const std::string& name : names) {
    ASSERT_OK(this->records().AddTargetRecord(MakeTargetRecord(name, "rollouts/1"), {}));
    ASSERT_OK(this->records().AddTargetRecord(MakeTargetRecord(name, "rollouts/2"), {}));
  }
  std::vector<std::string> expected;
  for (const std::string& name : names) expected.push_back(name + " 2");
  std::sort(expected.begin(), expected.end(), [](const std::string& a, const std::string& b) {
    return a.substr(0, a.size() - 2) < b.substr(0, b.size() - 2);  // by bytes
  });
  for (const int size : {1, 4, 11, 50}) {
    std::vector<std::string> all;
    std::string next;
    do {
      const std::vector<std::string> page = this->Listed("", {.size = size, .token = next}, &next);
      ASSERT_LE(page.size(), static_cast<size_t>(size));
      ASSERT_FALSE(page.empty());
      all.insert(all.end(), page.begin(), page.end());
    } while (!next.empty());
    EXPECT_EQ(all, expected) << size;
  }
  std::string next;
  for (const char* token : {"before-1", "after-", "crm"}) {
    EXPECT_THAT(this->records().ListTargetRecords("", {.token = token}, &next),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("page_token")));
  }
}

TYPED_TEST_P(RecordStoreTest, TargetsHaveNamesThatAreText) {
  EXPECT_THAT(this->records().AddTargetRecord(MakeTargetRecord("", "rollouts/a"), {}),
              StatusIs(absl::StatusCode::kInvalidArgument));
  ASSERT_OK(this->records().AddTargetRecord(MakeTargetRecord("crm", "rollouts/a"), {}));
  for (const std::string& tail : {std::string("\0b", 2), std::string("\xff")}) {
    const std::string name = "crm" + tail;
    EXPECT_THAT(this->records().AddTargetRecord(MakeTargetRecord(name, "rollouts/a"), {}),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("name of a target")));
    EXPECT_THAT(this->records().NewestTargetRecord(name), StatusIs(absl::StatusCode::kNotFound));
    std::string next;
    EXPECT_THAT(this->Listed(name, {}, &next), IsEmpty());
  }
}

TYPED_TEST_P(RecordStoreTest, KeepsSchemasOfSeveralMegabytes) {
  v1::TargetRecord record = MakeTargetRecord("crm", "rollouts/a");
  record.set_schema_json(std::string(5 << 20, 's'));
  ASSERT_OK(this->records().AddTargetRecord(record, {}));
  ASSERT_OK_AND_ASSIGN(const v1::TargetRecord newest, this->records().NewestTargetRecord("crm"));
  EXPECT_EQ(newest.schema_json(), record.schema_json());
}

REGISTER_TYPED_TEST_SUITE_P(
    RecordStoreTest, AnEmptyStoreHasNothing, EntriesAreNumberedAndChainedWhateverStandsInThem,
    ListsTheAuditLogInOrderFromAnyEntryOn, WhatIsPutIsRecordedWithIt,
    APlanThatIsThereAlreadyIsNotRecordedAgain, OfAChangeThatIsRefusedNothingIsRecordedAndNoNumberIsLost,
    WhatHoldsBytesThatAreNoTextIsRefusedWholly, TwoThatWriteInTurnChainToEachOther,
    NotificationsWaitInOrderUntilTheyAreTold, ANotificationThatCouldNotBeToldIsKeptAsItStandsThen,
    IdsOfNotificationsAreNeverUsedAgain, RecordsOfATargetAreNumberedAndTheNewestIsWhole,
    ARunIsRecordedOnceAndABaselineEveryTime, ListsRecordsOfATargetNewestFirstInPages,
    ListsTheNewestOfEachTargetByNameInPages, TargetsHaveNamesThatAreText, KeepsSchemasOfSeveralMegabytes);

}  // namespace curlew::store

#endif  // CURLEW_TESTS_CONTROLLER_STORE_RECORD_STORE_SUITE_H_
