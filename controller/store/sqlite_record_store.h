// What stands beside the rollouts in a SQLite store.
#ifndef CURLEW_CONTROLLER_STORE_SQLITE_RECORD_STORE_H_
#define CURLEW_CONTROLLER_STORE_SQLITE_RECORD_STORE_H_

#include <string>
#include <vector>

#include "SQLiteCpp/Database.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/rollout_store.h"

namespace curlew::store {

// The records of a SqliteRolloutStore. Not thread-safe, as the store.
class SqliteRecordStore : public RecordStore {
 public:
  // `database` must outlive it.
  explicit SqliteRecordStore(SQLite::Database* database) : database_(database) {}

  absl::Status Put(const Record& record) override;
  absl::StatusOr<std::vector<v1::AuditEntry>> ListAudit(int64_t after, int limit) override;
  absl::StatusOr<v1::AuditHead> AuditHead() override;
  absl::StatusOr<std::vector<v1::Notification>> PendingNotifications(int64_t after, int limit) override;
  absl::Status RemoveNotification(int64_t id) override;
  absl::Status UpdateNotification(const v1::Notification& notification) override;
  absl::StatusOr<v1::TargetRecord> AddTargetRecord(const v1::TargetRecord& target_record,
                                                   const Record& record) override;
  absl::StatusOr<v1::TargetRecord> NewestTargetRecord(const std::string& target) override;
  absl::StatusOr<std::vector<v1::TargetRecord>> ListTargetRecords(const std::string& target, const Page& page,
                                                                  std::string* next) override;

  // Writes within a transaction of its caller, who has called CheckRecord. Throws SQLite::Exception.
  void Write(const Record& record);

 private:
  // What follows throws SQLite::Exception.
  v1::AuditHead ReadHead();
  // NOT_FOUND.
  absl::StatusOr<v1::TargetRecord> ReadNewest(const std::string& target);
  absl::StatusOr<std::vector<v1::TargetRecord>> ListTargets(const Page& page, std::string* next);

  const std::string& path() const { return database_->getFilename(); }

  SQLite::Database* const database_;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_SQLITE_RECORD_STORE_H_
