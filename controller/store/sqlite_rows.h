// All rows of a store in SQLite, as they are kept.
#ifndef CURLEW_CONTROLLER_STORE_SQLITE_ROWS_H_
#define CURLEW_CONTROLLER_STORE_SQLITE_ROWS_H_

#include "SQLiteCpp/Database.h"
#include "absl/status/status.h"
#include "controller/store/backup.h"

namespace curlew::store {

// Gives every row of a store, of whatever version, to `visit`, in the order of a backup. In a transaction of
// the caller, so that all are of one moment. Returns what `visit` does; throws SQLite::Exception.
absl::Status ReadSqliteRows(SQLite::Database& database, RowVisitor visit);

// Writes a row into a store that did not have it. In a transaction of the caller; throws SQLite::Exception.
void WriteSqliteRow(SQLite::Database& database, const v1::StoreRow& row);

// Whether no table has a row. Throws SQLite::Exception.
bool IsEmptySqlite(SQLite::Database& database);

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_SQLITE_ROWS_H_
