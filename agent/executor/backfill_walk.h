// The walk of a backfill through the heaps of a table.
#ifndef CURLEW_AGENT_EXECUTOR_BACKFILL_WALK_H_
#define CURLEW_AGENT_EXECUTOR_BACKFILL_WALK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/executor/backfill_batch.h"
#include "agent/executor/backfill_progress.h"
#include "agent/executor/run_context.h"
#include "agent/guard/batch_sizer.h"
#include "agent/guard/throttle.h"
#include "common/base/backoff.h"

namespace curlew::agent {

// Why a walk with a bound that is frozen when it begins misses nothing: the triggers were in force before
// (their step committed earlier), and complete every row version that is written since, whoever writes it and
// wherever it lands. What was there before lies below the bound, and does not move but by such a write. Rows
// that are moved by something else (VACUUM FULL, CLUSTER) change the heap's file, which each batch checks
// before it commits.
//
// A walk that deletes has no triggers to rely on: rows may come to match, or move, behind it. So it ends only
// when one snapshot of all heaps holds no row that matches; heaps that do are walked again, each
// kMostDeletingWalks times at most. What is left then is reported, and no failure: it came meanwhile.
//
// Not thread-safe; one use.
class BackfillWalk {
 public:
  static constexpr int kMostDeletingWalks = 10;

  // Not owned; both must outlive the object.
  BackfillWalk(const RunContext& context, const v1::Backfill& action);

  // Walks, or walks on. Returns the rows written over all attempts, journaled. FAILED_PRECONDITION before
  // PostgreSQL 14; INVALID_ARGUMENT where a row cannot be filled; CANCELLED between two batches; errors as in
  // common/pg/error.h.
  absl::StatusOr<int64_t> Run();

 private:
  absl::StatusOr<uint32_t> TableOid();
  // A heap that is not walked to its end yet, with its cursor; done() where there is none.
  absl::StatusOr<BackfillCursor> NextLeaf(BackfillProgress& progress);
  // Walks all heaps to their ends.
  absl::Status WalkAll(BackfillBatch& batch, BackfillProgress& progress);
  // Counts what still matches; heaps that hold some, and were not walked too often, begin anew: true where
  // there is one. `left` becomes the number of rows.
  absl::StatusOr<bool> WalkAgain(int64_t* left);
  absl::StatusOr<std::vector<int64_t>> CountLeft(const std::vector<Leaf>& leaves);
  absl::Status WalkLeaf(BackfillBatch& batch, BackfillCursor cursor, BackfillProgress& progress);
  // Whether the heap is no part of the table any more (a partition was dropped or detached).
  absl::StatusOr<bool> IsGone(const BackfillCursor& cursor);
  // A batch could not get its locks, or ran into a deadlock: says so, waits, and makes the next one smaller.
  absl::Status Contended(const BackfillCursor& cursor);

  const RunContext& context_;
  const v1::Backfill& action_;
  pg::Connection* connection_ = nullptr;
  BatchSizer sizer_;
  Throttle throttle_;
  absl::Time contended_since_ = absl::InfiniteFuture();
  base::Backoff contention_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_BACKFILL_WALK_H_
