// The chain of the audit log: what makes a change of it show.
#ifndef CURLEW_COMMON_BASE_AUDIT_CHAIN_H_
#define CURLEW_COMMON_BASE_AUDIT_CHAIN_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::base {

// previous_hash of the first entry, and hash of an empty log's head: 64 zeros.
inline constexpr absl::string_view kNoAuditHash =
    "0000000000000000000000000000000000000000000000000000000000000000";

// The hash of an entry: SHA-256, hexadecimal, of its canonical form (CanonicalJson) without `hash`. The
// number and `previous_hash` are in it, so it stands for every entry before this one, too. Deterministic.
std::string HashOf(const v1::AuditEntry& entry);

// Checks that `entry` is what comes after the entry `number` (0 for none) with `hash`: the next number,
// `previous_hash` that hash, and its own hash right. DATA_LOSS says which of them is not so, and what that
// means.
absl::Status CheckChain(int64_t number, absl::string_view hash, const v1::AuditEntry& entry);

// The text that a head's signature is over: "curlew-audit-head\n<number>\n<hash>\n".
std::string AuditHeadText(int64_t number, absl::string_view hash);

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_AUDIT_CHAIN_H_
