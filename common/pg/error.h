// What PostgreSQL answered, as an absl::Status. The only place that turns exceptions of libpqxx into
// statuses.
#ifndef CURLEW_COMMON_PG_ERROR_H_
#define CURLEW_COMMON_PG_ERROR_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace curlew::pg {

// Codes that statuses of this folder carry; base::Detail(status, base::kSqlstate) gives the SQLSTATE:
//   UNAVAILABLE          the connection is broken or cannot be made (08*, 57P*, 53300, 25P03, 25P04),
//                        or the server takes no writes now (25006)
//   DEADLINE_EXCEEDED    a lock time-out (55P03), or 57014 that we did not ask for: a statement time-out
//   CANCELLED            Connection::Cancel ended the statement (57014)
//   ABORTED              deadlock, serialisation failure, snapshot too old (40*, 72*): try again
//   ALREADY_EXISTS       duplicate object or unique violation (42P04, 42P06, 42P07, 42701, 42710, 42723,
//                        23505)
//   NOT_FOUND            undefined object (42P01, 42703, 42704, 42883, 3D000, 3F000)
//   PERMISSION_DENIED    42501, 28*
//   RESOURCE_EXHAUSTED   53* (disk full, out of memory)
//   FAILED_PRECONDITION  the database is not in the state for it (55*, 2BP01, 0A000)
//   INVALID_ARGUMENT     the data or the statement is wrong (21*, 22*, 23*, 42*, 44*, 54*, P0*)
//   DATA_LOSS            the outcome of a COMMIT is not known (in doubt)
//   INTERNAL             anything else
// Messages are what PostgreSQL says in its first line, with the SQLSTATE; never its DETAIL, which holds
// values of rows.
enum class Blame { kWork, kWorld };

// Whether another try may help: kWorld for UNAVAILABLE, DEADLINE_EXCEEDED, ABORTED, RESOURCE_EXHAUSTED,
// DATA_LOSS, and for the SQLSTATEs 58* and XX000; kWork for the rest. docs/failure-handling.md has the table.
Blame BlameFor(const absl::Status& status);

// The SQLSTATE, or "" where PostgreSQL gave none.
std::string Sqlstate(const absl::Status& status);

// Who may have ended a statement that came back with 57014.
enum class Canceller { kNobody, kUs };

// The status for what the server said. `message` may have the form "SEVERITY:  text".
absl::Status ServerError(absl::string_view sqlstate, absl::string_view message,
                         Canceller canceller = Canceller::kNobody);

// The status for the exception that is being handled: call it in a catch block only. `lost` is the message
// for a connection that broke.
absl::Status FromCurrentException(Canceller canceller, absl::string_view lost);

}  // namespace curlew::pg

#endif  // CURLEW_COMMON_PG_ERROR_H_
