// UTF-8: what is, and what is not.
#ifndef CURLEW_COMMON_BASE_UTF8_H_
#define CURLEW_COMMON_BASE_UTF8_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace curlew::base {

// The offset of the first byte that is not part of valid UTF-8, or npos.
size_t FindInvalidUtf8(absl::string_view text);

// Adds the character to `text`; U+FFFD where there is no such character.
void AppendUtf8(char32_t character, std::string* text);

// The beginning of `text`, of at most `bytes` bytes and of whole characters.
absl::string_view Utf8Prefix(absl::string_view text, size_t bytes);

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_UTF8_H_
