#include "agent/guard/batch_sizer.h"

#include <algorithm>
#include <cmath>

namespace curlew::agent {

BatchSizer::BatchSizer(absl::Duration target, int64_t first, int64_t most)
    : target_(target), most_(std::max<int64_t>(1, most)), size_(std::clamp<int64_t>(first, 1, most_)) {}

void BatchSizer::Took(int64_t units, absl::Duration work, absl::Duration rest) {
  const absl::Duration aim = std::max(target_ / 2, target_ - rest);
  const double ratio = absl::FDivDuration(aim, std::max(work, absl::Microseconds(1)));
  if (ratio >= 1) {
    if (units < size_) return;
    const double grown = std::ceil(static_cast<double>(size_) * std::min(ratio, 1.5));
    size_ = std::min(most_, static_cast<int64_t>(grown));
    return;
  }
  // Far above the target is a spike: half of what would just fit.
  const double cut = ratio < 0.5 ? ratio / 2 : ratio;
  size_ = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(std::min(units, size_)) * cut));
}

void BatchSizer::Cut() { size_ = std::max<int64_t>(1, size_ / 4); }

}  // namespace curlew::agent
