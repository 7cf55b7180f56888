#include "controller/store/sqlite_record_store.h"

#include <algorithm>
#include <utility>

#include "SQLiteCpp/Statement.h"
#include "SQLiteCpp/Transaction.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/store/change.h"
#include "controller/store/record.h"
#include "controller/store/sqlite_error.h"
#include "controller/store/sqlite_values.h"

namespace curlew::store {
namespace {

using SQLite::Statement;
using SQLite::Transaction;

absl::Status NoRecord(const std::string& target) {
  return absl::NotFoundError(absl::StrCat("nothing is on record of target \"", target, "\""));
}

}  // namespace

void SqliteRecordStore::Write(const Record& record) {
  if (!record.audit.empty()) {
    Statement insert(*database_, "INSERT INTO audit (number, hash, entry) VALUES (?, ?, ?)");
    for (const v1::AuditEntry& entry : FollowOn(ReadHead(), record.audit)) {
      insert.reset();
      insert.bind(1, entry.number());
      insert.bind(2, entry.hash());
      BindProto(insert, 3, entry);
      insert.exec();
    }
  }
  if (record.notifications.empty()) return;
  Statement insert(*database_, "INSERT INTO notification (notification) VALUES (?)");
  for (v1::Notification notification : record.notifications) {
    notification.clear_id();
    insert.reset();
    BindProto(insert, 1, notification);
    insert.exec();
  }
}

absl::Status SqliteRecordStore::Put(const Record& record) {
  RETURN_IF_ERROR(CheckRecord(record));
  return CatchSqlite(path(), "cannot store what was done", [&]() -> absl::Status {
    Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
    Write(record);
    transaction.commit();
    return absl::OkStatus();
  });
}

absl::StatusOr<std::vector<v1::AuditEntry>> SqliteRecordStore::ListAudit(int64_t after, int limit) {
  return CatchSqlite(
      path(), "cannot list the audit log", [&]() -> absl::StatusOr<std::vector<v1::AuditEntry>> {
        std::vector<v1::AuditEntry> entries;
        Statement select(*database_, "SELECT entry FROM audit WHERE number > ? ORDER BY number LIMIT ?");
        select.bind(1, after);
        select.bind(2, std::max(0, limit));
        while (select.executeStep()) {
          ASSIGN_OR_RETURN(v1::AuditEntry entry, ReadProto<v1::AuditEntry>(select.getColumn(0), path()));
          entries.push_back(std::move(entry));
        }
        return entries;
      });
}

v1::AuditHead SqliteRecordStore::ReadHead() {
  v1::AuditHead head = EmptyAuditHead();
  Statement select(*database_, "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1");
  if (select.executeStep()) {
    head.set_number(select.getColumn(0).getInt64());
    head.set_hash(select.getColumn(1).getString());
  }
  return head;
}

absl::StatusOr<v1::AuditHead> SqliteRecordStore::AuditHead() {
  return CatchSqlite(path(), "cannot read the audit log",
                     [&]() -> absl::StatusOr<v1::AuditHead> { return ReadHead(); });
}

absl::StatusOr<std::vector<v1::Notification>> SqliteRecordStore::PendingNotifications(int64_t after,
                                                                                      int limit) {
  return CatchSqlite(
      path(), "cannot list the notifications", [&]() -> absl::StatusOr<std::vector<v1::Notification>> {
        std::vector<v1::Notification> notifications;
        Statement select(*database_,
                         "SELECT id, notification FROM notification WHERE id > ? ORDER BY id LIMIT ?");
        select.bind(1, after);
        select.bind(2, std::max(0, limit));
        while (select.executeStep()) {
          ASSIGN_OR_RETURN(v1::Notification notification,
                           ReadProto<v1::Notification>(select.getColumn(1), path()));
          notification.set_id(select.getColumn(0).getInt64());
          notifications.push_back(std::move(notification));
        }
        return notifications;
      });
}

absl::Status SqliteRecordStore::RemoveNotification(int64_t id) {
  return CatchSqlite(path(), "cannot remove the notification", [&]() -> absl::Status {
    Statement remove(*database_, "DELETE FROM notification WHERE id = ?");
    remove.bind(1, id);
    remove.exec();
    return absl::OkStatus();
  });
}

absl::Status SqliteRecordStore::UpdateNotification(const v1::Notification& notification) {
  RETURN_IF_ERROR(CheckNotification(notification));
  return CatchSqlite(path(), "cannot store the notification", [&]() -> absl::Status {
    v1::Notification kept = notification;
    kept.clear_id();
    Statement update(*database_, "UPDATE notification SET notification = ? WHERE id = ?");
    BindProto(update, 1, kept);
    update.bind(2, notification.id());
    if (update.exec() > 0) return absl::OkStatus();
    return absl::NotFoundError(absl::StrCat("notification ", notification.id(), " is gone"));
  });
}

absl::StatusOr<v1::TargetRecord> SqliteRecordStore::ReadNewest(const std::string& target) {
  Statement select(*database_,
                   "SELECT record, schema FROM target_record WHERE target = ? ORDER BY number DESC LIMIT 1");
  select.bind(1, target);
  if (!select.executeStep()) return NoRecord(target);
  return ParseProto<v1::TargetRecord>(Bytes(select.getColumn(0)) + Bytes(select.getColumn(1)), path());
}

absl::StatusOr<v1::TargetRecord> SqliteRecordStore::AddTargetRecord(const v1::TargetRecord& target_record,
                                                                    const Record& record) {
  RETURN_IF_ERROR(CheckTargetRecord(target_record));
  RETURN_IF_ERROR(CheckRecord(record));
  return CatchSqlite(
      path(), "cannot store what is on record of the target", [&]() -> absl::StatusOr<v1::TargetRecord> {
        Transaction transaction(*database_, SQLite::TransactionBehavior::IMMEDIATE);
        v1::TargetRecord added = target_record;
        added.set_number(1);
        auto newest = ReadNewest(target_record.target());
        if (newest.ok()) {
          if (IsRecorded(*newest, target_record)) return newest;
          added.set_number(newest->number() + 1);
        } else if (!absl::IsNotFound(newest.status())) {
          return newest;
        }
        const TargetRecordBytes bytes = SplitTargetRecord(added);
        Statement insert(*database_,
                         "INSERT INTO target_record (target, number, record, schema) VALUES (?, ?, ?, ?)");
        insert.bind(1, added.target());
        insert.bind(2, added.number());
        BindBytes(insert, 3, bytes.record);
        BindBytes(insert, 4, bytes.schema);
        insert.exec();
        Write(record);
        transaction.commit();
        return added;
      });
}

absl::StatusOr<v1::TargetRecord> SqliteRecordStore::NewestTargetRecord(const std::string& target) {
  return CatchSqlite(path(), "cannot read what is on record of the target",
                     [&] { return ReadNewest(target); });
}

absl::StatusOr<std::vector<v1::TargetRecord>> SqliteRecordStore::ListTargetRecords(const std::string& target,
                                                                                   const Page& page,
                                                                                   std::string* next) {
  if (target.empty()) {
    return CatchSqlite(path(), "cannot list what is on record of the targets",
                       [&] { return ListTargets(page, next); });
  }
  ASSIGN_OR_RETURN(const PageRange range, ReadPage(page));
  return CatchSqlite(path(), "cannot list what is on record of the target", [&] {
    Statement select(*database_,
                     "SELECT number, record FROM target_record WHERE target = ? AND number < ?"
                     " ORDER BY number DESC LIMIT ?");
    select.bind(1, target);
    return ReadPageOf<v1::TargetRecord>(select, 2, range, next, [&](Statement& row) {
      return ReadProto<v1::TargetRecord>(row.getColumn(1), path());
    });
  });
}

absl::StatusOr<std::vector<v1::TargetRecord>> SqliteRecordStore::ListTargets(const Page& page,
                                                                             std::string* next) {
  ASSIGN_OR_RETURN(const TargetRange range, ReadTargetPage(page));
  Statement select(*database_,
                   "SELECT r.record FROM (SELECT target, max(number) AS number FROM target_record"
                   "  WHERE target > ? GROUP BY target ORDER BY target LIMIT ?) AS newest"
                   " JOIN target_record AS r ON r.target = newest.target AND r.number = newest.number"
                   " ORDER BY r.target");
  select.bind(1, range.after);
  select.bind(2, range.limit + 1);  // one more tells whether there is a next page
  std::vector<v1::TargetRecord> records;
  next->clear();
  while (select.executeStep()) {
    if (static_cast<int>(records.size()) == range.limit) {
      *next = TargetPageToken(records.back().target());
      break;
    }
    ASSIGN_OR_RETURN(v1::TargetRecord record, ReadProto<v1::TargetRecord>(select.getColumn(0), path()));
    records.push_back(std::move(record));
  }
  return records;
}

}  // namespace curlew::store
