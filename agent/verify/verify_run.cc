#include "agent/verify/verify_run.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/signing/statements.h"

namespace curlew::agent {
namespace {

OwnCompilation Refused(absl::Status refusal) { return {.refusal = std::move(refusal), .run = {}}; }

absl::StatusOr<UsedSignatures> UsedByOthers(pg::Connection* connection, const Proposal& proposal) {
  UsedSignatures used;
  for (int i = 0; i < std::min(proposal.signatures->size(), kMostSignatures); ++i) {
    const v1::PlanStatement& statement = (*proposal.signatures)[i].statement();
    if (!signing::CheckForm(statement).ok()) continue;
    ASSIGN_OR_RETURN(const std::optional<std::string> run, RunBegunBy(connection, statement.id()));
    if (run.has_value() && *run != proposal.run) used[statement.id()] = *run;
  }
  return used;
}

}  // namespace

absl::StatusOr<OwnCompilation> VerifyRun(pg::Connection* connection, const Trust& trust,
                                         const Proposal& proposal, absl::Time now) {
  ASSIGN_OR_RETURN(const UsedSignatures used, UsedByOthers(connection, proposal));
  absl::StatusOr<v1::PlanSignature> signature =
      VerifyPlan(trust, proposal.target, *proposal.plan, *proposal.signatures, used, now);
  if (!signature.ok()) {
    if (absl::IsPermissionDenied(signature.status())) return Refused(signature.status());
    return Refused(
        NotTrusted(absl::StrCat("target ", proposal.target,
                                ": what the controller sent is no plan: ", signature.status().message()),
                   "look at the controller: it refuses such plans itself"));
  }
  ASSIGN_OR_RETURN(OwnCompilation own, CompileHere(connection, proposal.target, *proposal.plan));
  if (!own.refusal.ok()) return own;
  absl::Status same =
      CompareDigests(proposal.target, own.run, proposal.compiled_digest, proposal.compiler_version);
  if (!same.ok()) return Refused(std::move(same));
  own.run.signature = *std::move(signature);
  return own;
}

}  // namespace curlew::agent
