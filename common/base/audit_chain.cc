#include "common/base/audit_chain.h"

#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"

namespace curlew::base {

std::string HashOf(const v1::AuditEntry& entry) {
  v1::AuditEntry hashed = entry;
  hashed.clear_hash();
  return CanonicalDigest(hashed);
}

absl::Status CheckChain(int64_t number, absl::string_view hash, const v1::AuditEntry& entry) {
  if (entry.number() > number + 2) {
    return absl::DataLossError(absl::StrCat("audit entries ", number + 1, " to ", entry.number() - 1,
                                            " are missing: entry ", entry.number(), " follows entry ",
                                            number));
  }
  if (entry.number() == number + 2) {
    return absl::DataLossError(absl::StrCat("audit entry ", number + 1, " is missing: entry ", entry.number(),
                                            " follows entry ", number));
  }
  if (entry.number() != number + 1) {
    return absl::DataLossError(absl::StrCat("audit entry ", entry.number(), " stands where entry ",
                                            number + 1, " should: the log was renumbered"));
  }
  if (HashOf(entry) != entry.hash()) {
    return absl::DataLossError(
        absl::StrCat("audit entry ", entry.number(), " was changed: its hash is not that of what it says"));
  }
  if (entry.previous_hash() != hash) {
    return absl::DataLossError(
        number == 0
            ? absl::StrCat("audit entry 1 is not the first that was written: it names an entry before it")
            : absl::StrCat("audit entry ", number, " or entries before it were replaced: entry ",
                           entry.number(), " was written after an entry with another hash"));
  }
  return absl::OkStatus();
}

std::string AuditHeadText(int64_t number, absl::string_view hash) {
  return absl::StrCat("curlew-audit-head\n", number, "\n", hash, "\n");
}

}  // namespace curlew::base
