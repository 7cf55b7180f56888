// From what a controller sends to a run that may begin.
#ifndef CURLEW_AGENT_VERIFY_VERIFY_RUN_H_
#define CURLEW_AGENT_VERIFY_VERIFY_RUN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/verify/compile_here.h"
#include "agent/verify/signed_plan.h"
#include "agent/verify/trust.h"
#include "common/pg/connection.h"
#include "curlew/v1/plan.pb.h"

namespace curlew::agent {

// What a controller wants to begin.
struct Proposal {
  std::string target;
  // Whose signature may be its own already: a crash may have come between this and its first step. "" where
  // nothing is begun yet.
  std::string run;
  const v1::Plan* plan = nullptr;
  const PlanSignatures* signatures = nullptr;
  // What the controller has compiled the plan to, and by which version; "" where that is not known.
  std::string compiled_digest;
  std::string compiler_version;
};

// Verifies the plan, takes a snapshot, compiles it and compares: what may be pinned, with the signature.
// `refusal` is PERMISSION_DENIED, with base::kHint, where it may not. Nothing is changed, and nothing that
// the controller has compiled is looked at. The journal must not know the run: the snapshot is to be of the
// schema before anything was changed. Errors as in common/pg/error.h.
absl::StatusOr<OwnCompilation> VerifyRun(pg::Connection* connection, const Trust& trust,
                                         const Proposal& proposal, absl::Time now);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_VERIFY_VERIFY_RUN_H_
