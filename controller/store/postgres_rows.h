// All rows of a store in PostgreSQL, as they are kept.
#ifndef CURLEW_CONTROLLER_STORE_POSTGRES_ROWS_H_
#define CURLEW_CONTROLLER_STORE_POSTGRES_ROWS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/backup.h"
#include "controller/store/postgres_session.h"

namespace curlew::store {

// Gives every row of a store, of whatever version, to `visit`, in the order of a backup, a few at a time.
// `work` should be a snapshot, so that all are of one moment. Errors as PostgresWork, and what `visit`
// returns.
absl::Status ReadPostgresRows(PostgresWork& work, RowVisitor visit);

// Writes a row into a store that did not have it. Errors as PostgresWork.
absl::Status WritePostgresRow(PostgresWork& work, const v1::StoreRow& row);

// Whether no table has a row.
absl::StatusOr<bool> IsEmptyPostgres(PostgresWork& work);

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_POSTGRES_ROWS_H_
