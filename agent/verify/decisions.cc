#include "agent/verify/decisions.h"

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/signing/statements.h"

namespace curlew::agent {
namespace {

// So many decisions are looked at; and of so many people are told what is wrong.
constexpr size_t kMostDecisions = 100;
constexpr size_t kMostTold = 5;

bool OnlyLooks(const v1::Verify& verify) {
  return std::none_of(verify.scans().begin(), verify.scans().end(),
                      [](const v1::RowScan& scan) { return scan.has_repair(); });
}

// What time does not change.
absl::StatusOr<signing::PublicKey> CheckFor(const Trust& trust, const DecidedRun& run, v1::DecisionKind kind,
                                            const std::string& step, const v1::DecisionSignature& signature) {
  ASSIGN_OR_RETURN(signing::PublicKey key, signing::Verify(signature));
  const v1::DecisionStatement& statement = signature.statement();
  if (NameOf(trust.approver_keys, key).empty()) {
    return absl::PermissionDeniedError(
        absl::StrCat(Shown({}, key), " is none of approver_keys (", Names(trust.approver_keys), ")"));
  }
  if (key.text() == run.plan_key) {
    return absl::PermissionDeniedError(
        absl::StrCat(Shown(trust.approver_keys, key), " has signed the plan itself"));
  }
  if (statement.kind() != kind) return absl::PermissionDeniedError("decides something else");
  if (statement.rollout() != run.rollout) {
    return absl::PermissionDeniedError(
        absl::StrCat("is about another rollout, ", Cut(statement.rollout(), 200)));
  }
  if (statement.plan_digest() != run.plan_digest) {
    return absl::PermissionDeniedError("is about another plan");
  }
  const auto digest = statement.compiled_digests().find(run.target);
  if (digest == statement.compiled_digests().end()) {
    return absl::PermissionDeniedError("is about other targets");
  }
  if (digest->second != run.compiled_digest) {
    return absl::PermissionDeniedError("is about another compiled plan than the one that is run here");
  }
  if (statement.step() != step) {
    return absl::PermissionDeniedError(absl::StrCat("is about another step, ", Cut(statement.step(), 100)));
  }
  return key;
}

absl::Status CheckNow(const v1::DecisionStatement& statement, absl::Time now) {
  if (now < base::FromProto(statement.expire_time())) return absl::OkStatus();
  return absl::PermissionDeniedError(absl::StrCat(
      "expired at ", absl::FormatTime("%Y-%m-%d %H:%M:%S UTC", base::FromProto(statement.expire_time()),
                                      absl::UTCTimeZone())));
}

std::string Told(const v1::DecisionSignature& signature, const absl::Status& status) {
  return absl::StrCat("signature ", Cut(signature.statement().id(), 16),
                      absl::IsPermissionDenied(status) ? " " : ": ", status.message());
}

}  // namespace

bool NeedsDecisions(const v1::Step& step) {
  if (step.phase() != v1::PHASE_DROP) return false;
  switch (step.action().kind_case()) {
    case v1::Action::kMeasure:
    case v1::Action::kWait:
      return false;
    case v1::Action::kVerify:
      return !OnlyLooks(step.action().verify());
    case v1::Action::kAnalyze:
      return step.action().analyze().vacuum() || step.action().analyze().vacuum_if_bloated();
    case v1::Action::kExecuteSql:
    case v1::Action::kExecuteSqlConcurrently:
    case v1::Action::kInstallTrigger:
    case v1::Action::kBackfill:
    case v1::Action::kValidateConstraint:
    case v1::Action::kTransformRows:
    case v1::Action::kBackup:
    case v1::Action::KIND_NOT_SET:
      break;
  }
  return true;
}

absl::StatusOr<Decisions> VerifyDrop(const Trust& trust, const DecidedRun& run, const std::string& step,
                                     const Decisions& noted, const Decisions& offered, absl::Time now) {
  std::set<std::string> approvers;  // public keys
  std::set<std::string> known;      // ids
  std::vector<std::string> problems;
  for (const v1::DecisionSignature& decision : noted) {
    known.insert(decision.statement().id());
    const auto key = CheckFor(trust, run, v1::DECISION_KIND_DROP, "", decision);
    if (key.ok()) {
      approvers.insert(key->text());
    } else {
      problems.push_back(Told(decision, key.status()));
    }
  }
  Decisions fresh;
  for (size_t i = 0; i < std::min(offered.size(), kMostDecisions); ++i) {
    const v1::DecisionSignature& decision = offered[i];
    const auto key = CheckFor(trust, run, v1::DECISION_KIND_DROP, "", decision);
    const absl::Status status = key.ok() ? CheckNow(decision.statement(), now) : key.status();
    const bool is_new = status.ok() && known.insert(decision.statement().id()).second;
    if (!status.ok()) {
      problems.push_back(Told(decision, status));
    } else if (is_new) {
      // One word of each is enough.
      if (approvers.insert(key->text()).second) fresh.push_back(decision);
    }
  }
  if (static_cast<int>(approvers.size()) >= trust.drop_approvals) return fresh;
  problems.resize(std::min(problems.size(), kMostTold));
  return NotTrusted(
      absl::StrCat("target ", run.target, ": step ", step, " of ", run.rollout,
                   " changes what cannot be brought back: ", trust.drop_approvals,
                   trust.drop_approvals == 1 ? " signed approval is" : " signed approvals are",
                   " needed, and ", approvers.size(), approvers.size() == 1 ? " counts" : " count",
                   problems.empty() ? "" : ": ", absl::StrJoin(problems, "; ")),
      absl::StrCat("approvers whose keys this agent trusts (", Names(trust.approver_keys),
                   "), and who have not signed the plan, sign: `curlew rollout approve ",
                   run.rollout.substr(run.rollout.find('/') + 1),
                   " --sign-key FILE`, then `curlew rollout resume`"));
}

absl::Status VerifyOverride(const Trust& trust, const DecidedRun& run, const std::string& step,
                            const v1::Override& override, absl::Time now) {
  std::string problem = "it is not signed";
  if (override.has_signature()) {
    const auto key = CheckFor(trust, run, v1::DECISION_KIND_OVERRIDE, step, override.signature());
    const absl::Status status = key.ok() ? CheckNow(override.signature().statement(), now) : key.status();
    if (status.ok()) return status;
    problem = Told(override.signature(), status);
  }
  return NotTrusted(
      absl::StrCat("target ", run.target, ": that step ", step, " of ", run.rollout,
                   " need not hold was not decided by anybody whom this agent trusts: ", problem),
      absl::StrCat("an approver (", Names(trust.approver_keys),
                   "), who has not signed the plan, says so once more with --sign-key FILE, then `curlew "
                   "rollout resume`"));
}

}  // namespace curlew::agent
