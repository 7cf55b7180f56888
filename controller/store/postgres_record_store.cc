#include "controller/store/postgres_record_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/store/change.h"
#include "controller/store/postgres_values.h"
#include "controller/store/record.h"

namespace curlew::store {
namespace {

absl::Status NoRecord(const std::string& target) {
  return absl::NotFoundError(absl::StrCat("nothing is on record of target \"", target, "\""));
}

absl::StatusOr<v1::AuditHead> ReadHead(PostgresWork& work) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      work.Execute("SELECT number, hash FROM curlew_controller.audit ORDER BY number DESC LIMIT 1"));
  v1::AuditHead head = EmptyAuditHead();
  if (rows.empty()) return head;
  head.set_number(rows.Int(0, 0));
  head.set_hash(rows.Text(0, 1));
  return head;
}

absl::Status WriteAudit(PostgresWork& work, const std::vector<v1::AuditEntry>& audit) {
  if (audit.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const v1::AuditHead head, ReadHead(work));
  std::vector<std::string> numbers;
  std::vector<std::string> hashes;
  std::vector<std::string> entries;
  for (const v1::AuditEntry& entry : FollowOn(head, audit)) {
    numbers.push_back(absl::StrCat(entry.number()));
    hashes.push_back(entry.hash());
    entries.push_back(Hex(entry));
  }
  return work
      .Execute(
          "INSERT INTO curlew_controller.audit (number, hash, entry)"
          " SELECT e.number, e.hash, decode(e.entry, 'hex')"
          " FROM unnest($1::bigint[], $2::text[], $3::text[]) AS e (number, hash, entry)",
          {pg::ArrayParam(numbers), pg::ArrayParam(hashes), pg::ArrayParam(entries)})
      .status();
}

absl::Status WriteNotifications(PostgresWork& work, const std::vector<v1::Notification>& notifications) {
  if (notifications.empty()) return absl::OkStatus();
  std::vector<std::string> values;
  for (v1::Notification notification : notifications) {
    notification.clear_id();
    values.push_back(Hex(notification));
  }
  // The rows get their ids in the order of the SELECT.
  return work
      .Execute(
          "INSERT INTO curlew_controller.notification (notification)"
          " SELECT decode(e.notification, 'hex')"
          " FROM unnest($1::text[]) WITH ORDINALITY AS e (notification, place) ORDER BY e.place",
          {pg::ArrayParam(values)})
      .status();
}

// NOT_FOUND.
absl::StatusOr<v1::TargetRecord> ReadNewest(PostgresWork& work, const std::string& target,
                                            absl::string_view store) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   work.Execute("SELECT encode(record || schema, 'hex') FROM curlew_controller.target_record"
                                " WHERE target = $1 ORDER BY number DESC LIMIT 1",
                                {target}));
  if (rows.empty()) return NoRecord(target);
  return ReadProto<v1::TargetRecord>(rows, 0, 0, store);
}

}  // namespace

absl::Status WriteRecord(PostgresWork& work, const Record& record) {
  RETURN_IF_ERROR(WriteAudit(work, record.audit));
  return WriteNotifications(work, record.notifications);
}

absl::Status PostgresRecordStore::Put(const Record& record) {
  RETURN_IF_ERROR(CheckRecord(record));
  ASSIGN_OR_RETURN(PostgresWork work, session_->BeginFenced("cannot store what was done", fence_));
  RETURN_IF_ERROR(WriteRecord(work, record));
  return work.Commit();
}

absl::StatusOr<std::vector<v1::AuditEntry>> PostgresRecordStore::ListAudit(int64_t after, int limit) {
  ASSIGN_OR_RETURN(PostgresWork work, session_->Begin("cannot list the audit log"));
  ASSIGN_OR_RETURN(const pg::Result rows,
                   work.Execute("SELECT encode(entry, 'hex') FROM curlew_controller.audit"
                                " WHERE number > $1::bigint ORDER BY number LIMIT $2::bigint",
                                {absl::StrCat(after), absl::StrCat(std::max(0, limit))}));
  std::vector<v1::AuditEntry> entries;
  for (int64_t row = 0; row < rows.size(); ++row) {
    ASSIGN_OR_RETURN(v1::AuditEntry entry, ReadProto<v1::AuditEntry>(rows, row, 0, session_->name()));
    entries.push_back(std::move(entry));
  }
  return entries;
}

absl::StatusOr<v1::AuditHead> PostgresRecordStore::AuditHead() {
  ASSIGN_OR_RETURN(PostgresWork work, session_->Begin("cannot read the audit log"));
  return ReadHead(work);
}

absl::StatusOr<std::vector<v1::Notification>> PostgresRecordStore::PendingNotifications(int64_t after,
                                                                                        int limit) {
  ASSIGN_OR_RETURN(PostgresWork work, session_->Begin("cannot list the notifications"));
  ASSIGN_OR_RETURN(const pg::Result rows,
                   work.Execute("SELECT id, encode(notification, 'hex') FROM curlew_controller.notification"
                                " WHERE id > $1::bigint ORDER BY id LIMIT $2::bigint",
                                {absl::StrCat(after), absl::StrCat(std::max(0, limit))}));
  std::vector<v1::Notification> notifications;
  for (int64_t row = 0; row < rows.size(); ++row) {
    ASSIGN_OR_RETURN(v1::Notification notification,
                     ReadProto<v1::Notification>(rows, row, 1, session_->name()));
    notification.set_id(rows.Int(row, 0));
    notifications.push_back(std::move(notification));
  }
  return notifications;
}

absl::Status PostgresRecordStore::RemoveNotification(int64_t id) {
  ASSIGN_OR_RETURN(PostgresWork work, session_->BeginFenced("cannot remove the notification", fence_));
  RETURN_IF_ERROR(
      work.Execute("DELETE FROM curlew_controller.notification WHERE id = $1::bigint", {absl::StrCat(id)})
          .status());
  return work.Commit();
}

absl::Status PostgresRecordStore::UpdateNotification(const v1::Notification& notification) {
  RETURN_IF_ERROR(CheckNotification(notification));
  v1::Notification kept = notification;
  kept.clear_id();
  ASSIGN_OR_RETURN(PostgresWork work, session_->BeginFenced("cannot store the notification", fence_));
  ASSIGN_OR_RETURN(const pg::Result rows,
                   work.Execute("UPDATE curlew_controller.notification SET notification = decode($1, 'hex')"
                                " WHERE id = $2::bigint RETURNING id",
                                {Hex(kept), absl::StrCat(notification.id())}));
  if (rows.empty()) {
    return absl::NotFoundError(absl::StrCat("notification ", notification.id(), " is gone"));
  }
  return work.Commit();
}

absl::StatusOr<v1::TargetRecord> PostgresRecordStore::AddTargetRecord(const v1::TargetRecord& target_record,
                                                                      const Record& record) {
  RETURN_IF_ERROR(CheckTargetRecord(target_record));
  RETURN_IF_ERROR(CheckRecord(record));
  ASSIGN_OR_RETURN(PostgresWork work,
                   session_->BeginFenced("cannot store what is on record of the target", fence_));
  v1::TargetRecord added = target_record;
  added.set_number(1);
  auto newest = ReadNewest(work, target_record.target(), session_->name());
  if (newest.ok()) {
    if (IsRecorded(*newest, target_record)) return newest;
    added.set_number(newest->number() + 1);
  } else if (!absl::IsNotFound(newest.status())) {
    return newest;
  }
  const TargetRecordBytes bytes = SplitTargetRecord(added);
  RETURN_IF_ERROR(
      work.Execute("INSERT INTO curlew_controller.target_record (target, number, record, schema)"
                   " VALUES ($1, $2::bigint, decode($3, 'hex'), decode($4, 'hex'))",
                   {added.target(), absl::StrCat(added.number()), Hex(bytes.record), Hex(bytes.schema)})
          .status());
  RETURN_IF_ERROR(WriteRecord(work, record));
  RETURN_IF_ERROR(work.Commit());
  return added;
}

absl::StatusOr<v1::TargetRecord> PostgresRecordStore::NewestTargetRecord(const std::string& target) {
  if (!IsStorableText(target)) return NoRecord(target);
  ASSIGN_OR_RETURN(PostgresWork work, session_->Begin("cannot read what is on record of the target"));
  return ReadNewest(work, target, session_->name());
}

absl::StatusOr<std::vector<v1::TargetRecord>> PostgresRecordStore::ListTargetRecords(
    const std::string& target, const Page& page, std::string* next) {
  if (target.empty()) return ListTargets(page, next);
  ASSIGN_OR_RETURN(const PageRange range, ReadPage(page));
  std::vector<v1::TargetRecord> records;
  next->clear();
  if (!IsStorableText(target)) return records;
  std::vector<pg::Param> params = PageParams(range);
  params.emplace_back(target);
  ASSIGN_OR_RETURN(PostgresWork work, session_->Begin("cannot list what is on record of the target"));
  ASSIGN_OR_RETURN(const pg::Result rows,
                   work.Execute("SELECT number, encode(record, 'hex') FROM curlew_controller.target_record"
                                " WHERE number < $1::bigint AND target = $3 ORDER BY number DESC"
                                " LIMIT $2::bigint",
                                params));
  for (int64_t row = 0, count = CutPage(rows, range, next); row < count; ++row) {
    ASSIGN_OR_RETURN(v1::TargetRecord record, ReadProto<v1::TargetRecord>(rows, row, 1, session_->name()));
    records.push_back(std::move(record));
  }
  return records;
}

absl::StatusOr<std::vector<v1::TargetRecord>> PostgresRecordStore::ListTargets(const Page& page,
                                                                               std::string* next) {
  ASSIGN_OR_RETURN(const TargetRange range, ReadTargetPage(page));
  ASSIGN_OR_RETURN(PostgresWork work, session_->Begin("cannot list what is on record of the targets"));
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      work.Execute("SELECT encode(r.record, 'hex')"
                   " FROM (SELECT target, max(number) AS number FROM curlew_controller.target_record"
                   "  WHERE target > $1 GROUP BY target ORDER BY target LIMIT $2::bigint) AS newest"
                   " JOIN curlew_controller.target_record AS r USING (target, number) ORDER BY r.target",
                   {range.after, absl::StrCat(range.limit + 1)}));
  std::vector<v1::TargetRecord> records;
  for (int64_t row = 0, count = std::min<int64_t>(rows.size(), range.limit); row < count; ++row) {
    ASSIGN_OR_RETURN(v1::TargetRecord record, ReadProto<v1::TargetRecord>(rows, row, 0, session_->name()));
    records.push_back(std::move(record));
  }
  *next = rows.size() > range.limit ? TargetPageToken(records.back().target()) : "";
  return records;
}

}  // namespace curlew::store
