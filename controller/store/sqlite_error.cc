#include "controller/store/sqlite_error.h"

#include <sqlite3.h>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"

namespace curlew::store {
namespace {

struct Kind {
  absl::StatusCode code;
  const char* reason;
  const char* hint;
};

Kind KindOf(int code) {
  // An extended code holds the primary one in its lowest byte.
  switch (code & 0xFF) {
    case SQLITE_FULL:
      return {absl::StatusCode::kUnavailable, "STORE_FULL",
              "free space on the file system that holds it, then try again; the controller need not be "
              "restarted"};
    case SQLITE_IOERR:
      return {absl::StatusCode::kUnavailable, "STORE_IO_ERROR",
              "look at the file system that holds it (full, over a quota, read-only, gone?), then try again"};
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return {absl::StatusCode::kUnavailable, "STORE_NOT_ACCESSIBLE",
              "its folder must exist, and the controller's user must be allowed to write into it"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return {absl::StatusCode::kUnavailable, "STORE_LOCKED",
              "another process holds it; one controller owns a store, end the other"};
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return {absl::StatusCode::kDataLoss, "STORE_DAMAGED",
              "it is damaged, or no SQLite file at all; name another file, or restore a copy"};
    default:
      return {absl::StatusCode::kInternal, "STORE_ERROR", "this is an error in Curlew; please report it"};
  }
}

}  // namespace

absl::Status ToStatus(const SQLite::Exception& error, absl::string_view path, absl::string_view doing) {
  const int code = error.getExtendedErrorCode() > 0 ? error.getExtendedErrorCode() : error.getErrorCode();
  const Kind kind = KindOf(code);
  absl::Status status(kind.code,
                      absl::StrCat("store ", path, ": ", doing, ": ", error.what(), " (SQLite error ", code,
                                   "); nothing has changed; ", kind.hint));
  return base::WithDetail(base::WithDetail(status, base::kReason, kind.reason), base::kHint, kind.hint);
}

}  // namespace curlew::store
