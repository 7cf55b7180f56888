// A certificate authority (CA): makes certificates and lists of revoked ones. No files.
#ifndef CURLEW_COMMON_PKI_AUTHORITY_H_
#define CURLEW_COMMON_PKI_AUTHORITY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/pki/certificate.h"
#include "common/pki/identity.h"
#include "common/pki/openssl.h"
#include "common/pki/revocations.h"
#include "common/pki/secret.h"

namespace curlew::pki {

// Certificates begin this much earlier than they are made, for machines whose clocks are behind.
inline constexpr absl::Duration kClockSkew = absl::Minutes(5);

// What a CA is made with.
struct AuthorityOptions {
  std::string name = "Curlew CA";  // its common name; 1 to 64 characters
  std::string trust_domain{kDefaultTrustDomain};
  int days = 3650;
};

// What a certificate is asked for with.
struct CertificateRequest {
  Identity identity;
  // Where a controller is reached: at least one for it, none for others. DNS names (a first label of "*" is
  // any), and addresses of IPv4 or IPv6.
  std::vector<std::string> dns, ips;
  int days = 90;
};

// A certificate and its private key, in PEM (PKCS #8).
struct Pair {
  Certificate certificate;
  Secret key;
};

// OK where all of the request is as it must be; else INVALID_ARGUMENT with base::kHint.
absl::Status CheckRequest(const CertificateRequest& request);

// A CA with its key: ECDSA P-256 with SHA-256, signs end entities only (path length 0), and has its trust
// domain as URI name. Its subject has a random serialNumber beside the common name, so that two CAs of one
// name are told apart, by verifiers and in names of files. Immutable; thread-safe.
class Authority {
 public:
  // INVALID_ARGUMENT where an option is not as it must be.
  static absl::StatusOr<Authority> Make(const AuthorityOptions& options, absl::Time now);
  // From PEM. INVALID_ARGUMENT where one of the two is damaged or not what it should be; FAILED_PRECONDITION
  // where they do not belong together. Nothing of the key is ever in a message.
  static absl::StatusOr<Authority> FromPem(absl::string_view certificate, absl::string_view key);

  const Certificate& certificate() const { return certificate_; }
  // Of its URI name; kDefaultTrustDomain where it has none.
  const std::string& trust_domain() const { return trust_domain_; }
  // Its key, in PEM.
  absl::StatusOr<Secret> Key() const;

  // A new key and a certificate for it: valid from kClockSkew ago, with a random serial number of 126 bits,
  // so that nothing has to be counted. The controller's is for servers and clients, others for clients. The
  // identity must be of this trust domain. Errors as CheckRequest; FAILED_PRECONDITION where the CA has
  // ended, or would before the certificate.
  absl::StatusOr<Pair> Issue(const CertificateRequest& request, absl::Time now) const;

  // The list of all `revocations`, signed, in PEM, with that number. It begins kClockSkew ago, but in any
  // case after `previous` (which makes it newer for verifiers), and ends with the CA: it never has to be
  // renewed. FAILED_PRECONDITION where the CA has ended.
  absl::StatusOr<std::string> SignList(const std::vector<Revocation>& revocations, int64_t number,
                                       absl::Time previous, absl::Time now) const;

 private:
  Authority(Certificate certificate, std::shared_ptr<EVP_PKEY> key);
  absl::Status CheckValid(absl::Time now) const;

  Certificate certificate_;
  std::shared_ptr<EVP_PKEY> key_;
  std::string trust_domain_;
};

}  // namespace curlew::pki

#endif  // CURLEW_COMMON_PKI_AUTHORITY_H_
