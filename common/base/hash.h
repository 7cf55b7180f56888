// Digests.
#ifndef CURLEW_COMMON_BASE_HASH_H_
#define CURLEW_COMMON_BASE_HASH_H_

#include <string>

#include "absl/strings/string_view.h"

namespace curlew::base {

// SHA-256 (FIPS 180-4) of `bytes`, 64 lower-case hexadecimal digits. Thread-safe.
std::string Sha256Hex(absl::string_view bytes);

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_HASH_H_
