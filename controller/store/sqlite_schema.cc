#include "controller/store/sqlite_schema.h"

#include "SQLiteCpp/Statement.h"
#include "SQLiteCpp/Transaction.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace curlew::store {
namespace {

// The one table that is not in a migration: it tells which of them have been applied.
constexpr char kVersionTable[] =
    "CREATE TABLE IF NOT EXISTS schema_version ("
    "version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_time TEXT NOT NULL) STRICT";

absl::Status Apply(SQLite::Database& database, const Migration& migration) {
  database.exec(std::string(migration.up));
  if (database.execAndGet(std::string(migration.verify)).getInt() != 1) {
    return absl::InternalError(
        absl::StrCat("migration ", migration.name, " is not in force after it was applied"));
  }
  SQLite::Statement insert(database,
                           "INSERT INTO schema_version (version, name, applied_time) "
                           "VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))");
  insert.bind(1, migration.version);
  insert.bind(2, migration.name);
  insert.exec();
  return absl::OkStatus();
}

}  // namespace

std::vector<Migration> ControllerMigrations() { return MigrationsIn("controller"); }

absl::StatusOr<int> ReadVersion(SQLite::Database& database, int newest) {
  if (!database.tableExists("schema_version")) {
    if (database.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() == 0) return 0;
    return NotAStore(database.getFilename(), "it has tables, but no schema_version; name another file");
  }
  const int version = database.execAndGet("SELECT coalesce(max(version), 0) FROM schema_version").getInt();
  RETURN_IF_ERROR(CheckNotNewer(database.getFilename(), version, newest));
  return version;
}

absl::Status Migrate(SQLite::Database& database, const std::vector<Migration>& migrations) {
  for (const Migration& migration : migrations) {
    SQLite::Transaction transaction(database, SQLite::TransactionBehavior::IMMEDIATE);
    // Read under the write lock: two controllers that start together migrate once.
    ASSIGN_OR_RETURN(const int version, ReadVersion(database, static_cast<int>(migrations.size())));
    if (version >= migration.version) continue;
    database.exec(kVersionTable);
    RETURN_IF_ERROR(Apply(database, migration));
    transaction.commit();
  }
  return absl::OkStatus();
}

}  // namespace curlew::store
