// The text of a bearer token: "curlew_" and 43 letters (base64url, RFC 4648) of 32 random bytes.
#ifndef CURLEW_COMMON_BASE_BEARER_TOKEN_H_
#define CURLEW_COMMON_BASE_BEARER_TOKEN_H_

#include <string>

#include "absl/strings/string_view.h"

namespace curlew::base {

// What the text of a token begins with, so that people and scanners for secrets know it.
inline constexpr absl::string_view kBearerTokenPrefix = "curlew_";

// A new one. Ends the process where the system has no random bytes. Thread-safe.
std::string NewBearerToken();

// Whether `text` has the form of one.
bool IsBearerToken(absl::string_view text);

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_BEARER_TOKEN_H_
