// The tables of the SQLite store: made and migrated from migrations/controller.
#ifndef CURLEW_CONTROLLER_STORE_SQLITE_SCHEMA_H_
#define CURLEW_CONTROLLER_STORE_SQLITE_SCHEMA_H_

#include <string>
#include <vector>

#include "SQLiteCpp/Database.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/migration.h"

namespace curlew::store {

// The migrations of the SQLite store, from version 1 on, without a gap.
std::vector<Migration> ControllerMigrations();

// The version of the schema in `database`; 0 where the database is empty. FAILED_PRECONDITION where it holds
// tables of somebody else, or is of a version above `newest`. Changes nothing. Throws SQLite::Exception.
absl::StatusOr<int> ReadVersion(SQLite::Database& database, int newest);

// Brings `database` up to the newest of `migrations`, each in a transaction with the row of schema_version
// that records it. FAILED_PRECONDITION as above; INTERNAL where a migration is not in force afterwards, and
// then it is not applied. Throws SQLite::Exception.
absl::Status Migrate(SQLite::Database& database, const std::vector<Migration>& migrations);

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_SQLITE_SCHEMA_H_
