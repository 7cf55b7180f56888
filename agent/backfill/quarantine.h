// Rows that could not be written and are passed over.
#ifndef CURLEW_AGENT_BACKFILL_QUARANTINE_H_
#define CURLEW_AGENT_BACKFILL_QUARANTINE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "agent/attempt/run_context.h"
#include "agent/backfill/row_work.h"
#include "agent/backfill/walk_plan.h"
#include "agent/journal/range_journal.h"

namespace curlew::agent {

// Finds the row that makes a part fail, and keeps the list of those that wait. Thread-safe but for the
// connections that it is given. Errors as in common/pg/error.h.
class Quarantine {
 public:
  // Nothing is owned; both must outlive the object.
  Quarantine(const RunContext& context, const RowWork& work) : context_(context), work_(work) {}

  // Reads what the journal holds. To be called once, first.
  absl::Status Load(pg::Connection* connection);

  // A heap is walked anew: where its rows were means nothing any more.
  void Forget(uint32_t leaf);

  // A condition over t, " AND ...", that leaves the waiting rows of a heap out; "" where there are none.
  std::string Excluding(const LeafWalk& walk) const;

  // A part failed with `failure`, because of the work. Finds the row, and then either stops: INVALID_ARGUMENT
  // for people, with base::kHint and base::kRowKeys, the row noted in curlew.problem; or quarantines it where
  // the plan says so and its limit is not reached: OK, and the part is to be tried again. OK too where the
  // part passes by now. What fails without a single row is returned as it is.
  absl::Status Examine(pg::Connection* connection, const LeafWalk& walk, const Place& from, const Place& to,
                       const absl::Status& failure);

  // The same of a part that is the one row `row`.
  absl::Status ExamineRow(pg::Connection* connection, const LeafWalk& walk, const Place& row,
                          const absl::Status& failure);

  // The walk is at its end: tries each waiting row once more; accepts those that still fail where the attempt
  // has an operator's word. FAILED_PRECONDITION with SQLSTATE base::kRowsQuarantined where some are left.
  // Returns the rows that were written.
  absl::StatusOr<int64_t> Settle(pg::Connection* connection,
                                 const std::vector<std::shared_ptr<const LeafWalk>>& walks);

  int64_t size() const;
  // Those of one heap.
  int64_t CountIn(uint32_t leaf) const;

 private:
  // A transaction in which rows of the heap can be written, as whoever writes them.
  absl::StatusOr<FencedTransaction> Begin(pg::Connection* connection, const LeafWalk& walk,
                                          ActingRoles* roles, std::string* role) const;
  // Runs the work on what `condition` says and rolls it back, deferred constraints checked.
  absl::Status Probe(pg::Connection* connection, const LeafWalk& walk, const std::string& condition) const;
  absl::StatusOr<bool> Retry(pg::Connection* connection, const LeafWalk& walk, const QuarantinedRow& row,
                             int64_t* rows);
  absl::Status Accept(pg::Connection* connection, const LeafWalk& walk, const QuarantinedRow& row);
  absl::Status Stop(pg::Connection* connection, const LeafWalk& walk, const Place& row,
                    const absl::Status& failure, const std::string& key, absl::string_view addition);

  const RunContext& context_;
  const RowWork& work_;
  mutable absl::Mutex mutex_;
  std::vector<QuarantinedRow> rows_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKFILL_QUARANTINE_H_
