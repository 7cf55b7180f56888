#include "common/pki/identity.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"

namespace curlew::pki {
namespace {

// Common names have 64 characters at most, labels of DNS 63.
constexpr size_t kLongestName = 63;
constexpr size_t kLongestLabel = 63;

bool IsLabel(absl::string_view label) {
  if (label.empty() || label.size() > kLongestLabel || label.front() == '-' || label.back() == '-')
    return false;
  for (const unsigned char c : label) {
    if (!absl::ascii_islower(c) && !absl::ascii_isdigit(c) && c != '-') return false;
  }
  return true;
}

absl::Status CheckDnsName(absl::string_view what, absl::string_view name) {
  if (IsDnsName(name, kLongestName)) return absl::OkStatus();
  return base::WithDetail(
      absl::InvalidArgumentError(absl::StrCat("\"", name, "\" cannot be the name of ", what)), base::kHint,
      "use lower-case letters, digits and dashes, with a letter or digit at both ends (dots may stand "
      "between such parts), at most 63 characters: staging-crm, ann.lee");
}

}  // namespace

absl::string_view Word(Party party) {
  switch (party) {
    case Party::kController:
      return "controller";
    case Party::kAgent:
      return "agent";
    case Party::kUser:
      return "user";
  }
  return "";
}

std::string Uri(const Identity& identity) {
  const std::string party = absl::StrCat("spiffe://", identity.trust_domain, "/", Word(identity.party));
  return identity.party == Party::kController ? party : absl::StrCat(party, "/", identity.name);
}

std::string CommonName(const Identity& identity) {
  return identity.party == Party::kController ? std::string(Word(identity.party)) : identity.name;
}

absl::StatusOr<Identity> ParseUri(absl::string_view uri) {
  const absl::Status other = absl::InvalidArgumentError(
      absl::StrCat("\"", uri,
                   "\" is none of spiffe://DOMAIN/controller, spiffe://DOMAIN/agent/NAME and "
                   "spiffe://DOMAIN/user/NAME"));
  absl::string_view rest = uri;
  if (!absl::ConsumePrefix(&rest, "spiffe://")) return other;
  const std::vector<std::string> parts = absl::StrSplit(rest, '/');
  Identity identity;
  identity.trust_domain = parts[0];
  if (!CheckTrustDomain(identity.trust_domain).ok()) return other;
  if (parts.size() == 2 && parts[1] == Word(Party::kController)) {
    identity.party = Party::kController;
    return identity;
  }
  if (parts.size() != 3 || !CheckName(parts[2]).ok()) return other;
  identity.name = parts[2];
  for (const Party party : {Party::kAgent, Party::kUser}) {
    if (parts[1] != Word(party)) continue;
    identity.party = party;
    return identity;
  }
  return other;
}

absl::Status CheckName(absl::string_view name) { return CheckDnsName("an agent or a user", name); }

absl::Status CheckTrustDomain(absl::string_view name) { return CheckDnsName("a trust domain", name); }

bool IsDnsName(absl::string_view name, size_t most) {
  if (name.size() > most) return false;
  for (const absl::string_view label : absl::StrSplit(name, '.')) {
    if (!IsLabel(label)) return false;
  }
  return true;
}

}  // namespace curlew::pki
