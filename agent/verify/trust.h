// Whom an agent believes, whatever its controller says.
#ifndef CURLEW_AGENT_VERIFY_TRUST_H_
#define CURLEW_AGENT_VERIFY_TRUST_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/signing/signing_key.h"

namespace curlew::agent {

// Public keys by the names of their owners.
using TrustedKeys = std::map<std::string, signing::PublicKey>;

// `trust:` of the agent's configuration. A value; copies are cheap.
struct Trust {
  // Bare name of the environment that all targets of this agent are in; a signature must name it.
  std::string environment;
  // Whose signed plans are run. At least one.
  TrustedKeys plan_keys;
  // Whose signed decisions count.
  TrustedKeys approver_keys;
  // How many of them, each by another key than the plan's, must have signed before DROP. 0 only where
  // there are no approver keys.
  int drop_approvals = 1;
};

// INVALID_ARGUMENT, in words for people, where it says too little or contradicts itself: no environment, no
// plan keys, one key under two names of a kind, more approvals than keys to give them, approvals without keys
// or 0 approvals with keys.
absl::Status CheckTrust(const Trust& trust);

// The name that a key has among `keys`; "" where it is none of them.
std::string NameOf(const TrustedKeys& keys, const signing::PublicKey& key);

// A key for people: its name in quotes, or the beginning of its id.
std::string Shown(const TrustedKeys& keys, const signing::PublicKey& key);

// Names, with commas between; "nobody" where there are none.
std::string Names(const TrustedKeys& keys);

// The beginning of a text that nobody vouches for, fit to be shown.
std::string Cut(absl::string_view text, size_t most);

// PERMISSION_DENIED: what is missing, and with base::kHint what to do.
absl::Status NotTrusted(absl::string_view what, absl::string_view hint);

// Both of them in one line.
std::string WithHint(const absl::Status& refusal);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_VERIFY_TRUST_H_
