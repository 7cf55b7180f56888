// The rules of records (audit log, notifications, records of targets) that do not depend on where they are
// kept.
#ifndef CURLEW_CONTROLLER_STORE_RECORD_H_
#define CURLEW_CONTROLLER_STORE_RECORD_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/rollout_store.h"
#include "google/protobuf/message.h"

namespace curlew::store {

// INVALID_ARGUMENT where a text in `message` is not valid UTF-8.
absl::Status CheckTexts(const google::protobuf::Message& message);
// Whether `record` may be stored. INVALID_ARGUMENT where a text in it is not valid UTF-8.
absl::Status CheckRecord(const Record& record);
// The same for what is replaced, and for what is added to the records of a target; the latter also where it
// has no target, or one that no store could keep.
absl::Status CheckNotification(const v1::Notification& notification);
absl::Status CheckTargetRecord(const v1::TargetRecord& target_record);

// What AuditHead says of an empty log.
v1::AuditHead EmptyAuditHead();
// `entries` as they follow `head`: with their numbers, chained.
std::vector<v1::AuditEntry> FollowOn(const v1::AuditHead& head, std::vector<v1::AuditEntry> entries);

// Whether the newest record of a target is what `added` says of a rollout: it is not added again then.
bool IsRecorded(const v1::TargetRecord& newest, const v1::TargetRecord& added);

// A record is kept in two parts, so that lists need not read schemas: all but schema_json, and it alone. One
// after the other they are the whole, as the parts of any proto's bytes are.
struct TargetRecordBytes {
  std::string record;
  std::string schema;
};
TargetRecordBytes SplitTargetRecord(v1::TargetRecord target_record);
// The same, of the whole's bytes. Of bytes that are none, all are in `record`.
TargetRecordBytes SplitTargetRecord(const std::string& bytes);

// Which targets a page of their list holds: the first `limit` whose names come after `after`.
struct TargetRange {
  int limit = 0;
  std::string after;
};

// INVALID_ARGUMENT for a token that was not made by TargetPageToken. Sizes as ReadPage has them.
absl::StatusOr<TargetRange> ReadTargetPage(const Page& page);
// The token of the page after the target.
std::string TargetPageToken(const std::string& target);

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_RECORD_H_
