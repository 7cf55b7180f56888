// Whether a plan, or a run that was begun by one, is what somebody who is trusted has signed. Pure.
#ifndef CURLEW_AGENT_VERIFY_SIGNED_PLAN_H_
#define CURLEW_AGENT_VERIFY_SIGNED_PLAN_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/journal/journal.h"
#include "agent/verify/trust.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/signature.pb.h"

namespace curlew::agent {

using PlanSignatures = google::protobuf::RepeatedPtrField<v1::PlanSignature>;
// Ids of signatures, and the run that each of them has begun.
using UsedSignatures = std::map<std::string, std::string>;

// Of so many signatures, the first ones are looked at.
inline constexpr int kMostSignatures = 100;

// The first signature by which `plan` may be run on `target` at `now`: form and signature are right, the key
// is a plan key, the plan is this one, environment and target are named, the time has come and is not over,
// and none of `used` has it. PERMISSION_DENIED with base::kHint, and in words why none will do;
// INVALID_ARGUMENT where the plan itself is none.
absl::StatusOr<v1::PlanSignature> VerifyPlan(const Trust& trust, const std::string& target,
                                             const v1::Plan& plan, const PlanSignatures& signatures,
                                             const UsedSignatures& used, absl::Time now);

// The key that has signed what a run was begun by, where the run may go on: by a signature of that very plan,
// for this environment and target, under a key that is still a plan key. Time does not count: what was begun
// goes on. PERMISSION_DENIED as above.
absl::StatusOr<signing::PublicKey> VerifyPinned(const Trust& trust, const std::string& target,
                                                const std::string& run, const PinnedPlan& pinned);

// The resource name of the rollout of "rollouts/ID/runs/TARGET". PERMISSION_DENIED where `run` is no such
// name, or of another target.
absl::StatusOr<std::string> RolloutOf(const std::string& run, const std::string& target);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_VERIFY_SIGNED_PLAN_H_
