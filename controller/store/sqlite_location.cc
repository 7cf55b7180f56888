#include "controller/store/sqlite_location.h"

#include <sys/stat.h>

#include <utility>
#include <vector>

#include "SQLiteCpp/Database.h"
#include "SQLiteCpp/Statement.h"
#include "SQLiteCpp/Transaction.h"
#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "controller/store/backup.h"
#include "controller/store/care.h"
#include "controller/store/row_checker.h"
#include "controller/store/sqlite_error.h"
#include "controller/store/sqlite_leader_lease.h"
#include "controller/store/sqlite_rollout_store.h"
#include "controller/store/sqlite_rows.h"
#include "controller/store/sqlite_schema.h"

namespace curlew::store {
namespace {

constexpr int kBusyTimeoutMs = 5000;

int Newest() { return static_cast<int>(ControllerMigrations().size()); }

bool Exists(const std::string& path) {
  struct stat ignored;
  return stat(path.c_str(), &ignored) == 0;
}

// The version of a store that is there. NOT_FOUND; errors as ReadVersion. Throws SQLite::Exception.
absl::StatusOr<int> VersionOf(SQLite::Database& database) {
  ASSIGN_OR_RETURN(const int version, ReadVersion(database, Newest()));
  if (version == 0) return NoStore(database.getFilename());
  return version;
}

// Calls `use` with the store at `path` and its version. Errors as VersionOf, and what `use` returns.
template <typename Use>
absl::Status WithStore(const std::string& path, absl::string_view doing, Use use) {
  if (!Exists(path)) return NoStore(path);
  return CatchSqlite(path, doing, [&]() -> absl::Status {
    SQLite::Database database(path, SQLite::OPEN_READWRITE, kBusyTimeoutMs);
    ASSIGN_OR_RETURN(const int version, VersionOf(database));
    return use(database, version);
  });
}

// What SQLite itself finds: DATA_LOSS. Throws SQLite::Exception.
absl::Status CheckFile(SQLite::Database& database) {
  std::string found;
  SQLite::Statement integrity(database, "PRAGMA integrity_check(20)");
  while (integrity.executeStep()) {
    const std::string line = integrity.getColumn(0).getString();
    if (line != "ok") absl::StrAppend(&found, "\n  ", line);
  }
  SQLite::Statement references(database, "PRAGMA foreign_key_check");
  while (references.executeStep()) {
    absl::StrAppend(&found, "\n  a row of table ", references.getColumn(0).getString(),
                    " refers to one of table ", references.getColumn(2).getString(), " that is not there");
  }
  if (found.empty()) return absl::OkStatus();
  return base::WithDetail(
      absl::DataLossError(absl::StrCat("store ", database.getFilename(), " is damaged:", found)),
      base::kReason, "STORE_DAMAGED");
}

}  // namespace

absl::StatusOr<std::unique_ptr<LeaderLease>> SqliteLocation::OpenLease(const LeaderIdentity& identity) {
  if (Exists(path_)) {
    RETURN_IF_ERROR(CatchSqlite(path_, "cannot be opened", [&]() -> absl::Status {
      SQLite::Database database(path_, SQLite::OPEN_READWRITE, kBusyTimeoutMs);
      return ReadVersion(database, Newest()).status();
    }));
  }
  return std::make_unique<SqliteLeaderLease>(path_, identity);
}

absl::StatusOr<std::unique_ptr<RolloutStore>> SqliteLocation::OpenStore(int64_t) {
  return SqliteRolloutStore::Open({.path = path_});
}

absl::Status SqliteLocation::Backup(const std::string& path) {
  return WithStore(
      path_, "cannot be backed up", [&](SQLite::Database& database, int version) -> absl::Status {
        ASSIGN_OR_RETURN(auto writer, BackupWriter::Create(path, version));
        SQLite::Transaction snapshot(database);
        RETURN_IF_ERROR(ReadSqliteRows(database, [&](const v1::StoreRow& row) { return writer->Add(row); }));
        return writer->Finish();
      });
}

absl::Status SqliteLocation::Restore(const std::string& path) {
  RETURN_IF_ERROR(CheckBackup(path));
  ASSIGN_OR_RETURN(const CareLease lease, CareLease::Take(*this, "store restore"));
  RETURN_IF_ERROR(SqliteRolloutStore::Open({.path = path_}).status());
  return WithStore(path_, "cannot be restored", [&](SQLite::Database& database, int) -> absl::Status {
    database.exec("PRAGMA synchronous = FULL");
    database.exec("PRAGMA foreign_keys = ON");
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    if (!IsEmptySqlite(database)) return NotEmpty(path_);
    RETURN_IF_ERROR(ReadBackup(path, [&](const v1::StoreRow& row) {
      WriteSqliteRow(database, row);
      return absl::OkStatus();
    }));
    transaction.commit();
    return absl::OkStatus();
  });
}

absl::StatusOr<std::string> SqliteLocation::Check() {
  RowChecker checker;
  int version = 0;
  RETURN_IF_ERROR(
      WithStore(path_, "cannot be checked", [&](SQLite::Database& database, int found) -> absl::Status {
        version = found;
        SQLite::Transaction snapshot(database);
        RETURN_IF_ERROR(CheckFile(database));
        RETURN_IF_ERROR(ReadSqliteRows(database, [&](const v1::StoreRow& row) {
          checker.Add(row);
          return absl::OkStatus();
        }));
        return checker.Finish(absl::StrCat("store ", path_));
      }));
  return absl::StrCat("store ", path_, " (SQLite, schema version ", version, ") is sound:\n  ",
                      checker.Counts());
}

absl::StatusOr<std::string> SqliteLocation::Migrate() {
  int from = 0;
  RETURN_IF_ERROR(WithStore(path_, "cannot be migrated", [&](SQLite::Database&, int version) {
    from = version;
    return absl::OkStatus();
  }));
  if (from < Newest()) {
    ASSIGN_OR_RETURN(const CareLease lease, CareLease::Take(*this, "store migrate"));
    RETURN_IF_ERROR(SqliteRolloutStore::Open({.path = path_}).status());
  }
  return Migrated(path_, from, Newest());
}

}  // namespace curlew::store
