// Whether people who are trusted have decided what cannot be undone. Pure.
#ifndef CURLEW_AGENT_VERIFY_DECISIONS_H_
#define CURLEW_AGENT_VERIFY_DECISIONS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/verify/trust.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/signature.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// What a decision must be about. A value.
struct DecidedRun {
  std::string target;
  std::string rollout;          // resource name
  std::string plan_digest;      // of the plan
  std::string compiled_digest;  // that the run is pinned to
  // Public key that has signed the plan: whoever has written it does not decide about it. "" for none.
  std::string plan_key;
};

using Decisions = std::vector<v1::DecisionSignature>;

// Whether doing the step needs signed decisions: a step of DROP that may change something.
bool NeedsDecisions(const v1::Step& step);

// The decisions among `offered` that are to be noted before the step begins, where enough different approvers
// have decided, by these or by those that were `noted` for the run before. Those count whether they have
// expired or not, as long as their keys are trusted. PERMISSION_DENIED with base::kHint, and in words what is
// missing.
absl::StatusOr<Decisions> VerifyDrop(const Trust& trust, const DecidedRun& run, const std::string& step,
                                     const Decisions& noted, const Decisions& offered, absl::Time now);

// OK where an approver has signed that this step need not wait, or may be left out. PERMISSION_DENIED as
// above.
absl::Status VerifyOverride(const Trust& trust, const DecidedRun& run, const std::string& step,
                            const v1::Override& override, absl::Time now);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_VERIFY_DECISIONS_H_
