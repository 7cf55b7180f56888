// Decisions out of bytes, read from front to back: what a person can read in a corpus's file.
#ifndef CURLEW_TESTS_FUZZ_BYTES_H_
#define CURLEW_TESTS_FUZZ_BYTES_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/strings/string_view.h"

namespace curlew::fuzz {

// What is left of an input; zeros and "" where nothing is.
class Bytes {
 public:
  explicit Bytes(absl::string_view bytes) : left_(bytes) {}
  bool empty() const { return left_.empty(); }
  uint8_t Byte() {
    if (left_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    return byte;
  }
  // Less than `bound`.
  int Below(int bound) { return Byte() % bound; }
  // A number that is small, but may be negative or huge.
  int64_t Number() {
    const uint8_t byte = Byte();
    return byte < 0xF0 ? byte % 16 : byte < 0xF8 ? -static_cast<int64_t>(byte) : (int64_t{1} << 60) - byte;
  }
  // As many bytes as the next one says.
  absl::string_view Take() {
    const size_t wanted = Byte();
    const size_t size = std::min(wanted, left_.size());
    const absl::string_view taken = left_.substr(0, size);
    left_.remove_prefix(size);
    return taken;
  }
  absl::string_view Rest() { return std::exchange(left_, {}); }

 private:
  absl::string_view left_;
};

}  // namespace curlew::fuzz

#endif  // CURLEW_TESTS_FUZZ_BYTES_H_
