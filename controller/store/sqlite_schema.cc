#include "controller/store/sqlite_schema.h"

#include <map>

#include "SQLiteCpp/Statement.h"
#include "SQLiteCpp/Transaction.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "migrations/embedded.h"

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

std::vector<Migration> ControllerMigrations() {
  std::map<std::string, Migration> by_name;
  for (const migrations::EmbeddedFile& file : migrations::Embedded()) {
    absl::string_view path(file.path.data(), file.path.size());
    const absl::string_view text(file.text.data(), file.text.size());
    if (!absl::ConsumePrefix(&path, "controller/")) continue;
    const std::vector<std::string> parts = absl::StrSplit(path, '.');  // 0001_store, up, sql
    Migration& migration = by_name[parts[0]];
    migration.name = parts[0];
    if (parts.size() > 1 && parts[1] == "up") migration.up = text;
    if (parts.size() > 1 && parts[1] == "down") migration.down = text;
    if (parts.size() > 1 && parts[1] == "verify") migration.verify = text;
  }
  std::vector<Migration> sorted;
  for (auto& [name, migration] : by_name) {
    migration.version = static_cast<int>(sorted.size()) + 1;
    sorted.push_back(migration);
  }
  return sorted;
}

absl::StatusOr<int> ReadVersion(SQLite::Database& database, int newest) {
  if (!database.tableExists("schema_version")) {
    if (database.execAndGet("SELECT count(*) FROM sqlite_schema").getInt() == 0) return 0;
    return absl::FailedPreconditionError(absl::StrCat(
        "store ", database.getFilename(),
        " is a database of something else: it has tables, but no schema_version; name another file"));
  }
  const int version = database.execAndGet("SELECT coalesce(max(version), 0) FROM schema_version").getInt();
  if (version > newest) {
    return absl::FailedPreconditionError(
        absl::StrCat("store ", database.getFilename(), " was written by a newer Curlew (schema version ",
                     version, "; this one knows versions up to ", newest,
                     "); start that version of the controller, or restore the copy from before the upgrade"));
  }
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
