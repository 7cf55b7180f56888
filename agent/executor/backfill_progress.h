// How far a backfill has come, how fast it is, and when it will be done.
#ifndef CURLEW_AGENT_EXECUTOR_BACKFILL_PROGRESS_H_
#define CURLEW_AGENT_EXECUTOR_BACKFILL_PROGRESS_H_

#include <cstdint>
#include <map>
#include <string>

#include "absl/time/time.h"
#include "agent/journal/journal.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

// Counts blocks (exactly) and rows. Time is given, not read. Not thread-safe.
class BackfillProgress {
 public:
  // `rows_total` is an estimate; 0 where unknown.
  BackfillProgress(int64_t rows_total, absl::Time now) : rows_total_(rows_total), rate_since_(now) {}

  // A heap's cursor stands so; heaps that were not mentioned yet do not count.
  void SetLeaf(const BackfillCursor& cursor) { leaves_[cursor.leaf] = cursor; }
  // How many heaps there are.
  void SetLeafCount(int count) { leaf_count_ = count; }
  int64_t rows() const;
  // The state as progress; rates are those of the time since the last call but a second.
  v1::Progress Report(double throttle, absl::Time now);

 private:
  int64_t rows_total_;
  int leaf_count_ = 1;
  std::map<uint32_t, BackfillCursor> leaves_;
  absl::Time rate_since_;
  int64_t rows_then_ = -1;
  int64_t blocks_then_ = 0;
  double rows_per_second_ = 0;
  double blocks_per_second_ = 0;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_BACKFILL_PROGRESS_H_
