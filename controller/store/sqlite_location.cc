#include "controller/store/sqlite_location.h"

#include <filesystem>

#include "SQLiteCpp/Database.h"
#include "common/base/status_macros.h"
#include "controller/store/sqlite_error.h"
#include "controller/store/sqlite_leader_lease.h"
#include "controller/store/sqlite_rollout_store.h"
#include "controller/store/sqlite_schema.h"

namespace curlew::store {
namespace {

constexpr int kBusyTimeoutMs = 5000;

absl::Status CheckVersion(const std::string& path) {
  return CatchSqlite(path, "cannot be opened", [&]() -> absl::Status {
    SQLite::Database database(path, SQLite::OPEN_READWRITE, kBusyTimeoutMs);
    return ReadVersion(database, static_cast<int>(ControllerMigrations().size())).status();
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<LeaderLease>> SqliteLocation::OpenLease(const LeaderIdentity& identity) {
  std::error_code ignored;
  if (std::filesystem::exists(path_, ignored)) RETURN_IF_ERROR(CheckVersion(path_));
  return std::make_unique<SqliteLeaderLease>(path_, identity);
}

absl::StatusOr<std::unique_ptr<RolloutStore>> SqliteLocation::OpenStore(int64_t) {
  return SqliteRolloutStore::Open({.path = path_});
}

absl::Status SqliteLocation::Backup(const std::string&) { return absl::UnimplementedError("to come"); }
absl::Status SqliteLocation::Restore(const std::string&) { return absl::UnimplementedError("to come"); }
absl::StatusOr<std::string> SqliteLocation::Check() { return absl::UnimplementedError("to come"); }
absl::StatusOr<std::string> SqliteLocation::Migrate() { return absl::UnimplementedError("to come"); }

}  // namespace curlew::store
