// Certificates, as they are read.
#ifndef CURLEW_COMMON_PKI_CERTIFICATE_H_
#define CURLEW_COMMON_PKI_CERTIFICATE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/pki/openssl.h"

namespace curlew::pki {

// What a certificate says. Texts come from who made it: they may hold anything.
struct CertificateFacts {
  std::string subject, issuer;    // as RFC 2253 writes them
  std::string common_name;        // of the subject; empty without one
  std::vector<std::string> uris;  // subject alternative names
  std::vector<std::string> dns;   //
  std::vector<std::string> ips;   // "10.0.0.1", "2001:db8::1"
  std::vector<std::string> uses;  // extended key usage: "serverAuth", "clientAuth", or dotted numbers
  absl::Time begins, ends;        // valid from, and to
  std::string serial;             // lower-case hexadecimal digits
  std::string key;                // "prime256v1 (256 bits)"
  std::string fingerprint;        // SHA-256 of the whole, lower-case hexadecimal digits
  bool may_sign = false;          // whether it is a CA's
};

// A certificate. Immutable; copies are cheap and share it. Thread-safe.
class Certificate {
 public:
  // Takes one that was just made or read. INVALID_ARGUMENT where its extensions are damaged.
  static absl::StatusOr<Certificate> Make(Owned<X509> certificate);
  // All that `pem` has, in order; what else there is, such as keys, is passed over. INVALID_ARGUMENT where
  // there is none, or one is damaged.
  static absl::StatusOr<std::vector<Certificate>> AllFromPem(absl::string_view pem);
  // The first of them.
  static absl::StatusOr<Certificate> FromPem(absl::string_view pem);

  const CertificateFacts& facts() const { return *facts_; }
  std::string Pem() const;
  // For OpenSSL's functions, of which many want it mutable and leave it as it is.
  X509* get() const { return certificate_.get(); }

 private:
  Certificate(std::shared_ptr<X509> certificate, CertificateFacts facts)
      : certificate_(std::move(certificate)),
        facts_(std::make_shared<const CertificateFacts>(std::move(facts))) {}

  std::shared_ptr<X509> certificate_;
  std::shared_ptr<const CertificateFacts> facts_;
};

// The texts of all of them, each once, in order.
std::string PemOf(const std::vector<Certificate>& certificates);

// "2026-11-28 12:00:00 UTC".
std::string Shown(absl::Time time);

}  // namespace curlew::pki

#endif  // CURLEW_COMMON_PKI_CERTIFICATE_H_
