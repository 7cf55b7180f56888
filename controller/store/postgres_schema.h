// The tables of the PostgreSQL store: made and migrated from migrations/controller_postgres.
#ifndef CURLEW_CONTROLLER_STORE_POSTGRES_SCHEMA_H_
#define CURLEW_CONTROLLER_STORE_POSTGRES_SCHEMA_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/migration.h"
#include "controller/store/postgres_session.h"

namespace curlew::store {

// The migrations of the PostgreSQL store, from version 1 on, without a gap.
std::vector<Migration> PostgresMigrations();

// The version of the schema; 0 where there is none, or one that is empty and belongs to us (a database's
// owner may make it for a role that may not). FAILED_PRECONDITION where schema curlew_controller holds
// something else or belongs to somebody else, or is of a version above `newest`. Errors as PostgresWork.
absl::StatusOr<int> ReadPostgresVersion(PostgresSession& session, int newest);

// Brings the schema up to the newest of `migrations`, each in a transaction with the row of schema_version
// that records it, under an advisory lock of that transaction: of several controllers that start together one
// migrates, the others wait and find it done. Errors as above; UNAVAILABLE where another migrates for longer
// than options().lock_timeout; INTERNAL where a migration is not in force afterwards, and then it is not
// applied.
absl::Status MigratePostgres(PostgresSession& session, const std::vector<Migration>& migrations);

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_POSTGRES_SCHEMA_H_
