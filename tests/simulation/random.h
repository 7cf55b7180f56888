// The one source of luck.
#ifndef CURLEW_TESTS_SIMULATION_RANDOM_H_
#define CURLEW_TESTS_SIMULATION_RANDOM_H_

#include <cstdint>

#include "absl/time/time.h"

namespace curlew::simulation {

// The same numbers from the same seed on every platform (SplitMix64).
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  // 0 to below `n`.
  int Below(int n) { return static_cast<int>(Next() % static_cast<uint64_t>(n)); }
  // 0 to below 1.
  double Fraction() { return static_cast<double>(Next() >> 11) / 9007199254740992.0; }
  bool Chance(double probability) { return Fraction() < probability; }
  absl::Duration Between(absl::Duration least, absl::Duration most) {
    const int64_t nanoseconds = absl::ToInt64Nanoseconds(most - least);
    if (nanoseconds <= 0) return least;
    return least + absl::Nanoseconds(static_cast<int64_t>(Next() % static_cast<uint64_t>(nanoseconds)));
  }
  // Another source that goes on by itself: what one part draws moves no other part's numbers.
  Random Fork() { return Random(Next()); }

 private:
  uint64_t state_;
};

}  // namespace curlew::simulation

#endif  // CURLEW_TESTS_SIMULATION_RANDOM_H_
