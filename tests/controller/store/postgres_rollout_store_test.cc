#include "controller/store/postgres_rollout_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <thread>

#include "absl/strings/str_replace.h"
#include "common/base/audit_chain.h"
#include "common/base/error_detail.h"
#include "controller/store/store_location.h"
#include "tests/controller/store/postgres_store.h"
#include "tests/controller/store/record_store_suite.h"
#include "tests/controller/store/rollout_store_suite.h"
#include "tests/controller/store/temp_folder.h"
#include "tests/controller/store/tiny_file_system.h"
#include "tests/controller/store/token_store_suite.h"

namespace curlew::store {
namespace {

using ::testing::AllOf;
using ::testing::Not;

class PostgresStore {
 public:
  RolloutStore& store() { return *store_; }
  RolloutStore& other() { return *other_; }

 private:
  PostgresDatabase database_;
  std::unique_ptr<PostgresLeaderLease> lease_ = database_.Lease("a");
  const int64_t epoch_ = lease_->Hold()->epoch;
  std::unique_ptr<RolloutStore> store_ = database_.Store(epoch_);
  std::unique_ptr<RolloutStore> other_ = database_.Store(epoch_);
};

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, RolloutStoreTest, PostgresStore);
INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, RecordStoreTest, PostgresStore);
INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, TokenStoreTest, PostgresStore);

// A store whose leader is "a", and a session of the test's own.
class PostgresRolloutStoreTest : public ::testing::Test {
 protected:
  PostgresDatabase database_;
  std::unique_ptr<PostgresLeaderLease> lease_ = database_.Lease("a");
  const int64_t epoch_ = lease_->Hold()->epoch;
  std::unique_ptr<PostgresRolloutStore> store_ = database_.Store(epoch_, "a");
};

TEST_F(PostgresRolloutStoreTest, ACommitOfTheTermBeforeThatIsStillOnItsWayIsWaitedFor) {
  ASSERT_OK(store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  auto late = database_.Session();
  ASSERT_OK(late->Execute("BEGIN"));
  ASSERT_OK(late->Execute("UPDATE curlew_controller.leader SET renewed_time = clock_timestamp()"));
  ASSERT_OK(late->Execute("UPDATE curlew_controller.rollout SET version = 2"));
  const auto next = database_.Store(epoch_, "a");
  std::thread commit([&] {
    database_.WaitUntilBlocked(1);
    EXPECT_OK(late->Execute("COMMIT"));
  });
  const auto read = next->GetRollout("rollouts/a");
  commit.join();
  ASSERT_OK(read);
  EXPECT_EQ(read->version, 2);
}

// Ends all sessions of the store.
constexpr char kEndOthers[] =
    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name LIKE 'curlew-controller%'";

TEST_F(PostgresRolloutStoreTest, GoesOnWhenItsConnectionsWereLost) {
  ASSERT_OK(store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  EXPECT_EQ(database_.Sql(kEndOthers), "2");
  EXPECT_THAT(store_->Commit(MakeChange("rollouts/a", 1, 1, 1)), IsOkAndHolds(2));
  EXPECT_EQ(database_.Sql(kEndOthers), "1");
  ASSERT_OK_AND_ASSIGN(const auto events, store_->ListEvents("rollouts/a", 0, 10));
  EXPECT_EQ(events.size(), 2u);
  ASSERT_OK_AND_ASSIGN(const Leadership held, lease_->Hold());
  EXPECT_TRUE(held.mine);
  EXPECT_EQ(held.epoch, epoch_);
}

TEST_F(PostgresRolloutStoreTest, ACommitWhoseConnectionIsLostMidwayHasChangedNothing) {
  ASSERT_OK(store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  // The statement that meets this ends its own backend.
  database_.Sql(
      "CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END';"
      "CREATE TRIGGER die BEFORE INSERT ON curlew_controller.event FOR EACH ROW EXECUTE FUNCTION "
      "public.die()");
  EXPECT_THAT(store_->Commit(MakeChange("rollouts/a", 1, 1, 1)),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("nothing has changed")));
  database_.Sql("DROP TRIGGER die ON curlew_controller.event");
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, store_->GetRollout("rollouts/a"));
  EXPECT_EQ(read.version, 1);
  EXPECT_THAT(store_->Commit(MakeChange("rollouts/a", 1, 1, 1)), IsOkAndHolds(2));
}

// A deferred constraint trigger runs within COMMIT: it ends the session when COMMIT was sent.
TEST_F(PostgresRolloutStoreTest, ACommitThatWasNotAnsweredIsInDoubtAndTheStoreTellsAfterwards) {
  ASSERT_OK(store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  database_.Sql(
      "CREATE FUNCTION public.die() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END';"
      "CREATE CONSTRAINT TRIGGER die AFTER INSERT ON curlew_controller.event DEFERRABLE INITIALLY DEFERRED"
      " FOR EACH ROW EXECUTE FUNCTION public.die()");
  const absl::Status status = store_->Commit(MakeChange("rollouts/a", 1, 1, 1)).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, Not(HasSubstr("nothing has changed"))));
  EXPECT_EQ(base::Detail(status, base::kReason), "STORE_IN_DOUBT");
  database_.Sql("DROP TRIGGER die ON curlew_controller.event");
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, store_->GetRollout("rollouts/a"));
  EXPECT_EQ(read.version, 1);
  EXPECT_THAT(store_->Commit(MakeChange("rollouts/a", 1, 1, 1)), IsOkAndHolds(2));
}

// The sockets of this process.
std::set<int> Sockets() {
  std::set<int> sockets;
  for (int fd = 0; fd < 1024; ++fd) {
    struct stat status;
    if (fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode)) sockets.insert(fd);
  }
  return sockets;
}

// The connection is cut while the server is busy with COMMIT, which then takes effect although nobody hears
// of it. Whoever asks meanwhile must not be told how it was before.
TEST_F(PostgresRolloutStoreTest, ACommitThatTakesEffectAfterItsConnectionWasLostIsWaitedFor) {
  ASSERT_OK(store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  database_.Sql(
      "CREATE FUNCTION public.wait() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NEW; END';"
      "CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON curlew_controller.event DEFERRABLE INITIALLY DEFERRED"
      " FOR EACH ROW EXECUTE FUNCTION public.wait()");
  auto gate = database_.Session();
  ASSERT_OK(gate->Execute("SELECT pg_advisory_lock(42)"));
  const std::set<int> before = Sockets();
  auto store = database_.Store(epoch_, "a");
  std::set<int> ours = Sockets();
  for (const int fd : before) ours.erase(fd);
  ASSERT_EQ(ours.size(), 1u);

  absl::Status committed;
  std::thread committing([&] { committed = store->Commit(MakeChange("rollouts/a", 1, 1, 1)).status(); });
  database_.WaitUntilBlocked(1);
  shutdown(*ours.begin(), SHUT_RDWR);
  committing.join();
  EXPECT_EQ(base::Detail(committed, base::kReason), "STORE_IN_DOUBT") << committed;

  absl::StatusOr<VersionedRollout> read = absl::UnknownError("not yet");
  std::thread reading([&] { read = store->GetRollout("rollouts/a"); });
  database_.WaitUntilBlocked(2);
  ASSERT_OK(gate->Execute("SELECT pg_advisory_unlock(42)"));
  reading.join();
  ASSERT_OK(read);
  EXPECT_EQ(read->version, 2);
  EXPECT_THAT(store->Commit(MakeChange("rollouts/a", 1, 1, 1)), StatusIs(absl::StatusCode::kAborted));
  EXPECT_THAT(store->Commit(MakeChange("rollouts/a", 2, 2, 1)), IsOkAndHolds(3));
}

TEST_F(PostgresRolloutStoreTest, ALockThatIsNotGivenUpMakesItUnavailableInTime) {
  PostgresStoreOptions options = database_.options();
  options.lock_timeout = absl::Milliseconds(50);
  ASSERT_OK_AND_ASSIGN(auto store, PostgresRolloutStore::Open(options, "test", {epoch_, "a"}));
  {
    auto session = database_.Session();
    ASSERT_OK_AND_ASSIGN(auto holding, pg::Transaction::Begin(session.get()));
    ASSERT_OK(holding->Execute("LOCK TABLE curlew_controller.leader IN EXCLUSIVE MODE"));
    const absl::Status status = store->Commit(MakeChange("rollouts/a", 0, 0, 1)).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("nothing has changed")));
    EXPECT_EQ(base::Detail(status, base::kReason), "STORE_LOCKED");
  }
  EXPECT_OK(store->Commit(MakeChange("rollouts/a", 0, 0, 1)));
}

TEST_F(PostgresRolloutStoreTest, AStatementThatTakesTooLongMakesItUnavailable) {
  PostgresStoreOptions options = database_.options();
  options.statement_timeout = absl::Milliseconds(100);
  ASSERT_OK_AND_ASSIGN(auto store, PostgresRolloutStore::Open(options, "test", {epoch_, "a"}));
  database_.Sql(
      "CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN PERFORM pg_sleep(60); RETURN NEW; END';"
      "CREATE TRIGGER slow BEFORE INSERT ON curlew_controller.event FOR EACH ROW"
      " EXECUTE FUNCTION public.slow()");
  EXPECT_THAT(store->Commit(MakeChange("rollouts/a", 0, 0, 1)),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("nothing has changed")));
  EXPECT_THAT(store_->GetRollout("rollouts/a"), StatusIs(absl::StatusCode::kNotFound));
}

// What a server says whose disk is full, word for word, by a trigger: a real full disk would be everybody's.
TEST_F(PostgresRolloutStoreTest, AFullDiskMakesItUnavailableAndNothingChangesUntilThereIsRoomAgain) {
  ASSERT_OK(store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  database_.Sql(
      "CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN RAISE EXCEPTION ''could not extend file: No space left on device'' USING ERRCODE = ''53100'';"
      " END';"
      "CREATE TRIGGER full_disk BEFORE INSERT ON curlew_controller.outbox FOR EACH ROW"
      " EXECUTE FUNCTION public.full()");
  RolloutChange change = MakeChange("rollouts/a", 1, 1, 2);
  change.outbox = {MakeEntry("rollouts/a", "t", "compile", "")};
  const absl::Status status = store_->Commit(change).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable,
                               AllOf(HasSubstr("nothing has changed"), HasSubstr("free space"))));
  EXPECT_EQ(base::Detail(status, base::kReason), "STORE_FULL");
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, store_->GetRollout("rollouts/a"));
  EXPECT_EQ(read.version, 1);
  ASSERT_OK_AND_ASSIGN(const auto events, store_->ListEvents("rollouts/a", 0, 10));
  EXPECT_EQ(events.size(), 1u);
  database_.Sql("DROP TRIGGER full_disk ON curlew_controller.outbox");
  EXPECT_THAT(store_->Commit(change), IsOkAndHolds(2));
}

// The same with a disk that is full in truth: the tables are moved to one of a few megabytes.
TEST_F(PostgresRolloutStoreTest, AFullTablespaceMakesItUnavailableAndNothingChangesUntilThereIsRoomAgain) {
  const TempFolder folder;
  const TinyFileSystem disk(folder.File("disk"), 4);
  const passwd* const owner = getpwnam("postgres");
  if (!disk.mounted() || owner == nullptr) GTEST_SKIP() << "mounting a file system needs root";
  ASSERT_EQ(chmod(folder.path().c_str(), 0755), 0);
  ASSERT_EQ(mkdir(folder.File("disk/data").c_str(), 0700), 0);
  ASSERT_EQ(chown(folder.File("disk/data").c_str(), owner->pw_uid, owner->pw_gid), 0);
  const std::string tablespace = database_.Sql("SELECT current_database()") + "_full";
  database_.Sql(absl::StrCat("CREATE TABLESPACE ", tablespace, " LOCATION '", folder.File("disk/data"), "'"));
  for (const char* table : {"rollout", "event", "outbox"}) {
    database_.Sql(absl::StrCat("ALTER TABLE curlew_controller.", table, " SET TABLESPACE ", tablespace));
  }
  ASSERT_OK(store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  disk.FillUp();
  RolloutChange change = MakeChange("rollouts/a", 1, 1, 2);
  change.outbox = {MakeEntry("rollouts/a", "t", "compile", "")};
  // Of what cannot be compressed.
  for (int i = 0; i < 40000; ++i)
    absl::StrAppend(change.rollout.mutable_reason(), absl::Hex(i * 2654435761u));
  const absl::Status status = store_->Commit(change).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable,
                               AllOf(HasSubstr("nothing has changed"), HasSubstr("free space"))));
  EXPECT_EQ(base::Detail(status, base::kReason), "STORE_FULL");
  ASSERT_OK_AND_ASSIGN(const VersionedRollout read, store_->GetRollout("rollouts/a"));
  EXPECT_EQ(read.version, 1);
  disk.MakeRoom();
  EXPECT_THAT(store_->Commit(change), IsOkAndHolds(2));
  // A tablespace outlives its database, so it goes before the disk does.
  for (const char* table : {"rollout", "event", "outbox"}) {
    database_.Sql(absl::StrCat("ALTER TABLE curlew_controller.", table, " SET TABLESPACE pg_default"));
  }
  database_.Sql(absl::StrCat("DROP TABLESPACE ", tablespace));
}

// Two connections write as fast as they can, and some of what they write is refused: no number is lost, none
// is given twice, and each entry follows the one before it.
TEST_F(PostgresRolloutStoreTest, TheAuditLogHasNoGapWhoeverWritesAtTheSameTime) {
  constexpr int kTurns = 60;
  std::vector<std::thread> threads;
  for (const std::string name : {"one", "two"}) {
    threads.emplace_back([this, name] {
      const auto store = database_.Store(epoch_, "a");
      RecordStore& records = store->records();
      const std::string rollout = "rollouts/" + name;
      for (int i = 0; i < kTurns; ++i) {
        RolloutChange change = MakeChange(rollout, i, i, 1);
        change.record = MakeRecord({name, name}, {name});
        EXPECT_OK(store->Commit(change));
        EXPECT_FALSE(store->Commit(change).ok()) << "it was made from an old version";
        EXPECT_OK(records.Put(MakeRecord({name})));
        EXPECT_OK(store->PutPlan(MakePlan("p", absl::StrCat(i)), MakeRecord({"plan.create"})));
        EXPECT_OK(records.AddTargetRecord(MakeTargetRecord("crm", ""), MakeRecord({name}, {name})));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_OK_AND_ASSIGN(const auto audit, store_->records().ListAudit(0, 100000));
  ASSERT_EQ(audit.size(), 2 * kTurns * 4 + kTurns) << "each plan is stored by one of the two";
  int64_t number = 0;
  std::string hash(base::kNoAuditHash);
  for (const v1::AuditEntry& entry : audit) {
    ASSERT_OK(base::CheckChain(number, hash, entry));
    number = entry.number();
    hash = entry.hash();
  }
  ASSERT_OK_AND_ASSIGN(const auto newest, store_->records().NewestTargetRecord("crm"));
  EXPECT_EQ(newest.number(), 2 * kTurns);
  ASSERT_OK_AND_ASSIGN(const auto pending, store_->records().PendingNotifications(0, 100000));
  EXPECT_EQ(pending.size(), 2u * kTurns * 2);
}

TEST_F(PostgresRolloutStoreTest, AChangeWhoseRecordCannotBeStoredIsNotStoredEither) {
  ASSERT_OK(store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  database_.Sql(
      "CREATE FUNCTION public.full() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN RAISE EXCEPTION ''could not extend file: No space left on device'' USING ERRCODE = ''53100'';"
      " END';"
      "CREATE TRIGGER full_disk BEFORE INSERT ON curlew_controller.notification FOR EACH ROW"
      " EXECUTE FUNCTION public.full()");
  const Record record = MakeRecord({"done"}, {"told"});
  RolloutChange change = MakeChange("rollouts/a", 1, 1, 1);
  change.record = record;
  const auto full = StatusIs(absl::StatusCode::kUnavailable, HasSubstr("nothing has changed"));
  EXPECT_THAT(store_->Commit(change), full);
  EXPECT_THAT(store_->PutPlan(MakePlan("p", "1"), record), full);
  EXPECT_THAT(store_->PutEnvironments({v1::Environment()}, record), full);
  EXPECT_THAT(store_->records().AddTargetRecord(MakeTargetRecord("crm", ""), record), full);
  EXPECT_THAT(store_->records().Put(record), full);
  EXPECT_EQ(store_->GetRollout("rollouts/a")->version, 1);
  EXPECT_THAT(store_->GetPlan("p"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(store_->ListEnvironments(), IsOkAndHolds(IsEmpty()));
  EXPECT_THAT(store_->records().NewestTargetRecord("crm"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_EQ(store_->records().AuditHead()->number(), 0);
  database_.Sql("DROP TRIGGER full_disk ON curlew_controller.notification");
  ASSERT_OK(store_->Commit(change));
  EXPECT_EQ(store_->records().AuditHead()->number(), 1);
}

TEST_F(PostgresRolloutStoreTest, WhatIsOnRecordIsNotChangedBySqlEither) {
  ASSERT_OK(store_->records().AddTargetRecord(MakeTargetRecord("crm", ""), MakeRecord({"baseline.take"})));
  auto session = database_.Session();
  for (const char* table : {"audit", "target_record"}) {
    for (const char* change : {"UPDATE curlew_controller.%s SET number = 2",
                               "DELETE FROM curlew_controller.%s", "TRUNCATE curlew_controller.%s"}) {
      const std::string sql = absl::StrReplaceAll(change, {{"%s", table}});
      EXPECT_THAT(session->Execute(sql).status().message(),
                  HasSubstr(absl::StrCat("rows of table ", table, " are only ever added")))
          << sql;
    }
  }
  EXPECT_THAT(session
                  ->Execute("INSERT INTO curlew_controller.audit VALUES (1, '', '')"
                            " ON CONFLICT (number) DO UPDATE SET hash = ''")
                  .status()
                  .message(),
              HasSubstr("only ever added"));
  EXPECT_EQ(store_->records().AuditHead()->number(), 1);
}

TEST_F(PostgresRolloutStoreTest, CommitsSynchronouslyAlsoWhereTheDatabaseDoesNot) {
  database_.Sql(
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off', current_database()); END "
      "$$;"
      "CREATE TABLE public.seen (setting text);"
      "CREATE FUNCTION public.see() RETURNS trigger LANGUAGE plpgsql AS"
      " 'BEGIN INSERT INTO public.seen VALUES (current_setting(''synchronous_commit'')); RETURN NEW; END';"
      "CREATE TRIGGER see BEFORE INSERT ON curlew_controller.event FOR EACH ROW EXECUTE FUNCTION "
      "public.see()");
  auto store = database_.Store(epoch_, "a");
  ASSERT_OK(store->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  EXPECT_EQ(database_.Sql("SELECT string_agg(setting, ',') FROM public.seen"), "on");
}

TEST_F(PostgresRolloutStoreTest, FindsNobodyElsesObjectsWhateverTheSearchPathOfTheRole) {
  // An operator that says that all texts are equal, and tables of our names.
  database_.Sql(
      "CREATE SCHEMA evil;"
      "CREATE FUNCTION evil.yes(text, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';"
      "CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.yes);"
      "CREATE TABLE evil.rollout (name text);"
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = evil, pg_catalog', "
      "current_database());"
      " END $$");
  auto store = database_.Store(epoch_, "a");
  ASSERT_OK(store->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  EXPECT_THAT(store->GetRollout("rollouts/b"), StatusIs(absl::StatusCode::kNotFound));
  EXPECT_OK(store->GetRollout("rollouts/a"));
  EXPECT_OK(store->Commit(MakeChange("rollouts/b", 0, 0, 1)));
}

TEST_F(PostgresRolloutStoreTest, LeavesNothingInItsSession) {
  ASSERT_OK(store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  ASSERT_OK(store_->GetRollout("rollouts/a"));
  EXPECT_EQ(database_.Sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
                          " (SELECT oid FROM pg_database WHERE datname = current_database())"),
            "0");
  EXPECT_EQ(database_.Sql("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND"
                          " application_name LIKE 'curlew-controller%' AND state <> 'idle'"),
            "0");
}

TEST_F(PostgresRolloutStoreTest, AProtoThatCannotBeReadIsDataLoss) {
  ASSERT_OK(store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  database_.Sql("UPDATE curlew_controller.rollout SET rollout = '\\xffffffff'");
  EXPECT_THAT(store_->GetRollout("rollouts/a"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("Rollout")));
}

TEST_F(PostgresRolloutStoreTest, LivesBesideTheJournalOfAnAgent) {
  database_.Sql("CREATE SCHEMA curlew; CREATE TABLE curlew.migration (x integer)");
  EXPECT_OK(store_->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  EXPECT_EQ(database_.Sql("SELECT string_agg(DISTINCT nspname, ',') FROM pg_class c JOIN pg_namespace n"
                          " ON n.oid = relnamespace WHERE nspname NOT LIKE 'pg\\_%' AND relkind = 'r'"
                          " AND nspname <> 'information_schema'"),
            "curlew,curlew_controller");
}

TEST_F(PostgresRolloutStoreTest, AServerThatIsNotThereMakesItUnavailable) {
  const auto store =
      PostgresRolloutStore::Open({.url = "host=127.0.0.1 port=1 dbname=x"}, "nowhere", {1, ""});
  EXPECT_THAT(store.status(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("nowhere")));
}

}  // namespace
}  // namespace curlew::store
