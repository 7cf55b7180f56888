// Statements that are about a session, not about the database: transactions, settings. The agent has its own.
// Of this folder alone.
#ifndef CURLEW_COMMON_FROM_SQL_SESSION_H_
#define CURLEW_COMMON_FROM_SQL_SESSION_H_

#include "absl/status/statusor.h"
#include "common/from_sql/sink.h"

namespace curlew::from_sql {

// Whether `node` is such a statement. It is left out, and a search path is taken over. INVALID_ARGUMENT for
// what would give objects other owners or places, and for what no plan can do.
absl::StatusOr<bool> ReadSession(const pg_query::Node& node, Sink* sink);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_SESSION_H_
