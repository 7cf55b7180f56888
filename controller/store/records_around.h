// A RecordStore that does something around every call of another one.
#ifndef CURLEW_CONTROLLER_STORE_RECORDS_AROUND_H_
#define CURLEW_CONTROLLER_STORE_RECORDS_AROUND_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/rollout_store.h"

namespace curlew::store {

// A method of RecordStore, or of TokenStore (tokens_around.h).
struct RecordCall {
  const char* name;  // "list_audit", as metrics have it
  bool writes;
};

// What stores that pass calls on (fenced, metered, ...) have as their records(). `Around` is called as
//   around(const RecordCall& call, ask)
// and returns what ask(RecordStore&), a call of the store below, returns (absl::Status or absl::StatusOr), or
// says something of its own. As thread-safe as that.
template <typename Around>
class RecordsAround : public RecordStore {
 public:
  explicit RecordsAround(Around around) : around_(std::move(around)) {}

  absl::Status Put(const Record& record) override {
    return around_(RecordCall{"put_record", true}, [&](RecordStore& below) { return below.Put(record); });
  }
  absl::StatusOr<std::vector<v1::AuditEntry>> ListAudit(int64_t after, int limit) override {
    return around_(RecordCall{"list_audit", false},
                   [&](RecordStore& below) { return below.ListAudit(after, limit); });
  }
  absl::StatusOr<v1::AuditHead> AuditHead() override {
    return around_(RecordCall{"audit_head", false}, [](RecordStore& below) { return below.AuditHead(); });
  }
  absl::StatusOr<std::vector<v1::Notification>> PendingNotifications(int64_t after, int limit) override {
    return around_(RecordCall{"pending_notifications", false},
                   [&](RecordStore& below) { return below.PendingNotifications(after, limit); });
  }
  absl::Status RemoveNotification(int64_t id) override {
    return around_(RecordCall{"remove_notification", true},
                   [&](RecordStore& below) { return below.RemoveNotification(id); });
  }
  absl::Status UpdateNotification(const v1::Notification& notification) override {
    return around_(RecordCall{"update_notification", true},
                   [&](RecordStore& below) { return below.UpdateNotification(notification); });
  }
  absl::StatusOr<v1::TargetRecord> AddTargetRecord(const v1::TargetRecord& target_record,
                                                   const Record& record) override {
    return around_(RecordCall{"add_target_record", true},
                   [&](RecordStore& below) { return below.AddTargetRecord(target_record, record); });
  }
  absl::StatusOr<v1::TargetRecord> NewestTargetRecord(const std::string& target) override {
    return around_(RecordCall{"newest_target_record", false},
                   [&](RecordStore& below) { return below.NewestTargetRecord(target); });
  }
  absl::StatusOr<std::vector<v1::TargetRecord>> ListTargetRecords(const std::string& target, const Page& page,
                                                                  std::string* next) override {
    return around_(RecordCall{"list_target_records", false},
                   [&](RecordStore& below) { return below.ListTargetRecords(target, page, next); });
  }

 private:
  const Around around_;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_RECORDS_AROUND_H_
