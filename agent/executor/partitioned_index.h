// Indexes of partitioned tables, which PostgreSQL cannot build or drop CONCURRENTLY by itself.
#ifndef CURLEW_AGENT_EXECUTOR_PARTITIONED_INDEX_H_
#define CURLEW_AGENT_EXECUTOR_PARTITIONED_INDEX_H_

#include "absl/status/status.h"
#include "agent/executor/concurrent_session.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// Makes the index (or the constraint with it) on the parent alone, where it is invalid and costs nothing,
// then, partition by partition, one of its own on each: CONCURRENTLY on those with a heap, made on the table
// alone on those that are partitioned again; and attaches it to the one above in a transaction under a lock
// time-out. With the last one the parent's is valid. The catalogue alone says what is left to do, so an
// attempt goes on where an earlier one has ended, and partitions may come and go meanwhile. The parent's
// index is taken for ours where it exists: the caller has seen to that. Errors as BuildIndex and RunDdl;
// FAILED_PRECONDITION where the table is not partitioned or has foreign partitions.
absl::Status BuildPartitionedIndex(ConcurrentSession& session, const v1::ExecuteSqlConcurrently& action);

// Drops the parent's index, or its constraint, with all that is attached, in one transaction under a lock
// time-out: it locks the parent and all partitions for a moment. Then removes the indexes of ours that were
// built and never attached. Does nothing where nothing is left.
absl::Status DropPartitionedIndex(ConcurrentSession& session, const v1::ExecuteSqlConcurrently& action);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_PARTITIONED_INDEX_H_
