// How far a walk has come, how fast it is, and when it will be done.
#ifndef CURLEW_AGENT_BACKFILL_PROGRESS_H_
#define CURLEW_AGENT_BACKFILL_PROGRESS_H_

#include <cstdint>

#include "absl/time/time.h"
#include "agent/backfill/range_queue.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

// Turns totals into progress. Time is given, not read. Not thread-safe.
class WalkProgress {
 public:
  // `rows_total` is an estimate; 0 where unknown.
  WalkProgress(int64_t rows_total, absl::Time now) : rows_total_(rows_total), since_(now), looked_(now) {}

  // The state as progress; rates are those of about the last five seconds. `paused` is whether the walk
  // yields now.
  enum class Pace { kWorks, kPauses };
  v1::Progress Report(const RangeQueue::Totals& totals, Pace pace, absl::Time now);

 private:
  int64_t rows_total_;
  absl::Time since_;   // of the rates
  absl::Time looked_;  // of the share of pauses
  int64_t rows_then_ = -1;
  double done_then_ = 0;
  double rows_per_second_ = 0;
  double fraction_per_second_ = 0;
  double throttle_ = 0;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKFILL_PROGRESS_H_
