#include "controller/store/sqlite_rollout_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "SQLiteCpp/Statement.h"
#include "SQLiteCpp/Transaction.h"
#include "common/base/audit_chain.h"
#include "common/base/error_detail.h"
#include "tests/controller/store/builders.h"
#include "tests/controller/store/temp_folder.h"
#include "tests/controller/store/tiny_file_system.h"
#include "tests/support/status_matchers.h"

namespace curlew::store {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

std::string Content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

class SqliteRolloutStoreTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::unique_ptr<SqliteRolloutStore>> Open() {
    return SqliteRolloutStore::Open({.path = path_, .busy_timeout = absl::Milliseconds(20)});
  }

  TempFolder folder_;
  std::string path_ = folder_.File("store.db");
};

// Of a size that no page of SQLite's has room for.
RolloutChange LargeChange(const std::string& name) {
  RolloutChange change = MakeChange(name, 0, 0, 2);
  change.rollout.set_reason(std::string(4 << 20, 'x'));
  change.outbox = {MakeEntry(name, "t", "compile", "")};
  change.record = MakeRecord({"rollout.start"}, {"started"});
  return change;
}

// Nothing of LargeChange("rollouts/large") is in the store, what was there is, and more can be stored.
void ExpectUnchangedAndWorking(SqliteRolloutStore& store) {
  EXPECT_THAT(store.GetRollout("rollouts/large"), StatusIs(absl::StatusCode::kNotFound));
  ASSERT_OK_AND_ASSIGN(const std::vector<v1::Event> events, store.ListEvents("rollouts/large", 0, 10));
  EXPECT_TRUE(events.empty());
  ASSERT_OK_AND_ASSIGN(const std::vector<OutboxEntry> outbox, store.PendingOutbox());
  EXPECT_TRUE(outbox.empty());
  EXPECT_EQ(store.records().AuditHead()->number(), 0);
  EXPECT_TRUE(store.records().PendingNotifications(0, 10)->empty());
  EXPECT_OK(store.GetRollout("rollouts/small"));
}

TEST_F(SqliteRolloutStoreTest, EverythingIsThereAfterItIsOpenedAgain) {
  {
    ASSERT_OK_AND_ASSIGN(auto store, Open());
    ASSERT_OK(store->PutPlan(MakePlan("p", "1"), {}));
    v1::Environment staging;
    staging.set_name("environments/staging");
    ASSERT_OK(store->PutEnvironments({staging}, {}));
    RolloutChange change = MakeChange("rollouts/a", 0, 0, 2);
    change.outbox = {MakeEntry("rollouts/a", "t", "compile", "")};
    change.pin = RolloutChange::Pin{.run = "rollouts/a/runs/t", .plan = {}};
    change.record = MakeRecord({"rollout.start"}, {"started", "told"});
    ASSERT_OK(store->Commit(change));
    ASSERT_OK(store->records().AddTargetRecord(MakeTargetRecord("crm", "rollouts/a"), {}));
    ASSERT_OK(store->records().RemoveNotification(2));
  }
  ASSERT_OK_AND_ASSIGN(auto store, Open());
  EXPECT_OK(store->GetPlan("p"));
  ASSERT_OK_AND_ASSIGN(const auto environments, store->ListEnvironments());
  EXPECT_EQ(environments.size(), 1u);
  EXPECT_THAT(store->Commit(MakeChange("rollouts/a", 1, 2, 1)), IsOkAndHolds(2));
  EXPECT_OK(store->GetCompiledPlan("rollouts/a/runs/t"));
  ASSERT_OK_AND_ASSIGN(const auto outbox, store->PendingOutbox());
  EXPECT_EQ(outbox.size(), 1u);
  RecordStore& records = store->records();
  ASSERT_OK(records.Put(MakeRecord({"rollout.abort"}, {"aborted"})));
  ASSERT_OK_AND_ASSIGN(const auto audit, records.ListAudit(0, 10));
  ASSERT_EQ(audit.size(), 2u);
  EXPECT_OK(base::CheckChain(1, audit[0].hash(), audit[1]));
  ASSERT_OK_AND_ASSIGN(const auto pending, records.PendingNotifications(0, 10));
  ASSERT_EQ(pending.size(), 2u);
  EXPECT_EQ(pending[1].id(), 3) << "2 was given before";
  EXPECT_EQ(records.NewestTargetRecord("crm")->number(), 1);
}

TEST_F(SqliteRolloutStoreTest, WhatIsOnRecordIsNotChangedBySqlEither) {
  ASSERT_OK_AND_ASSIGN(auto store, Open());
  ASSERT_OK(store->records().AddTargetRecord(MakeTargetRecord("crm", ""), MakeRecord({"baseline.take"})));
  SQLite::Database other(path_, SQLite::OPEN_READWRITE);
  for (const char* sql :
       {"UPDATE audit SET hash = ''", "DELETE FROM audit", "REPLACE INTO audit VALUES (1, '', x'')",
        "INSERT INTO audit VALUES (1, '', x'') ON CONFLICT DO UPDATE SET hash = ''",
        "UPDATE target_record SET record = x''", "DELETE FROM target_record",
        "REPLACE INTO target_record VALUES ('crm', 1, x'', x'')"}) {
    try {
      other.exec(sql);
      ADD_FAILURE() << sql;
    } catch (const SQLite::Exception& error) {
      EXPECT_THAT(error.what(), HasSubstr(" are never ")) << sql;
    }
  }
  EXPECT_EQ(store->records().AuditHead()->number(), 1);
  EXPECT_OK(store->records().NewestTargetRecord("crm"));
}

TEST_F(SqliteRolloutStoreTest, WhatWasCommittedSurvivesAKill) {
  const pid_t child = fork();
  if (child == 0) {
    auto store = Open();
    if (!store.ok() || !(*store)->Commit(MakeChange("rollouts/a", 0, 0, 3)).ok()) _exit(1);
    raise(SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  ASSERT_OK_AND_ASSIGN(auto store, Open());
  ASSERT_OK_AND_ASSIGN(const auto events, store->ListEvents("rollouts/a", 0, 10));
  EXPECT_EQ(events.size(), 3u);
}

TEST_F(SqliteRolloutStoreTest, KeepsAWriteAheadLog) {
  ASSERT_OK_AND_ASSIGN(auto store, Open());
  SQLite::Database other(path_, SQLite::OPEN_READONLY);
  EXPECT_EQ(other.execAndGet("PRAGMA journal_mode").getString(), "wal");
}

TEST_F(SqliteRolloutStoreTest, WritesWhileAnotherProcessReads) {
  ASSERT_OK_AND_ASSIGN(auto store, Open());
  SQLite::Database other(path_, SQLite::OPEN_READWRITE);
  SQLite::Transaction reading(other);
  EXPECT_EQ(other.execAndGet("SELECT count(*) FROM rollout").getInt(), 0);
  EXPECT_OK(store->Commit(MakeChange("rollouts/a", 0, 0, 1)));
}

TEST_F(SqliteRolloutStoreTest, ALockThatIsNotGivenUpMakesItUnavailable) {
  ASSERT_OK_AND_ASSIGN(auto store, Open());
  SQLite::Database other(path_, SQLite::OPEN_READWRITE);
  {
    SQLite::Transaction writing(other, SQLite::TransactionBehavior::IMMEDIATE);
    const absl::Status status = store->Commit(MakeChange("rollouts/a", 0, 0, 1)).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr(path_)));
    EXPECT_EQ(base::Detail(status, base::kReason), "STORE_LOCKED");
  }
  EXPECT_OK(store->Commit(MakeChange("rollouts/a", 0, 0, 1)));
}

TEST_F(SqliteRolloutStoreTest, RefusesAStoreOfANewerVersionAndLeavesItAlone) {
  { ASSERT_OK(Open()); }
  {
    SQLite::Database other(path_, SQLite::OPEN_READWRITE);
    other.exec("INSERT INTO schema_version VALUES (77, '0077_future', 'then')");
  }
  const std::string before = Content(path_);
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kFailedPrecondition,
                               AllOf(HasSubstr(path_), HasSubstr("newer Curlew (schema version 77"))));
  EXPECT_EQ(Content(path_), before);
}

TEST_F(SqliteRolloutStoreTest, RefusesADatabaseOfSomethingElseAndLeavesItAlone) {
  {
    SQLite::Database other(path_, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE);
    other.exec("CREATE TABLE photos (x INTEGER)");
  }
  const std::string before = Content(path_);
  EXPECT_THAT(Open(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("something else")));
  EXPECT_EQ(Content(path_), before);
}

TEST_F(SqliteRolloutStoreTest, RefusesAFileThatIsNoDatabase) {
  std::ofstream(path_) << std::string(4096, 'x');
  const absl::Status status = Open().status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, HasSubstr(path_)));
  EXPECT_EQ(base::Detail(status, base::kReason), "STORE_DAMAGED");
  EXPECT_EQ(Content(path_), std::string(4096, 'x'));
}

TEST_F(SqliteRolloutStoreTest, SaysThatTheFolderDoesNotExist) {
  path_ = folder_.File("nowhere/store.db");
  const absl::Status status = Open().status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable,
                               AllOf(HasSubstr(path_), HasSubstr("folder must exist"))));
  EXPECT_EQ(base::Detail(status, base::kReason), "STORE_NOT_ACCESSIBLE");
}

TEST_F(SqliteRolloutStoreTest, AProtoThatCannotBeReadIsDataLoss) {
  ASSERT_OK_AND_ASSIGN(auto store, Open());
  ASSERT_OK(store->Commit(MakeChange("rollouts/a", 0, 0, 1)));
  {
    SQLite::Database other(path_, SQLite::OPEN_READWRITE);
    other.exec("UPDATE rollout SET rollout = x'ffffffff'");
  }
  EXPECT_THAT(store->GetRollout("rollouts/a"), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("Rollout")));
}

// Lets no file of this process grow beyond a size: a write fails as on a disk that is full.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = old_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &old_);
    signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_;
  sighandler_t old_handler_;
};

TEST_F(SqliteRolloutStoreTest, AFileThatCannotGrowMakesItUnavailableAndNothingChanges) {
  ASSERT_OK_AND_ASSIGN(auto store, Open());
  ASSERT_OK(store->Commit(MakeChange("rollouts/small", 0, 0, 1)));
  absl::Status status;
  {
    const FileSizeLimit limit(1 << 20);
    status = store->Commit(LargeChange("rollouts/large")).status();
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable,
                               AllOf(HasSubstr(path_), HasSubstr("nothing has changed"),
                                     HasSubstr("rollouts/large"))));
  EXPECT_NE(base::Detail(status, base::kHint), "");
  ExpectUnchangedAndWorking(*store);
  EXPECT_THAT(store->Commit(LargeChange("rollouts/large")), IsOkAndHolds(1));
}

TEST_F(SqliteRolloutStoreTest, AStoreThatCannotBeMadeForWantOfSpaceCanBeMadeLater) {
  absl::Status status;
  {
    const FileSizeLimit limit(8 << 10);
    status = Open().status();
  }
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kUnavailable, HasSubstr(path_)));
  EXPECT_OK(Open());
}

TEST_F(SqliteRolloutStoreTest, AFullDiskMakesItUnavailableAndNothingChangesUntilThereIsRoomAgain) {
  const TinyFileSystem disk(folder_.File("disk"), 2);
  if (!disk.mounted()) GTEST_SKIP() << "mounting a file system needs root";
  path_ = folder_.File("disk/store.db");
  ASSERT_OK_AND_ASSIGN(auto store, Open());
  ASSERT_OK(store->Commit(MakeChange("rollouts/small", 0, 0, 1)));
  disk.FillUp();
  RolloutChange change = MakeChange("rollouts/large", 0, 0, 2);
  change.rollout.set_reason(std::string(200 << 10, 'x'));
  const absl::Status status = store->Commit(change).status();
  EXPECT_THAT(status,
              StatusIs(absl::StatusCode::kUnavailable, AllOf(HasSubstr(path_), HasSubstr("free space"))));
  EXPECT_EQ(base::Detail(status, base::kReason), "STORE_FULL");
  ExpectUnchangedAndWorking(*store);
  disk.MakeRoom();
  EXPECT_THAT(store->Commit(change), IsOkAndHolds(1));
}

}  // namespace
}  // namespace curlew::store
