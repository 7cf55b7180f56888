#include "agent/guard/batch_sizer.h"

#include <algorithm>
#include <cmath>

namespace curlew::agent {

void BatchSizer::Took(int64_t blocks, absl::Duration taken) {
  const double ratio = absl::FDivDuration(target_, std::max(taken, absl::Microseconds(1)));
  if (ratio >= 1) {
    if (blocks < blocks_) return;
    const double grown = std::ceil(static_cast<double>(blocks_) * std::min(ratio, 1.5));
    blocks_ = std::min(kMostBlocks, static_cast<int64_t>(grown));
    return;
  }
  // Far above the target is a spike: half of what would just fit.
  const double cut = ratio < 0.5 ? ratio / 2 : ratio;
  blocks_ = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(std::min(blocks, blocks_)) * cut));
}

void BatchSizer::Contended() { blocks_ = std::max<int64_t>(1, blocks_ / 4); }

}  // namespace curlew::agent
