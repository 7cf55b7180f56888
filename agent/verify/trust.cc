#include "agent/verify/trust.h"

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// Else one person would count as two.
absl::Status CheckKeys(absl::string_view what, const TrustedKeys& keys) {
  std::map<std::string, std::string> names;
  for (const auto& [name, key] : keys) {
    if (const auto [first, is_new] = names.emplace(key.text(), name); !is_new) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " has one key under two names, ", first->second, " and ", name, "; keep one"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckTrust(const Trust& trust) {
  if (trust.environment.empty()) {
    return absl::InvalidArgumentError(
        "trust needs environment: the name of the environment that a signature must be for, such as "
        "production");
  }
  if (trust.plan_keys.empty()) {
    return absl::InvalidArgumentError(
        "trust needs plan_keys: at least one NAME: KEY, as `curlew key show` prints it; without one nothing "
        "could be run");
  }
  RETURN_IF_ERROR(CheckKeys("plan_keys", trust.plan_keys));
  RETURN_IF_ERROR(CheckKeys("approver_keys", trust.approver_keys));
  const int approvers = static_cast<int>(trust.approver_keys.size());
  if (approvers == 0 && trust.drop_approvals != 0) {
    return absl::InvalidArgumentError(
        "trust needs approver_keys: who signs before DROP; or, where the signature of the plan is to be "
        "enough for that, drop_approvals: 0");
  }
  if (approvers > 0 && trust.drop_approvals == 0) {
    return absl::InvalidArgumentError(
        "drop_approvals is 0 although there are approver_keys: give at least 1, or leave approver_keys out");
  }
  if (trust.drop_approvals < 0 || trust.drop_approvals > approvers) {
    return absl::InvalidArgumentError(absl::StrCat(
        "drop_approvals is ", trust.drop_approvals, ", and there are ", approvers,
        " approver_keys: no step of DROP could ever begin; give a number from 1 to ", approvers));
  }
  return absl::OkStatus();
}

std::string NameOf(const TrustedKeys& keys, const signing::PublicKey& key) {
  for (const auto& [name, trusted] : keys) {
    if (trusted == key) return name;
  }
  return "";
}

std::string Shown(const TrustedKeys& keys, const signing::PublicKey& key) {
  const std::string name = NameOf(keys, key);
  if (!name.empty()) return absl::StrCat("key \"", name, "\"");
  return absl::StrCat("key ", key.id().substr(0, 16));
}

std::string Names(const TrustedKeys& keys) {
  if (keys.empty()) return "nobody";
  return absl::StrJoin(keys, ", ", [](std::string* out, const auto& key) { out->append(key.first); });
}

std::string Cut(absl::string_view text, size_t most) { return absl::CHexEscape(text.substr(0, most)); }

absl::Status NotTrusted(absl::string_view what, absl::string_view hint) {
  return base::WithDetail(absl::PermissionDeniedError(what), base::kHint, hint);
}

std::string WithHint(const absl::Status& refusal) {
  const std::string hint = base::Detail(refusal, base::kHint);
  return absl::StrCat(refusal.message(), hint.empty() ? "" : "; ", hint);
}

}  // namespace curlew::agent
