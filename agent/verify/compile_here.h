// The compiled plan of this agent's own, of the database as it is.
#ifndef CURLEW_AGENT_VERIFY_COMPILE_HERE_H_
#define CURLEW_AGENT_VERIFY_COMPILE_HERE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/journal/signed_run.h"
#include "agent/verify/trust.h"
#include "common/pg/connection.h"
#include "curlew/v1/plan.pb.h"

namespace curlew::agent {

// Takes a snapshot of what the plan touches, and compiles the plan against it: SignedRun without a signature.
// Makes sense before anything of a run was done, and only then. PERMISSION_DENIED with base::kHint in
// `refusal`, which is OK else, where the plan does not fit; errors as in common/pg/error.h where the database
// does not answer. The connection is used, not kept; it may not be in a transaction.
struct OwnCompilation {
  absl::Status refusal;
  SignedRun run;
};
absl::StatusOr<OwnCompilation> CompileHere(pg::Connection* connection, const std::string& target,
                                           const v1::Plan& plan);

// OK where the controller means to run just this. PERMISSION_DENIED with base::kHint where it does not: with
// both versions where another version has compiled (`their_version`, "" where it is not known), else with
// both digests. Pure.
absl::Status CompareDigests(const std::string& target, const SignedRun& own, const std::string& their_digest,
                            const std::string& their_version);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_VERIFY_COMPILE_HERE_H_
