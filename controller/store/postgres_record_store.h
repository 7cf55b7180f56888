// What stands beside the rollouts in a PostgreSQL store.
#ifndef CURLEW_CONTROLLER_STORE_POSTGRES_RECORD_STORE_H_
#define CURLEW_CONTROLLER_STORE_POSTGRES_RECORD_STORE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/postgres_session.h"
#include "controller/store/rollout_store.h"

namespace curlew::store {

// The records of a PostgresRolloutStore, on its session: fenced, in order, and in doubt as all that it
// writes. Not thread-safe, as the store.
class PostgresRecordStore : public RecordStore {
 public:
  // `session` must outlive it.
  PostgresRecordStore(PostgresSession* session, const PostgresFence& fence)
      : session_(session), fence_(fence) {}

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

 private:
  absl::StatusOr<std::vector<v1::TargetRecord>> ListTargets(const Page& page, std::string* next);

  PostgresSession* const session_;
  const PostgresFence fence_;
};

// Writes within a fenced transaction, which puts the entries of the audit log in one order with those of all
// other controllers. After CheckRecord. Errors as PostgresWork.
absl::Status WriteRecord(PostgresWork& work, const Record& record);

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_POSTGRES_RECORD_STORE_H_
