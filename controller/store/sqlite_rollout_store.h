// The store in one SQLite file: the controller's default.
#ifndef CURLEW_CONTROLLER_STORE_SQLITE_ROLLOUT_STORE_H_
#define CURLEW_CONTROLLER_STORE_SQLITE_ROLLOUT_STORE_H_

#include <memory>
#include <string>
#include <vector>

#include "SQLiteCpp/Column.h"
#include "SQLiteCpp/Database.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/store/rollout_bytes.h"
#include "controller/store/rollout_store.h"
#include "controller/store/sqlite_record_store.h"
#include "controller/store/sqlite_token_store.h"

namespace curlew::store {

// Where the store is.
struct SqliteStoreOptions {
  // The file; it is made where it does not exist, its folder must. SQLite keeps two more beside it ("-wal",
  // "-shm"). Must be on a local file system.
  std::string path;
  // How long a call waits for a lock that another process (a backup, the sqlite3 shell) holds.
  absl::Duration busy_timeout = absl::Seconds(5);
};

// A RolloutStore in a SQLite file in WAL mode with synchronous=FULL. After an error the object goes on
// working as soon as the cause is gone. Not thread-safe.
class SqliteRolloutStore : public RolloutStore {
 public:
  // Opens the file and brings its schema up to date. FAILED_PRECONDITION where it was written by a newer
  // version or is a database of something else, DATA_LOSS where it is damaged or no database, UNAVAILABLE
  // where it cannot be opened; the file stays as it was then.
  static absl::StatusOr<std::unique_ptr<SqliteRolloutStore>> Open(const SqliteStoreOptions& options);

  absl::StatusOr<v1::StoredPlan> PutPlan(const v1::StoredPlan& plan, const Record& record) override;
  absl::StatusOr<v1::StoredPlan> GetPlan(const std::string& name) override;
  absl::StatusOr<v1::StoredPlan> PutPlanSignature(const std::string& plan, const v1::PlanSignature& signature,
                                                  const Record& record) override;
  absl::StatusOr<std::vector<v1::StoredPlan>> ListPlans(const Page& page, std::string* next) override;
  absl::Status PutEnvironments(const std::vector<v1::Environment>& environments,
                               const Record& record) override;
  absl::StatusOr<std::vector<v1::Environment>> ListEnvironments() override;
  absl::StatusOr<int64_t> Commit(const RolloutChange& change) override;
  absl::StatusOr<VersionedRollout> GetRollout(const std::string& name) override;
  absl::StatusOr<std::vector<VersionedRollout>> ListRollouts(const Page& page, std::string* next) override;
  absl::StatusOr<std::vector<v1::Event>> ListEvents(const std::string& rollout, int64_t after,
                                                    int limit) override;
  absl::StatusOr<v1::CompiledPlan> GetCompiledPlan(const std::string& run) override;
  absl::StatusOr<std::vector<OutboxEntry>> PendingOutbox() override;
  RecordStore& records() override { return records_; }
  TokenStore& tokens() override { return tokens_; }

 private:
  explicit SqliteRolloutStore(std::unique_ptr<SQLite::Database> database)
      : database_(std::move(database)), records_(database_.get()), tokens_(database_.get(), &records_) {}

  // What follows throws SQLite::Exception and runs within a transaction of its caller.
  void WriteRollout(const RolloutChange& change, const RolloutBytes& bytes);
  void WriteEvents(const RolloutChange& change);
  void WriteOutbox(const RolloutChange& change);
  void WritePin(const RolloutChange& change);

  // The whole rollout, from its row and those of its runs. DATA_LOSS.
  absl::StatusOr<v1::Rollout> ReadWhole(const SQLite::Column& rollout, const std::string& name);

  const std::string& path() const { return database_->getFilename(); }

  std::unique_ptr<SQLite::Database> database_;
  SqliteRecordStore records_;
  SqliteTokenStore tokens_;
  WrittenRuns written_runs_;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_SQLITE_ROLLOUT_STORE_H_
