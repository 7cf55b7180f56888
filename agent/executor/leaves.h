// The heaps behind a table.
#ifndef CURLEW_AGENT_EXECUTOR_LEAVES_H_
#define CURLEW_AGENT_EXECUTOR_LEAVES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/journal/journal.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// The table and everything that inherits from it, as far as it has a heap, in order of OID: one for an
// ordinary table, the leaves for a partitioned one. NOT_FOUND where the table does not exist;
// FAILED_PRECONDITION where a partition is a foreign table; errors as in common/pg/error.h.
absl::StatusOr<std::vector<Leaf>> ListLeaves(pg::Connection* connection, const std::string& table);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_LEAVES_H_
