// OpenSSL's objects, owned; its words, times and texts.
#ifndef CURLEW_COMMON_PKI_OPENSSL_H_
#define CURLEW_COMMON_PKI_OPENSSL_H_

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace curlew::pki {

// Frees what OpenSSL has made.
struct Freed {
  void operator()(AUTHORITY_KEYID* id) const { AUTHORITY_KEYID_free(id); }
  // Numbers and times too.
  void operator()(ASN1_STRING* string) const { ASN1_STRING_free(string); }
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(BIO* bio) const { BIO_free_all(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EXTENDED_KEY_USAGE* uses) const { EXTENDED_KEY_USAGE_free(uses); }
  void operator()(GENERAL_NAME* name) const { GENERAL_NAME_free(name); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_CRL* list) const { X509_CRL_free(list); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
  void operator()(X509_NAME* name) const { X509_NAME_free(name); }
  void operator()(X509_REVOKED* entry) const { X509_REVOKED_free(entry); }
};
template <typename T>
using Owned = std::unique_ptr<T, Freed>;

// INTERNAL: "OpenSSL cannot WHAT: " and the newest error of this thread; all of them are cleared.
absl::Status OpensslFailed(absl::string_view what);

// A memory to read from, valid as long as `text`; an empty one to write to.
Owned<BIO> Reading(absl::string_view text);
Owned<BIO> Memory();
// What was written to a Memory().
std::string TextOf(BIO* memory);

// Times of certificates, in whole seconds.
absl::Time TimeOf(const ASN1_TIME* time);
Owned<ASN1_TIME> Asn1Time(absl::Time time);

// A positive number as lower-case hexadecimal digits, two for each byte, and back; nullptr for a text that is
// none.
std::string HexOf(const ASN1_INTEGER* number);
Owned<ASN1_INTEGER> IntegerOf(const std::string& hex);

// A name as RFC 2253 writes it, with UTF-8 as it is: "serialNumber=4f2a,CN=Curlew CA".
std::string TextOf(const X509_NAME* name);

}  // namespace curlew::pki

#endif  // CURLEW_COMMON_PKI_OPENSSL_H_
