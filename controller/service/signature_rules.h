// Whether signatures that people give are right, and about what they are given for. Whether their keys are
// trusted is for agents. Pure. All errors but NOT_FOUND are INVALID_ARGUMENT with base::kField "signature".
#ifndef CURLEW_CONTROLLER_SERVICE_SIGNATURE_RULES_H_
#define CURLEW_CONTROLLER_SERVICE_SIGNATURE_RULES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/signing/signing_key.h"
#include "curlew/v1/operator.pb.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/signature.pb.h"

namespace curlew::service {

// The key that has signed, where it has signed just this plan, and a run may begin by that still.
absl::StatusOr<signing::PublicKey> CheckPlanSignature(const v1::PlanSignature& signature,
                                                      const v1::StoredPlan& plan, absl::Time now);

// An approval of the gate before DROP of `environment` (bare name): of this rollout, its plan, and what
// targets of that environment were compiled to.
absl::Status CheckDropSignature(const v1::DecisionSignature& signature, const v1::Rollout& rollout,
                                const std::string& environment, absl::Time now);

// An override of a step, on `target` or, where that is "", on some. `step` is what the caller named besides;
// "" for nothing.
absl::Status CheckOverrideSignature(const v1::DecisionSignature& signature, const v1::Rollout& rollout,
                                    const std::string& target, const std::string& step, absl::Time now);

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_SIGNATURE_RULES_H_
