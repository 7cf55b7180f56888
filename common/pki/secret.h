// Private keys as text.
#ifndef CURLEW_COMMON_PKI_SECRET_H_
#define CURLEW_COMMON_PKI_SECRET_H_

#include <openssl/crypto.h>

#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace curlew::pki {

// A text that leaves nothing behind in memory. It cannot be copied or printed by accident; only who needs it
// for a file asks for it. Not thread-safe.
class Secret {
 public:
  explicit Secret(std::string text) : text_(std::move(text)) {}
  Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { other.Wipe(); }
  Secret& operator=(Secret&& other) noexcept {
    if (this == &other) return *this;
    Wipe();
    text_ = std::move(other.text_);
    other.Wipe();
    return *this;
  }
  ~Secret() { Wipe(); }

  // Valid as long as this is.
  absl::string_view Reveal() const { return text_; }

 private:
  void Wipe() {
    OPENSSL_cleanse(text_.data(), text_.size());
    text_.clear();
  }

  std::string text_;
};

}  // namespace curlew::pki

#endif  // CURLEW_COMMON_PKI_SECRET_H_
