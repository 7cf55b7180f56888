#include "agent/journal/backup_journal.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::agent {

absl::Status RecordBackup(FencedTransaction& transaction, const StepAttempt& attempt,
                          const v1::BackupResult& backup) {
  return transaction
      .Execute(
          "INSERT INTO curlew.backup (run, step, kind, location, bytes, sha256, complete, restore_hint)"
          " VALUES ($1, $2, $3, $4, $5::bigint, $6, to_timestamp($7::double precision / 1000000), $8)"
          " ON CONFLICT (run, step) DO UPDATE SET kind = excluded.kind, location = excluded.location,"
          " bytes = excluded.bytes, sha256 = excluded.sha256, complete = excluded.complete,"
          " restore_hint = excluded.restore_hint",
          {attempt.run, attempt.step, backup.kind(), backup.location(), absl::StrCat(backup.bytes()),
           backup.sha256(), absl::StrCat(absl::ToUnixMicros(base::FromProto(backup.time()))),
           backup.restore_hint()})
      .status();
}

absl::StatusOr<std::vector<v1::BackupResult>> ReadBackups(pg::Connection* connection, const std::string& run,
                                                          const std::string& step) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   connection->Execute("SELECT kind, location, bytes, sha256, restore_hint,"
                                       " round(extract(epoch FROM complete) * 1000000)::bigint"
                                       " FROM curlew.backup WHERE run = $1 AND step = $2",
                                       {run, step}));
  std::vector<v1::BackupResult> backups;
  for (int64_t i = 0; i < rows.size(); ++i) {
    v1::BackupResult& backup = backups.emplace_back();
    backup.set_kind(rows.Text(i, 0));
    backup.set_location(rows.Text(i, 1));
    backup.set_bytes(rows.Int(i, 2));
    backup.set_sha256(rows.Text(i, 3));
    backup.set_restore_hint(rows.Text(i, 4));
    *backup.mutable_time() = base::ToProto(absl::FromUnixMicros(rows.Int(i, 5)));
  }
  return backups;
}

absl::Status RecordMeasurements(FencedTransaction& transaction, const std::string& run,
                                const Measurements& values) {
  for (const auto& [name, value] : values) {
    RETURN_IF_ERROR(transaction
                        .Execute("INSERT INTO curlew.measurement (run, name, value) VALUES ($1, $2, $3)"
                                 " ON CONFLICT (run, name) DO UPDATE SET value = excluded.value,"
                                 " measured = excluded.measured",
                                 {run, name, value})
                        .status());
  }
  return absl::OkStatus();
}

absl::StatusOr<Measurements> ReadMeasurements(pg::Connection* connection, const std::string& run) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   connection->Execute("SELECT name, value FROM curlew.measurement WHERE run = $1", {run}));
  Measurements values;
  for (int64_t i = 0; i < rows.size(); ++i) {
    values.emplace(rows.Text(i, 0), rows.IsNull(i, 1) ? std::nullopt : std::optional(rows.Text(i, 1)));
  }
  return values;
}

}  // namespace curlew::agent
