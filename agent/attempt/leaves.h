// The heaps behind a table.
#ifndef CURLEW_AGENT_ATTEMPT_LEAVES_H_
#define CURLEW_AGENT_ATTEMPT_LEAVES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/attempt/run_context.h"
#include "agent/journal/journal.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// The table and everything that inherits from it, as far as it has a heap, in order of OID: one for an
// ordinary table, the leaves for a partitioned one. NOT_FOUND where the table does not exist;
// FAILED_PRECONDITION where a partition is a foreign table; errors as in common/pg/error.h.
absl::StatusOr<std::vector<Leaf>> ListLeaves(pg::Connection* connection, const std::string& table);

// The attempt as one that wants its locks on `part` where the step wants them on `table`; "" for `mode`
// leaves their modes as they are, and where it is given, that one is wanted on `part`.
RunContext AboutPart(const RunContext& context, const std::string& table, const std::string& part,
                     const std::string& mode = "");

// Calls `work` for each of ListLeaves in the order of their names, then for those that have appeared
// meanwhile, until none is left. One that has gone when `work` fails is passed over. Each finds its own locks
// in the context that it is given (AboutPart). Stops at the first other error; CANCELLED.
absl::Status ForEachLeaf(const RunContext& context, const std::string& table,
                         const std::function<absl::Status(const RunContext&, const Leaf&)>& work);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_ATTEMPT_LEAVES_H_
