// Rows that an operator has accepted as they are.
#ifndef CURLEW_AGENT_EXECUTOR_ACCEPTED_ROWS_H_
#define CURLEW_AGENT_EXECUTOR_ACCEPTED_ROWS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/executor/shared_snapshot.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// Sets Heap.accepted of each heap: the rows whose keys the journal has as accepted in `run`, in that heap. A
// key that is not the heap's primary key, nor a place, matches none. Errors as in common/pg/error.h.
absl::Status ExceptAcceptedRows(pg::Connection* connection, const std::string& run, std::vector<Heap>* heaps);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_ACCEPTED_ROWS_H_
