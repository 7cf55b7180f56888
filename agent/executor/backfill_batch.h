// One batch of a backfill.
#ifndef CURLEW_AGENT_EXECUTOR_BACKFILL_BATCH_H_
#define CURLEW_AGENT_EXECUTOR_BACKFILL_BATCH_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/executor/row_finder.h"
#include "agent/executor/run_context.h"
#include "agent/guard/throttle.h"
#include "agent/journal/journal.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// Runs batches of one backfill on one connection. Not thread-safe. Errors as in common/pg/error.h.
class BackfillBatch {
 public:
  // Nothing is owned; all must outlive the object. `table_oid` is the table's that the action names.
  BackfillBatch(const RunContext& context, const v1::Backfill& action, pg::Connection* connection,
                uint32_t table_oid);

  struct Done {
    int64_t rows = 0;
    // The heap is not the one that the cursor was begun on; nothing was committed.
    bool rewritten = false;
    Pressure pressure;
  };
  enum class Look { kNo, kAtPressure };
  // Fills (or deletes) the pending rows of blocks [cursor.next_block, end) and moves the cursor, in one
  // transaction.
  absl::StatusOr<Done> Run(const BackfillCursor& cursor, int64_t end, Look look);

  // The batch failed with `failure`, and another try would not help: finds a row that is to blame, notes it
  // in curlew.problem, and returns the error for people. OK where the batch passes by now.
  absl::Status Diagnose(const BackfillCursor& cursor, int64_t end, const absl::Status& failure);

 private:
  absl::StatusOr<FencedTransaction> Begin();
  std::string Statement(const std::string& leaf, TidNumber from, TidNumber to) const;
  // What failed, for people: the expression of that number, or, where it is negative, something else.
  std::string Culprit(int failing) const;
  absl::Status DescribeRow(const Leaf& leaf, TidNumber tid, const absl::Status& failure);

  const RunContext& context_;
  const v1::Backfill& action_;
  pg::Connection* const connection_;
  // The setting by which our triggers know the backfill's own writes.
  const std::string setup_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_BACKFILL_BATCH_H_
