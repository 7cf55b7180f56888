#include "common/pki/openssl.h"

#include <openssl/err.h>

#include <ctime>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace curlew::pki {

absl::Status OpensslFailed(absl::string_view what) {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return absl::InternalError(
      absl::StrCat("OpenSSL cannot ", what, ": ", reason == nullptr ? "no reason given" : reason));
}

Owned<BIO> Reading(absl::string_view text) {
  return Owned<BIO>(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Owned<BIO> Memory() { return Owned<BIO>(BIO_new(BIO_s_mem())); }

std::string TextOf(BIO* memory) {
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(memory, &bytes);
  return std::string(bytes, static_cast<size_t>(size));
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return absl::FromTM(parts, absl::UTCTimeZone());
}

Owned<ASN1_TIME> Asn1Time(absl::Time time) {
  return Owned<ASN1_TIME>(ASN1_TIME_set(nullptr, absl::ToTimeT(time)));
}

std::string HexOf(const ASN1_INTEGER* number) {
  const Owned<BIGNUM> value(ASN1_INTEGER_to_BN(number, nullptr));
  char* const digits = BN_bn2hex(value.get());
  std::string text = digits;
  OPENSSL_free(digits);
  return absl::AsciiStrToLower(text);
}

Owned<ASN1_INTEGER> IntegerOf(const std::string& hex) {
  // A serial number has at most 20 bytes (RFC 5280).
  constexpr size_t kMostDigits = 40;
  if (hex.empty() || hex.size() > kMostDigits) return nullptr;
  for (const unsigned char c : hex) {
    if (!absl::ascii_isxdigit(c)) return nullptr;
  }
  BIGNUM* value = nullptr;
  BN_hex2bn(&value, hex.c_str());
  const Owned<BIGNUM> owner(value);
  return Owned<ASN1_INTEGER>(BN_to_ASN1_INTEGER(value, nullptr));
}

std::string TextOf(const X509_NAME* name) {
  const Owned<BIO> text = Memory();
  X509_NAME_print_ex(text.get(), name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  return TextOf(text.get());
}

}  // namespace curlew::pki
