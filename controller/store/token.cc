#include "controller/store/token.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "controller/store/change.h"
#include "controller/store/record.h"

namespace curlew::store {

bool IsTokenHash(absl::string_view hash) {
  constexpr size_t kDigits = 64;
  return hash.size() == kDigits && std::all_of(hash.begin(), hash.end(), [](char c) {
           return absl::ascii_isdigit(static_cast<unsigned char>(c)) || (c >= 'a' && c <= 'f');
         });
}

absl::Status CheckToken(const TokenEntry& entry) {
  RETURN_IF_ERROR(CheckRevocation(entry.token));
  if (IsTokenHash(entry.hash)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("what is to be kept of ", entry.token.name(), " is no SHA-256 in hexadecimal digits"));
}

absl::Status CheckRevocation(const v1::Token& revocation) {
  if (revocation.name().empty()) return absl::InvalidArgumentError("a token without a name cannot be stored");
  RETURN_IF_ERROR(CheckStorableText("the name of a token", revocation.name()));
  return CheckTexts(revocation);
}

absl::Status CheckFollows(const v1::Token& newest, const v1::Token& added) {
  const absl::Time now = base::FromProto(added.create_time());
  const absl::Time ends = base::FromProto(newest.expire_time());
  if (newest.has_revoke_time() || ends <= now) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat(newest.name(), " exists already and counts until ",
                   absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", ends, absl::UTCTimeZone()),
                   "; revoke it first, or choose another name"));
}

absl::Status SameHash(const std::string& name) {
  return absl::AlreadyExistsError(
      absl::StrCat("a token with the same text as ", name, " is there already; nothing was stored"));
}

absl::Status NoToken(const std::string& name) {
  return absl::NotFoundError(absl::StrCat("there is no token \"", name, "\""));
}

v1::Token Revoked(v1::Token token, const v1::Token& revocation) {
  *token.mutable_revoke_time() = revocation.revoke_time();
  token.set_revoker(revocation.revoker());
  return token;
}

}  // namespace curlew::store
