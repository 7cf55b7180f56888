// One pass over the rows of a table, by several sessions that share a snapshot.
#ifndef CURLEW_AGENT_EXECUTOR_TABLE_SCAN_H_
#define CURLEW_AGENT_EXECUTOR_TABLE_SCAN_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/attempt/run_context.h"
#include "agent/executor/finding.h"
#include "agent/executor/range_reader.h"
#include "agent/executor/shared_snapshot.h"
#include "agent/guard/batch_sizer.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// What a scan saw.
struct ScanResult {
  int64_t rows = 0;
  std::vector<Finding> findings;
};

// Hands out ranges of blocks to workers, each of which has a connection and a thread of its own, and gathers
// what they find: what is found, and which keys are named, does not depend on their number. Used once.
class TableScan {
 public:
  // All that is given must outlive it.
  TableScan(const RunContext& context, const v1::RowScan& scan, std::vector<Heap> heaps,
            SharedSnapshot* snapshot);

  // Reads every row. ABORTED with kTableChanged where the table is not the snapshot's any more;
  // DEADLINE_EXCEEDED where a heap stays locked; CANCELLED; errors as in common/pg/error.h.
  absl::StatusOr<ScanResult> Run();

 private:
  struct Range {
    size_t heap = 0;
    int64_t first = 0, end = 0;
  };
  // What is known of one check.
  struct Seen {
    int64_t violations = 0;
    // The first ones, by heap, place of their range, and position in it.
    std::map<std::pair<std::pair<size_t, TidNumber>, size_t>, std::string> keys;
    // Rows on which it fails, and what was said of the last of them.
    std::vector<std::string> failing;
    std::optional<absl::Status> failure;
    // Not evaluated any more: it fails on every row, or on too many.
    bool given_up = false;
  };

  int Workers() const;
  void Work(int number);
  // The next range of about `blocks`; nothing where all are handed out or the scan is to end.
  std::optional<Range> Next(int64_t blocks);
  absl::Status Scan(RangeReader& reader, size_t heap, TidNumber from, TidNumber to, int64_t* rows);
  // Counts; waits for a lock that somebody holds.
  absl::StatusOr<RangeCount> Count(RangeReader& reader, size_t heap, TidNumber from, TidNumber to,
                                   const CheckSet& active);
  void Add(size_t heap, TidNumber from, const RangeCount& count);
  // Gives up the checks that fail even where there is no row; whether there are any.
  absl::StatusOr<bool> GiveUpBroken(RangeReader& reader, size_t heap);
  // Looks at a row on which something fails.
  absl::Status ScanRow(RangeReader& reader, size_t heap, TidNumber place);
  CheckSet Active();
  // The checks of which keys found in a range that begins at `from` are wanted.
  CheckSet Keyed(size_t heap, TidNumber from);
  absl::Status WaitForLock(RangeReader& reader, const Heap& heap, absl::Time since, const absl::Status& why);
  void Report();
  ScanResult Result() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const RunContext& context_;
  const v1::RowScan& scan_;
  const std::vector<Heap> heaps_;
  SharedSnapshot* const snapshot_;
  const absl::Time began_;
  int64_t blocks_total_ = 0;
  int64_t rows_estimate_ = 0;

  absl::Mutex mutex_;
  size_t next_heap_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t next_block_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t blocks_done_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t rows_ ABSL_GUARDED_BY(mutex_) = 0;
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  // Why a worker could not begin; harmless where another one could.
  absl::Status no_connection_ ABSL_GUARDED_BY(mutex_);
  std::vector<Seen> seen_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::WorkerProgress> workers_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::Waiting> waiting_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_TABLE_SCAN_H_
