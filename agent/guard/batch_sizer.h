// How many blocks the next batch of a backfill takes.
#ifndef CURLEW_AGENT_GUARD_BATCH_SIZER_H_
#define CURLEW_AGENT_GUARD_BATCH_SIZER_H_

#include <cstdint>

#include "absl/time/time.h"

namespace curlew::agent {

// Aims at a duration: raises by half at most, because a cheap stretch of a table says little about the next
// one; cuts at once and by as much as it takes, because the application waits meanwhile. Not thread-safe.
class BatchSizer {
 public:
  explicit BatchSizer(absl::Duration target, int64_t first_blocks = 16)
      : target_(target), blocks_(first_blocks) {}

  // Blocks of the next batch, at least 1.
  int64_t blocks() const { return blocks_; }
  // A batch of `blocks` blocks took `taken`. A batch shorter than asked for (the end of a table) raises
  // nothing.
  void Took(int64_t blocks, absl::Duration taken);
  // A batch could not get its locks: a smaller one is less in the way.
  void Contended();

 private:
  // A batch must stay small enough to stop soon, whatever the clock says.
  static constexpr int64_t kMostBlocks = 16384;
  const absl::Duration target_;
  int64_t blocks_;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_BATCH_SIZER_H_
