#include "common/base/bearer_token.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace curlew::base {
namespace {

constexpr size_t kBytes = 32;
constexpr size_t kLetters = 43;

}  // namespace

std::string NewBearerToken() {
  unsigned char bytes[kBytes];
  if (RAND_priv_bytes(bytes, kBytes) != 1) std::abort();
  std::string text = absl::StrCat(kBearerTokenPrefix, absl::WebSafeBase64Escape(absl::string_view(
                                                          reinterpret_cast<const char*>(bytes), kBytes)));
  OPENSSL_cleanse(bytes, kBytes);
  return text;
}

bool IsBearerToken(absl::string_view text) {
  return absl::ConsumePrefix(&text, kBearerTokenPrefix) && text.size() == kLetters &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_';
         });
}

}  // namespace curlew::base
