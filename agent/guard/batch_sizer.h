// How much the next batch of a walk takes.
#ifndef CURLEW_AGENT_GUARD_BATCH_SIZER_H_
#define CURLEW_AGENT_GUARD_BATCH_SIZER_H_

#include <cstdint>

#include "absl/time/time.h"

namespace curlew::agent {

// Aims at a duration: raises by half at most, because a cheap stretch of a table says little about the next
// one; cuts at once and by as much as it takes, because the application waits meanwhile. In whatever unit the
// walk has. Not thread-safe.
class BatchSizer {
 public:
  // Begins with `first`; never above `most`, so that a batch stays small enough to stop soon whatever the
  // clock says.
  BatchSizer(absl::Duration target, int64_t first, int64_t most);

  // Units of the next batch, at least 1.
  int64_t size() const { return size_; }
  absl::Duration target() const { return target_; }
  void SetTarget(absl::Duration target) { target_ = target; }
  // A batch of `units` took `work` for its rows and `rest` for its transaction (round trips, the commit),
  // which no smaller batch would spare: where that alone takes as long as the target, half of the target is
  // left to the rows, or batches would shrink to a row each and help nobody. A batch shorter than asked for
  // (the end of a range) raises nothing.
  void Took(int64_t units, absl::Duration work, absl::Duration rest = absl::ZeroDuration());
  // A batch was ended because it took far too long, or could not get its locks.
  void Cut();

 private:
  absl::Duration target_;
  const int64_t most_;
  int64_t size_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_BATCH_SIZER_H_
