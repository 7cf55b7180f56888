#include "common/base/backoff.h"

#include <algorithm>
#include <cmath>

#include "absl/random/random.h"

namespace curlew::base {

absl::Duration Backoff::Next() {
  const double grown = std::pow(options_.factor, std::min(tries_++, 60));
  const absl::Duration whole = std::min(options_.longest, options_.first * grown);
  return whole * absl::Uniform(random_, 0.5, 1.0);
}

}  // namespace curlew::base
