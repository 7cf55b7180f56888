// Exponential backoff with full jitter.
#ifndef CURLEW_COMMON_BASE_BACKOFF_H_
#define CURLEW_COMMON_BASE_BACKOFF_H_

#include "absl/random/bit_gen_ref.h"
#include "absl/time/time.h"

namespace curlew::base {

// Bounds of a backoff.
struct BackoffOptions {
  absl::Duration first = absl::Milliseconds(50);
  absl::Duration longest = absl::Seconds(5);
  double factor = 2.0;
};

// Computes the pauses between tries: the n-th lies uniformly between half of min(longest, first * factor^n)
// and the whole of it, so that many that fail together do not come back together. Not thread-safe.
class Backoff {
 public:
  // `random` must outlive the object.
  Backoff(BackoffOptions options, absl::BitGenRef random) : options_(options), random_(random) {}

  // The next pause.
  absl::Duration Next();
  // Starts again from the first pause, after a success.
  void Reset() { tries_ = 0; }
  // How often Next was called since the last Reset.
  int tries() const { return tries_; }

 private:
  BackoffOptions options_;
  absl::BitGenRef random_;
  int tries_ = 0;
};

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_BACKOFF_H_
