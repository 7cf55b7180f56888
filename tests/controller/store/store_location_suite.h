// What every StoreLocation promises, above all the care of a store. A test that includes this says
//   INSTANTIATE_TYPED_TEST_SUITE_P(Name, StoreLocationTest, Implementation);
#ifndef CURLEW_TESTS_CONTROLLER_STORE_STORE_LOCATION_SUITE_H_
#define CURLEW_TESTS_CONTROLLER_STORE_STORE_LOCATION_SUITE_H_

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/audit_chain.h"
#include "controller/store/backup.h"
#include "controller/store/store_location.h"
#include "tests/controller/store/builders.h"
#include "tests/controller/store/fixture.h"
#include "tests/controller/store/temp_folder.h"
#include "tests/support/status_matchers.h"

namespace curlew::store {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

inline std::string ContentOf(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

// What a store that leads may be used for.
struct OpenStore {
  std::unique_ptr<LeaderLease> lease;
  std::unique_ptr<RolloutStore> store;
  int64_t epoch = 0;
};

inline OpenStore Lead(StoreLocation& location, const std::string& instance = "a") {
  OpenStore open;
  auto lease = location.OpenLease({instance, instance + ":7441"});
  EXPECT_OK(lease);
  if (!lease.ok()) return open;
  open.lease = *std::move(lease);
  const auto held = open.lease->Hold();
  EXPECT_OK(held);
  EXPECT_TRUE(held.ok() && held->mine);
  open.epoch = held.ok() ? held->epoch : 0;
  auto store = location.OpenStore(open.epoch);
  EXPECT_OK(store);
  if (store.ok()) open.store = *std::move(store);
  return open;
}

// A bit of everything: two plans, an environment, a rollout with trimmed events, one with commands, of which
// the newest are done; three entries of the audit log, one notification of three, records of two targets; two
// tokens, one revoked.
inline void Fill(RolloutStore& store) {
  ASSERT_OK(store.PutPlan(MakePlan("p", "1"), {}));
  v1::StoredPlan odd = MakePlan("q\"'\\,{}\u00fc", "2");
  odd.set_creator(std::string("NUL \0 and bytes", 15));
  ASSERT_OK(store.PutPlan(odd, {}));
  std::vector<v1::Environment> pipeline(2);
  pipeline[0].set_name("environments/staging");
  pipeline[1].set_name("environments/production");
  ASSERT_OK(store.PutEnvironments(pipeline, {}));
  ASSERT_OK(store.Commit(MakeChange("rollouts/old", 0, 0, 6)));
  RolloutChange trim = MakeChange("rollouts/old", 1, 6, 0);
  trim.trim_events_below = 4;
  trim.rollout.set_first_event(4);
  trim.rollout.mutable_end_time()->set_seconds(1);
  ASSERT_OK(store.Commit(trim));
  RolloutChange change = MakeChange("rollouts/new", 0, 0, 2);
  change.outbox = {MakeEntry("rollouts/new", "t", "compile", std::string("\0\xff", 2)),
                   MakeEntry("rollouts/new", "u", "dispatch", ""),
                   MakeEntry("rollouts/new", "v", "tune", "")};
  change.pin = RolloutChange::Pin{.run = "rollouts/new/runs/t", .plan = {}};
  change.pin->plan.set_plan_digest("abc");
  for (const char* target : {"t", "u", "v"}) change.rollout.add_runs()->set_target(target);
  ASSERT_OK(store.Commit(change));
  ASSERT_OK_AND_ASSIGN(const auto pending, store.PendingOutbox());
  RolloutChange done = MakeChange("rollouts/new", 1, 2, 1);
  done.outbox_done = {pending[2].id};
  *done.rollout.mutable_runs() = change.rollout.runs();
  done.rollout.mutable_runs(1)->set_state(v1::RUN_STATE_SUCCEEDED);
  done.record = MakeRecord({"rollout.start", "rollout.approve"}, {"told", "not yet told", "told later"});
  ASSERT_OK(store.Commit(done));
  RecordStore& records = store.records();
  ASSERT_OK(records.AddTargetRecord(MakeTargetRecord("crm", ""), MakeRecord({"baseline.take"})));
  ASSERT_OK(records.AddTargetRecord(MakeTargetRecord("crm", "rollouts/old"), {}));
  ASSERT_OK(records.AddTargetRecord(MakeTargetRecord("erp", "rollouts/old"), {}));
  ASSERT_OK_AND_ASSIGN(const auto notifications, records.PendingNotifications(0, 10));
  ASSERT_OK(records.RemoveNotification(notifications[0].id()));
  ASSERT_OK(records.RemoveNotification(notifications[2].id()));
  ASSERT_OK(store.tokens().AddToken(MakeToken("tokens/ci", 'a', 1000), {}));
  ASSERT_OK(store.tokens().RevokeToken(MakeRevocation("tokens/ci", 1001), {}));
  ASSERT_OK(store.tokens().AddToken(MakeToken("tokens/ci", 'b', 1002), {}));
}

// An Implementation is made anew for each test. It gives two places, at both of which there is no store yet:
//   StoreLocation& here();
//   StoreLocation& there();
template <typename Implementation>
class StoreLocationTest : public ::testing::Test {
 protected:
  StoreLocation& here() { return implementation_.here(); }
  StoreLocation& there() { return implementation_.there(); }
  std::string File(const std::string& name) const { return folder_.File(name); }
  void FillHere() { Fill(*Lead(here()).store); }

  TempFolder folder_;
  Implementation implementation_;
};
TYPED_TEST_SUITE_P(StoreLocationTest);

TYPED_TEST_P(StoreLocationTest, WhereNoStoreIsNoneIsMadeByLookingAfterIt) {
  EXPECT_THAT(this->here().Backup(this->File("b")), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(this->here().Check(), StatusIs(absl::StatusCode::kNotFound, HasSubstr("no store")));
  EXPECT_THAT(this->here().Migrate(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(this->here().Check(), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_TRUE(std::filesystem::is_empty(this->folder_.path()));
}

TYPED_TEST_P(StoreLocationTest, OneLeadsAndTheOtherIsToldWho) {
  const OpenStore leader = Lead(this->here());
  ASSERT_OK_AND_ASSIGN(auto standby, this->here().OpenLease({"b", "b:7441"}));
  ASSERT_OK_AND_ASSIGN(const Leadership seen, standby->Hold());
  EXPECT_FALSE(seen.mine);
  EXPECT_EQ(seen.address, "a:7441");
  EXPECT_OK(leader.store->Commit(MakeChange("rollouts/a", 0, 0, 1)));
}

TYPED_TEST_P(StoreLocationTest, ARestoredStoreHoldsWhatWasBackedUp) {
  this->FillHere();
  const std::string backup = this->File("first.backup");
  ASSERT_OK(this->here().Backup(backup));
  ASSERT_OK(this->there().Restore(backup));
  ASSERT_OK(this->there().Check());
  const std::string again = this->File("second.backup");
  ASSERT_OK(this->there().Backup(again));
  const OpenStore open = Lead(this->there());
  ASSERT_OK_AND_ASSIGN(const auto events, open.store->ListEvents("rollouts/old", 0, 10));
  EXPECT_EQ(events.size(), 3u);
  ASSERT_OK_AND_ASSIGN(const auto plan, open.store->GetPlan("p"));
  EXPECT_TRUE(SameProto(plan, MakePlan("p", "1")));
  ASSERT_OK_AND_ASSIGN(const auto environments, open.store->ListEnvironments());
  ASSERT_EQ(environments.size(), 2u);
  EXPECT_EQ(environments[1].name(), "environments/production");
  ASSERT_OK_AND_ASSIGN(const auto pending, open.store->PendingOutbox());
  ASSERT_EQ(pending.size(), 2u);
  EXPECT_EQ(pending[0].payload, std::string("\0\xff", 2));
  ASSERT_OK_AND_ASSIGN(const auto compiled, open.store->GetCompiledPlan("rollouts/new/runs/t"));
  EXPECT_EQ(compiled.plan_digest(), "abc");
  ASSERT_OK_AND_ASSIGN(VersionedRollout rollout, open.store->GetRollout("rollouts/new"));
  ASSERT_EQ(rollout.rollout.runs_size(), 3);
  EXPECT_EQ(rollout.rollout.runs(1).state(), v1::RUN_STATE_SUCCEEDED);
  rollout.rollout.mutable_runs(2)->set_state(v1::RUN_STATE_FAILED);
  ASSERT_OK(open.store->Commit({.expected_version = rollout.version, .rollout = rollout.rollout}));
  ASSERT_OK_AND_ASSIGN(const VersionedRollout changed, open.store->GetRollout("rollouts/new"));
  EXPECT_TRUE(SameProto(changed.rollout, rollout.rollout));
  RecordStore& records = open.store->records();
  ASSERT_OK_AND_ASSIGN(const auto audit, records.ListAudit(0, 10));
  ASSERT_EQ(audit.size(), 3u);
  EXPECT_EQ(audit[2].action(), "baseline.take");
  ASSERT_OK_AND_ASSIGN(const auto newest, records.NewestTargetRecord("crm"));
  EXPECT_EQ(newest.number(), 2);
  EXPECT_EQ(newest.schema_json(), MakeTargetRecord("crm", "rollouts/old").schema_json());
  ASSERT_OK_AND_ASSIGN(const auto notifications, records.PendingNotifications(0, 10));
  ASSERT_EQ(notifications.size(), 1u);
  EXPECT_EQ(notifications[0].message(), "not yet told");
  std::string next;
  ASSERT_OK_AND_ASSIGN(const auto tokens, open.store->tokens().ListTokens({}, &next));
  ASSERT_EQ(tokens.size(), 2u);
  EXPECT_EQ(tokens[0].hash, MakeToken("tokens/ci", 'b', 1002).hash);
  EXPECT_TRUE(SameProto(tokens[0].token, MakeToken("tokens/ci", 'b', 1002).token));
  EXPECT_EQ(tokens[1].token.revoke_time().seconds(), 1001);
  ASSERT_OK(open.store->tokens().AddToken(MakeToken("tokens/later", 'c', 1003), {}));
}

TYPED_TEST_P(StoreLocationTest, ARestoredStoreGoesOnCountingWhereTheOldOneWas) {
  this->FillHere();
  ASSERT_OK(this->here().Backup(this->File("b")));
  ASSERT_OK(this->there().Restore(this->File("b")));
  const OpenStore open = Lead(this->there());
  ASSERT_OK_AND_ASSIGN(auto pending, open.store->PendingOutbox());
  RolloutChange change = MakeChange("rollouts/new", 2, 3, 1);
  change.outbox = {MakeEntry("rollouts/new", "w", "compile", "")};
  ASSERT_OK(open.store->Commit(change));
  ASSERT_OK_AND_ASSIGN(const auto now, open.store->PendingOutbox());
  ASSERT_EQ(now.size(), 3u);
  EXPECT_EQ(now[2].target, "w");
  EXPECT_GT(now[2].id, pending[1].id + 1) << "the number after it was given to a command that is done";
  ASSERT_OK(open.store->PutPlan(MakePlan("p", "3"), {}));
  ASSERT_OK(open.store->Commit(MakeChange("rollouts/newest", 0, 0, 1)));
  std::string next;
  ASSERT_OK_AND_ASSIGN(const auto rollouts, open.store->ListRollouts({}, &next));
  ASSERT_EQ(rollouts.size(), 3u);
  EXPECT_EQ(rollouts[0].rollout.name(), "rollouts/newest");
  EXPECT_EQ(rollouts[2].rollout.name(), "rollouts/old");
  ASSERT_OK_AND_ASSIGN(const auto newest, open.store->GetPlan("p"));
  EXPECT_EQ(newest.digest(), "3");
  RecordStore& records = open.store->records();
  ASSERT_OK_AND_ASSIGN(const auto notifications, records.PendingNotifications(0, 10));
  ASSERT_EQ(notifications.size(), 1u);
  ASSERT_OK(records.Put(MakeRecord({"rollout.abort"}, {"later"})));
  ASSERT_OK_AND_ASSIGN(const auto more, records.PendingNotifications(0, 10));
  ASSERT_EQ(more.size(), 2u);
  EXPECT_GT(more[1].id(), notifications[0].id() + 1) << "the number after it was given to one that was told";
  ASSERT_OK_AND_ASSIGN(const auto audit, records.ListAudit(2, 10));
  ASSERT_EQ(audit.size(), 2u);
  EXPECT_OK(base::CheckChain(3, audit[0].hash(), audit[1]));
  ASSERT_OK_AND_ASSIGN(const auto record, records.AddTargetRecord(MakeTargetRecord("crm", ""), {}));
  EXPECT_EQ(record.number(), 3);
}

TYPED_TEST_P(StoreLocationTest, RefusesToRestoreIntoAStoreThatIsNotEmpty) {
  this->FillHere();
  ASSERT_OK(this->here().Backup(this->File("b")));
  ASSERT_OK(this->there().Restore(this->File("b")));
  EXPECT_THAT(this->there().Restore(this->File("b")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not empty")));
  EXPECT_OK(this->there().Check());
}

TYPED_TEST_P(StoreLocationTest, RefusesToRestoreUnderALeader) {
  this->FillHere();
  ASSERT_OK(this->here().Backup(this->File("b")));
  OpenStore leader = Lead(this->there(), "leader");
  EXPECT_THAT(this->there().Restore(this->File("b")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("leader:7441")));
  EXPECT_OK(leader.store->Commit(MakeChange("rollouts/a", 0, 0, 1)));
}

TYPED_TEST_P(StoreLocationTest, ADamagedBackupRestoresNothing) {
  this->FillHere();
  ASSERT_OK(this->here().Backup(this->File("b")));
  std::string bytes = ContentOf(this->File("b"));
  bytes[bytes.size() / 2] ^= 1;
  std::ofstream(this->File("bad"), std::ios::binary) << bytes;
  EXPECT_THAT(this->there().Restore(this->File("bad")),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("digest")));
  EXPECT_THAT(this->there().Restore(this->File("none")), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(this->there().Check(), StatusIs(absl::StatusCode::kNotFound)) << "nothing was made";
}

TYPED_TEST_P(StoreLocationTest, ABackupNeverOverwrites) {
  this->FillHere();
  std::ofstream(this->File("b")) << "precious";
  EXPECT_THAT(this->here().Backup(this->File("b")), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(ContentOf(this->File("b")), "precious");
}

TYPED_TEST_P(StoreLocationTest, ABackupAndACheckMayRunBesideALeader) {
  const OpenStore leader = Lead(this->here());
  Fill(*leader.store);
  EXPECT_OK(this->here().Backup(this->File("b")));
  EXPECT_OK(this->here().Check());
  EXPECT_OK(leader.store->Commit(MakeChange("rollouts/later", 0, 0, 1)));
  EXPECT_TRUE(leader.lease->Hold()->mine);
}

TYPED_TEST_P(StoreLocationTest, ACheckSaysWhatThereIs) {
  this->FillHere();
  EXPECT_THAT(
      this->here().Check(),
      IsOkAndHolds(HasSubstr("2 plans, 2 environments, 2 rollouts (1 not ended), 6 events, 1 compiled plan,"
                             " 2 commands on the way,\n  3 audit entries (up to 3, hash ")));
  EXPECT_THAT(this->here().Check(),
              IsOkAndHolds(HasSubstr(
                  "), 1 notification to be told, what is on record of 2 targets, 2 bearer tokens")));
}

TYPED_TEST_P(StoreLocationTest, RefusesToRestoreIntoAStoreWithAnAuditLogOnly) {
  this->FillHere();
  ASSERT_OK(this->here().Backup(this->File("b")));
  {
    const OpenStore open = Lead(this->there());
    ASSERT_OK(open.store->records().Put(MakeRecord({"plan.create"})));
    open.lease->Release();
  }
  EXPECT_THAT(this->there().Restore(this->File("b")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not empty")));
}

// Written by Curlew as it was before there was an audit log (schema version 2 of SQLite).
TYPED_TEST_P(StoreLocationTest, ABackupOfTheFirstFormIsStillRestored) {
  ASSERT_OK(this->there().Restore(absl::StrCat(CURLEW_STORE_FIXTURES, "/form_1.backup")));
  ASSERT_OK(this->there().Check());
  const OpenStore open = Lead(this->there());
  ExpectContentOfFixture(*open.store);
  ASSERT_OK(open.store->records().Put(MakeRecord({"plan.create"}, {"told"})));
  EXPECT_EQ(open.store->records().AuditHead()->number(), 1);
}

// Written by Curlew as it was before there were bearer tokens (schema version 4 of SQLite).
TYPED_TEST_P(StoreLocationTest, ABackupOfTheSecondFormIsStillRestored) {
  ASSERT_OK(this->there().Restore(absl::StrCat(CURLEW_STORE_FIXTURES, "/form_2.backup")));
  ASSERT_OK(this->there().Check());
  const OpenStore open = Lead(this->there());
  ExpectRunsOfFixture(*open.store);
  ExpectContentOfFixture(*open.store);
  ExpectRecordsOfFixture(*open.store);
  ASSERT_OK(open.store->tokens().AddToken(MakeToken("tokens/ci", 'a', 1000), {}));
}

TYPED_TEST_P(StoreLocationTest, RefusesToRestoreIntoAStoreWithATokenOnly) {
  this->FillHere();
  ASSERT_OK(this->here().Backup(this->File("b")));
  {
    const OpenStore open = Lead(this->there());
    ASSERT_OK(open.store->tokens().AddToken(MakeToken("tokens/ci", 'a', 1000), {}));
    open.lease->Release();
  }
  EXPECT_THAT(this->there().Restore(this->File("b")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not empty")));
}

// Whoever rewrites a backup with its digest still cannot rewrite an entry in it.
TYPED_TEST_P(StoreLocationTest, ABackupWhoseAuditLogWasChangedRestoresNothing) {
  this->FillHere();
  ASSERT_OK(this->here().Backup(this->File("b")));
  ASSERT_OK_AND_ASSIGN(auto writer, BackupWriter::Create(this->File("forged"), 1));
  ASSERT_OK(ReadBackup(this->File("b"), [&](const v1::StoreRow& row) {
    v1::StoreRow forged = row;
    v1::AuditEntry entry;
    if (row.has_audit() && row.audit().number() == 2 && entry.ParseFromString(row.audit().entry())) {
      entry.set_actor("mallory");
      forged.mutable_audit()->set_entry(entry.SerializeAsString());
    }
    return writer->Add(forged);
  }));
  ASSERT_OK(writer->Finish());
  EXPECT_THAT(this->there().Restore(this->File("forged")),
              StatusIs(absl::StatusCode::kDataLoss, HasSubstr("audit entry 2 was changed")));
  EXPECT_THAT(this->there().Check(), StatusIs(absl::StatusCode::kNotFound)) << "nothing was made";
}

TYPED_TEST_P(StoreLocationTest, MigratingWhatIsUpToDateSaysSo) {
  this->FillHere();
  EXPECT_THAT(this->here().Migrate(), IsOkAndHolds(HasSubstr("up to date")));
  EXPECT_OK(this->here().Check());
}

REGISTER_TYPED_TEST_SUITE_P(StoreLocationTest, WhereNoStoreIsNoneIsMadeByLookingAfterIt,
                            OneLeadsAndTheOtherIsToldWho, ARestoredStoreHoldsWhatWasBackedUp,
                            ARestoredStoreGoesOnCountingWhereTheOldOneWas,
                            RefusesToRestoreIntoAStoreThatIsNotEmpty, RefusesToRestoreUnderALeader,
                            ADamagedBackupRestoresNothing, ABackupNeverOverwrites,
                            ABackupAndACheckMayRunBesideALeader, ACheckSaysWhatThereIs,
                            RefusesToRestoreIntoAStoreWithAnAuditLogOnly,
                            ABackupOfTheFirstFormIsStillRestored, ABackupOfTheSecondFormIsStillRestored,
                            RefusesToRestoreIntoAStoreWithATokenOnly,
                            ABackupWhoseAuditLogWasChangedRestoresNothing, MigratingWhatIsUpToDateSaysSo);

}  // namespace curlew::store

#endif  // CURLEW_TESTS_CONTROLLER_STORE_STORE_LOCATION_SUITE_H_
