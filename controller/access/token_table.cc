#include "controller/access/token_table.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/pki/identity.h"

namespace curlew::access {
namespace {

constexpr size_t kLongestName = 63;

absl::Status Refused(absl::string_view reason, absl::string_view message, absl::string_view hint) {
  return base::WithDetail(base::WithDetail(absl::UnauthenticatedError(message), base::kReason, reason),
                          base::kHint, hint);
}

std::string Shown(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", base::FromProto(time), absl::UTCTimeZone());
}

}  // namespace

absl::Status CheckTokenName(absl::string_view name) {
  if (!absl::StrContains(name, '.') && pki::IsDnsName(name, kLongestName)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", name, "\" is no name of a token: it has lower-case letters, digits and dashes, at most ",
      kLongestName, ", such as ci or nightly-report"));
}

void TokenTable::Load(std::vector<std::pair<std::string, v1::Token>> tokens) {
  std::stable_sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) {
    return base::FromProto(a.second.create_time()) < base::FromProto(b.second.create_time());
  });
  absl::MutexLock lock(&mutex_);
  tokens_.clear();
  newest_hash_.clear();
  for (auto& [hash, token] : tokens) {
    newest_hash_[token.name()] = hash;
    tokens_[hash] = std::move(token);
  }
}

void TokenTable::Add(const std::string& hash, const v1::Token& token) {
  absl::MutexLock lock(&mutex_);
  newest_hash_[token.name()] = hash;
  tokens_[hash] = token;
}

void TokenTable::Update(const v1::Token& token) {
  absl::MutexLock lock(&mutex_);
  const auto newest = newest_hash_.find(token.name());
  if (newest != newest_hash_.end()) tokens_[newest->second] = token;
}

absl::StatusOr<std::string> TokenTable::IdentityOf(const std::string& hash) const {
  v1::Token token;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = tokens_.find(hash);
    if (found == tokens_.end()) {
      return Refused("TOKEN_UNKNOWN", "this token is not known here",
                     "is it one of this controller's? who is admin makes one: curlew token create NAME");
    }
    token = found->second;
  }
  const absl::string_view name = absl::StripPrefix(token.name(), "tokens/");
  if (token.has_revoke_time()) {
    return Refused("TOKEN_REVOKED",
                   absl::StrCat("the token ", name, " was revoked at ", Shown(token.revoke_time())),
                   "who is admin makes another: curlew token create NAME");
  }
  if (base::FromProto(token.expire_time()) <= clock_->Now()) {
    return Refused("TOKEN_EXPIRED",
                   absl::StrCat("the token ", name, " expired at ", Shown(token.expire_time())),
                   "who is admin makes another: curlew token create NAME");
  }
  return absl::StrCat(kTokenIdentity, name);
}

}  // namespace curlew::access
