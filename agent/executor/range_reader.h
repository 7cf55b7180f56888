// What one session reads of a table that several verify.
#ifndef CURLEW_AGENT_EXECUTOR_RANGE_READER_H_
#define CURLEW_AGENT_EXECUTOR_RANGE_READER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/attempt/row_finder.h"
#include "agent/executor/shared_snapshot.h"
#include "common/pg/connection.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// What is in a range.
struct RangeCount {
  int64_t rows = 0;
  // By check: rows that violate it, and the keys of the first ones where they were asked for.
  std::vector<int64_t> violations;
  std::vector<std::vector<std::string>> keys;
};

// Which checks, by position.
using CheckSet = std::vector<bool>;

// Counts rows of ranges, in a transaction each. Not thread-safe; one for each connection. All that is given
// must outlive it. Errors as in common/pg/error.h and SharedSnapshot.
class RangeReader {
 public:
  RangeReader(const SharedSnapshot& snapshot, const v1::RowScan& scan, pg::Connection* connection)
      : snapshot_(snapshot), scan_(scan), connection_(connection) {}

  // Evaluates the checks in `active` on the rows from `from` to `to`; on a row that is pending
  // (RowCheck.pending) only those that say so. At most kMostKeys keys for each check in `keyed`. ABORTED with
  // kTableChanged where the heap is not the one that the snapshot has.
  absl::StatusOr<RangeCount> Count(const Heap& heap, TidNumber from, TidNumber to, const CheckSet& active,
                                   const CheckSet& keyed);
  // The key of the row at `place`.
  absl::StatusOr<std::string> Key(const Heap& heap, TidNumber place);
  // ABORTED with kTableChanged where the heap has gone, or another one has its name.
  absl::Status CheckUnchanged(const Heap& heap);

  pg::Connection* connection() const { return connection_; }

 private:
  // True for a row that violates the check and counts as doing so.
  std::string Violation(const Heap& heap, int check) const;

  const SharedSnapshot& snapshot_;
  const v1::RowScan& scan_;
  pg::Connection* const connection_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_RANGE_READER_H_
