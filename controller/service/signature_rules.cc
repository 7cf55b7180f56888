#include "controller/service/signature_rules.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/signing/statements.h"
#include "controller/dispatch/names.h"
#include "controller/dispatch/outbox.h"

namespace curlew::service {
namespace {

// A thousand targets with long names.
constexpr size_t kLargestSignature = 256 << 10;
// The whole of it stands at each of them.
constexpr size_t kMostOverridden = 50;

absl::Status Wrong(absl::string_view why) {
  return base::WithDetail(absl::InvalidArgumentError(absl::StrCat("signature: ", why)), base::kField,
                          "signature");
}

absl::Status OtherPlan(const std::string& theirs, const std::string& ours) {
  return Wrong(absl::StrCat("it is for the plan with digest ", theirs, ", not ", ours,
                            "; sign the plan that you mean"));
}

absl::Status Expired(absl::Time when) {
  return Wrong(absl::StrCat("it expired at ",
                            absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", when, absl::UTCTimeZone()),
                            "; sign again"));
}

template <typename Signature>
absl::StatusOr<signing::PublicKey> Verify(const Signature& signature, absl::Time now) {
  if (signature.ByteSizeLong() > kLargestSignature) {
    return Wrong(absl::StrCat("it is larger than ", kLargestSignature >> 10,
                              " KiB; sign for fewer targets at a time"));
  }
  auto key = signing::Verify(signature);
  if (!key.ok()) {
    return Wrong(absl::StrCat(key.status().message(), "; sign again, and send what was signed unchanged"));
  }
  const absl::Time end = base::FromProto(signature.statement().expire_time());
  if (end <= now) return Expired(end);
  return key;
}

// What is the same for all decisions.
absl::Status CheckDecision(const v1::DecisionSignature& signature, v1::DecisionKind kind,
                           const v1::Rollout& rollout, absl::Time now) {
  RETURN_IF_ERROR(Verify(signature, now).status());
  const v1::DecisionStatement& statement = signature.statement();
  if (statement.kind() != kind) {
    return Wrong(kind == v1::DECISION_KIND_DROP ? "it is about a step, not about DROP"
                                                : "it is about DROP, not about a step");
  }
  if (statement.rollout() != rollout.name()) {
    return Wrong(absl::StrCat("it is for ", statement.rollout(), ", not ", rollout.name()));
  }
  if (statement.plan_digest() != rollout.plan_digest()) {
    return OtherPlan(statement.plan_digest(), rollout.plan_digest());
  }
  for (const auto& [target, digest] : statement.compiled_digests()) {
    const v1::Run* run = dispatch::FindRun(rollout, target);
    if (run == nullptr) return Wrong(absl::StrCat(rollout.name(), " has no target \"", target, "\""));
    if (run->compiled_digest() == digest) continue;
    return Wrong(absl::StrCat("what ", target, " was compiled to is another by now than what was signed (",
                              digest.substr(0, 12), "…, not ", run->compiled_digest().substr(0, 12),
                              "…); look at the rollout again, then sign again"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<signing::PublicKey> CheckPlanSignature(const v1::PlanSignature& signature,
                                                      const v1::StoredPlan& plan, absl::Time now) {
  ASSIGN_OR_RETURN(const signing::PublicKey key, Verify(signature, now));
  if (signature.statement().plan_digest() != plan.digest()) {
    return OtherPlan(signature.statement().plan_digest(), plan.digest());
  }
  return key;
}

absl::Status CheckDropSignature(const v1::DecisionSignature& signature, const v1::Rollout& rollout,
                                const std::string& environment, absl::Time now) {
  RETURN_IF_ERROR(CheckDecision(signature, v1::DECISION_KIND_DROP, rollout, now));
  for (const auto& [target, digest] : signature.statement().compiled_digests()) {
    const std::string there =
        dispatch::WithoutCollection("environments", dispatch::FindRun(rollout, target)->environment());
    if (there != environment) {
      return Wrong(absl::StrCat("it names ", target, ", which is in ", there, ", not in ", environment));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckOverrideSignature(const v1::DecisionSignature& signature, const v1::Rollout& rollout,
                                    const std::string& target, const std::string& step, absl::Time now) {
  RETURN_IF_ERROR(CheckDecision(signature, v1::DECISION_KIND_OVERRIDE, rollout, now));
  const v1::DecisionStatement& statement = signature.statement();
  if (statement.compiled_digests().size() > kMostOverridden) {
    return Wrong(absl::StrCat("it names ", statement.compiled_digests().size(), " targets, at most ",
                              kMostOverridden, " at a time; name one with --target"));
  }
  if (!target.empty() && !statement.compiled_digests().contains(target)) {
    return Wrong(absl::StrCat("it does not name ", target));
  }
  if (!step.empty() && statement.step() != step) {
    return Wrong(absl::StrCat("it is about step ", statement.step(), ", not ", step));
  }
  return absl::OkStatus();
}

}  // namespace curlew::service
