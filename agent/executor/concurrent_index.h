// One index that is built or dropped CONCURRENTLY.
#ifndef CURLEW_AGENT_EXECUTOR_CONCURRENT_INDEX_H_
#define CURLEW_AGENT_EXECUTOR_CONCURRENT_INDEX_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/executor/concurrent_session.h"
#include "common/pg/connection.h"

namespace curlew::agent {

enum class IndexState { kAbsent, kInvalid, kValid, kOnOtherTable };

// What the catalogue says of the index; `table` may be empty: then any will do. Names are qualified and
// quoted. Errors as in common/pg/error.h.
absl::StatusOr<IndexState> ReadIndexState(pg::Connection* connection, const std::string& index,
                                          const std::string& table);

// ALREADY_EXISTS for an index that was there before, and the way out.
absl::Status NotOurs(const std::string& index);

// Builds an index of ours by `statement`, unless a valid one is there; an invalid leftover is dropped first.
// What could not be finished is removed at once: an invalid unique index would refuse rows. ALREADY_EXISTS
// for an index of that name on another table; ABORTED where it is not valid after all.
absl::Status BuildIndex(ConcurrentSession& session, const std::string& index, const std::string& table,
                        const std::string& statement);

// Drops an index by `statement`, unless none of that name is on the table.
absl::Status DropIndex(ConcurrentSession& session, const std::string& index, const std::string& table,
                       const std::string& statement);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_CONCURRENT_INDEX_H_
