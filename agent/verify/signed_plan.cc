#include "agent/verify/signed_plan.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/plan/plan_reader.h"
#include "common/signing/statements.h"

namespace curlew::agent {
namespace {

// Of so many signatures people are told what is wrong.
constexpr size_t kMostTold = 5;
constexpr size_t kLongestId = 128;

std::string Time(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", base::FromProto(time), absl::UTCTimeZone());
}

std::string Ids(const std::string& text) { return Cut(text, 16); }

// What time does not change.
absl::StatusOr<signing::PublicKey> CheckFor(const Trust& trust, const std::string& target,
                                            const std::string& plan_digest,
                                            const v1::PlanSignature& signature) {
  ASSIGN_OR_RETURN(signing::PublicKey key, signing::Verify(signature));
  const v1::PlanStatement& statement = signature.statement();
  if (NameOf(trust.plan_keys, key).empty()) {
    return absl::PermissionDeniedError(
        absl::StrCat(Shown({}, key), " is none of plan_keys (", Names(trust.plan_keys), ")"));
  }
  if (statement.plan_digest() != plan_digest) {
    return absl::PermissionDeniedError(absl::StrCat("is of another plan, ", Ids(statement.plan_digest())));
  }
  if (statement.environment() != trust.environment) {
    return absl::PermissionDeniedError(
        absl::StrCat("is for environment ", Cut(statement.environment(), 63), ", not ", trust.environment));
  }
  if (std::find(statement.targets().begin(), statement.targets().end(), target) ==
      statement.targets().end()) {
    return absl::PermissionDeniedError(
        absl::StrCat("is for other targets: ", Cut(absl::StrJoin(statement.targets(), ", "), 200)));
  }
  return key;
}

absl::Status CheckNow(const v1::PlanStatement& statement, const UsedSignatures& used, absl::Time now) {
  if (now < base::FromProto(statement.not_before())) {
    return absl::PermissionDeniedError(absl::StrCat("does not hold before ", Time(statement.not_before())));
  }
  if (now >= base::FromProto(statement.expire_time())) {
    return absl::PermissionDeniedError(absl::StrCat("expired at ", Time(statement.expire_time())));
  }
  if (const auto use = used.find(statement.id()); use != used.end()) {
    return absl::PermissionDeniedError(
        absl::StrCat("was used already, by ", use->second, ": a signature begins one run on each target"));
  }
  return absl::OkStatus();
}

// `plan` is the name of its resource, without the collection.
std::string SignHint(const Trust& trust, const std::string& target, const std::string& plan) {
  return absl::StrCat("somebody whose key this agent trusts (", Names(trust.plan_keys),
                      ") signs it, `curlew plan sign plans/", plan, " --key FILE --environment ",
                      trust.environment, " --target ", target, "`, then `curlew rollout resume`");
}

}  // namespace

absl::StatusOr<v1::PlanSignature> VerifyPlan(const Trust& trust, const std::string& target,
                                             const v1::Plan& plan, const PlanSignatures& signatures,
                                             const UsedSignatures& used, absl::Time now) {
  RETURN_IF_ERROR(plan::Validate(plan));
  const std::string digest = plan::Digest(plan);
  std::vector<std::string> problems;
  for (int i = 0; i < std::min(signatures.size(), kMostSignatures); ++i) {
    const v1::PlanSignature& signature = signatures[i];
    const auto key = CheckFor(trust, target, digest, signature);
    const absl::Status status = key.ok() ? CheckNow(signature.statement(), used, now) : key.status();
    if (status.ok()) return signature;
    problems.push_back(absl::StrCat("signature ", Ids(signature.statement().id()),
                                    key.ok() ? absl::StrCat(" by ", Shown(trust.plan_keys, *key)) : "",
                                    absl::IsPermissionDenied(status) ? " " : ": ", status.message()));
  }
  std::string what = absl::StrCat("target ", target, ": plan ", plan.name(), " (", Ids(digest), ") ");
  if (problems.empty()) {
    absl::StrAppend(&what, "is not signed, and this agent runs signed plans alone");
  } else {
    const size_t others = problems.size() - std::min(problems.size(), kMostTold);
    problems.resize(problems.size() - others);
    absl::StrAppend(&what, "has no signature that counts here: ", absl::StrJoin(problems, "; "),
                    others > 0 ? absl::StrCat("; and ", others, " others") : "");
  }
  return NotTrusted(what, SignHint(trust, target, absl::StrCat(plan.name(), "-", digest.substr(0, 12))));
}

absl::StatusOr<signing::PublicKey> VerifyPinned(const Trust& trust, const std::string& target,
                                                const std::string& run, const PinnedPlan& pinned) {
  const char kGoOn[] = "it can still be undone (`curlew rollout rollback`)";
  if (!pinned.signature.has_value()) {
    return NotTrusted(
        absl::StrCat("target ", target, ": ", run,
                     " was begun without a signature, before this agent was told to run signed plans alone: "
                     "nothing more of it is done"),
        absl::StrCat(kGoOn, "; or take `trust:` out of the agent's configuration until it has ended"));
  }
  auto key = CheckFor(trust, target, pinned.compiled.plan_digest(), *pinned.signature);
  if (key.ok()) return key;
  return NotTrusted(absl::StrCat("target ", target, ": the signature that ", run,
                                 " was begun by does not count any more: ", key.status().message()),
                    absl::StrCat(kGoOn,
                                 "; it goes on where the agent's `trust:` has that key, environment "
                                 "and target again"));
}

absl::StatusOr<std::string> RolloutOf(const std::string& run, const std::string& target) {
  const std::vector<std::string> parts = absl::StrSplit(run, '/');
  const bool right = parts.size() == 4 && parts[0] == "rollouts" && parts[2] == "runs" &&
                     parts[3] == target && !parts[1].empty() && parts[1].size() <= kLongestId &&
                     parts[1].find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
  if (right) return absl::StrCat("rollouts/", parts[1]);
  return NotTrusted(absl::StrCat("target ", target, ": ", Cut(run, 200),
                                 " is not the name of a run on this target (rollouts/ID/runs/", target, ")"),
                    "look at the controller: it makes no such names");
}

}  // namespace curlew::agent
