// Who a certificate is for: the SPIFFE ID in its only URI name. Pure functions.
#ifndef CURLEW_COMMON_PKI_IDENTITY_H_
#define CURLEW_COMMON_PKI_IDENTITY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace curlew::pki {

inline constexpr absl::string_view kDefaultTrustDomain = "curlew";

// What kind of party shows a certificate.
enum class Party { kController, kAgent, kUser };

// "controller", "agent", "user".
absl::string_view Word(Party party);

// spiffe://TRUST_DOMAIN/controller, spiffe://TRUST_DOMAIN/agent/NAME, spiffe://TRUST_DOMAIN/user/NAME.
struct Identity {
  std::string trust_domain{kDefaultTrustDomain};
  Party party = Party::kUser;
  std::string name;  // empty for the controller

  friend bool operator==(const Identity&, const Identity&) = default;
};

std::string Uri(const Identity& identity);

// The common name that goes with it, and the usual name of its folder: "controller", or the name.
std::string CommonName(const Identity& identity);

// INVALID_ARGUMENT where `uri` is none of the three forms.
absl::StatusOr<Identity> ParseUri(absl::string_view uri);

// Names of agents and users, and of trust domains: as DNS-1123 has them (lower-case letters, digits, '-',
// and '.' between labels), at most 63 characters. INVALID_ARGUMENT with base::kHint.
absl::Status CheckName(absl::string_view name);
absl::Status CheckTrustDomain(absl::string_view name);

// Whether `name` is one or more labels of DNS-1123 with dots between, of at most `most` characters in all.
bool IsDnsName(absl::string_view name, size_t most);

}  // namespace curlew::pki

#endif  // CURLEW_COMMON_PKI_IDENTITY_H_
