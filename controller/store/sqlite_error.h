// SQLite's exceptions as statuses; they go no further than this folder.
#ifndef CURLEW_CONTROLLER_STORE_SQLITE_ERROR_H_
#define CURLEW_CONTROLLER_STORE_SQLITE_ERROR_H_

#include <string>
#include <utility>

#include "SQLiteCpp/Exception.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace curlew::store {

// What SQLite said while Curlew was `doing` something ("cannot store the plan") with the store at `path`:
// UNAVAILABLE where the store cannot be reached or written now (full disk, I/O error, rights, a lock that
// another process holds), DATA_LOSS where its file is damaged or no store, INTERNAL else. base::kReason is
// STORE_FULL, STORE_IO_ERROR, STORE_NOT_ACCESSIBLE, STORE_LOCKED, STORE_DAMAGED or STORE_ERROR; base::kHint
// says what to do.
absl::Status ToStatus(const SQLite::Exception& error, absl::string_view path, absl::string_view doing);

// Calls `function`, which returns absl::Status or absl::StatusOr, and makes a status of SQLite's exception.
template <typename Function>
auto CatchSqlite(absl::string_view path, absl::string_view doing, Function function) -> decltype(function()) {
  try {
    return std::move(function)();
  } catch (const SQLite::Exception& error) {
    return ToStatus(error, path, doing);
  }
}

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_SQLITE_ERROR_H_
