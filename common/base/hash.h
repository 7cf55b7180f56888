// Digests.
#ifndef CURLEW_COMMON_BASE_HASH_H_
#define CURLEW_COMMON_BASE_HASH_H_

#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace curlew::base {

// SHA-256 (FIPS 180-4) of `bytes`, 64 lower-case hexadecimal digits. Thread-safe.
std::string Sha256Hex(absl::string_view bytes);

// The same of what comes in pieces, such as a large file. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Add(absl::string_view bytes);
  // Of all that was added. Ends it: nothing may be called afterwards.
  std::string Hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_HASH_H_
