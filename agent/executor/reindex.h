// Indexes built anew.
#ifndef CURLEW_AGENT_EXECUTOR_REINDEX_H_
#define CURLEW_AGENT_EXECUTOR_REINDEX_H_

#include "absl/status/status.h"
#include "agent/executor/concurrent_session.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// REINDEX INDEX CONCURRENTLY of the index, or of every index of the table where none is named; of partitioned
// ones leaf by leaf. What an interrupted try has left behind (<name>_ccnew and <name>_ccold, invalid) is
// dropped first. An index that went meanwhile is passed over. Indexes of exclusion constraints, which
// PostgreSQL does not reindex concurrently, are passed over with a message where all are meant;
// FAILED_PRECONDITION where one is named. An attempt after a crash builds all of them anew. NOT_FOUND where
// index or table do not exist; ABORTED where an index is not valid after all; errors as in common/pg/error.h.
absl::Status Reindex(ConcurrentSession& session, const v1::ExecuteSqlConcurrently& action);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_REINDEX_H_
