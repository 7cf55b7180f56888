// Lists of revoked certificates (CRLs), as they are read.
#ifndef CURLEW_COMMON_PKI_REVOCATIONS_H_
#define CURLEW_COMMON_PKI_REVOCATIONS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/pki/certificate.h"
#include "common/pki/openssl.h"

namespace curlew::pki {

// One revoked certificate.
struct Revocation {
  std::string serial;  // lower-case hexadecimal digits
  absl::Time since;
};

// What a list says. Immutable; copies share it.
struct RevocationList {
  std::string issuer;  // as RFC 2253 writes it
  int64_t number = 0;  // 0 where it has none
  absl::Time begins;
  absl::Time ends;  // InfiniteFuture where it does not say
  std::vector<Revocation> revocations;
  std::shared_ptr<X509_CRL> list;
};

// The first list in `pem`. INVALID_ARGUMENT where there is none, or it is damaged.
absl::StatusOr<RevocationList> ReadList(absl::string_view pem);

// Whether the CA with that certificate has signed it.
bool IsSignedBy(const RevocationList& list, const Certificate& authority);

// The first part of the name by which OpenSSL looks for lists of that CA: "5d1c2b3a" of "5d1c2b3a.r0".
std::string ListName(const Certificate& authority);

}  // namespace curlew::pki

#endif  // CURLEW_COMMON_PKI_REVOCATIONS_H_
