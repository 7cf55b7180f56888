// An operator's word that a step need not wait for its condition, or that rows which it could not write may
// stay as they are. Internal to controller/rollout.
#ifndef CURLEW_CONTROLLER_ROLLOUT_OVERRIDE_H_
#define CURLEW_CONTROLLER_ROLLOUT_OVERRIDE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "controller/rollout/draft.h"

namespace curlew::rollout {

// Whether the step's newest attempt does not know yet that it need not wait.
bool LacksOverride(const v1::StepStatus& step);
// Whether the step FAILED because rows that it could not write wait for somebody to mend or accept them.
bool HasRowsQuarantined(const v1::StepStatus& step);
// "overridden by bob: the night job ends by itself".
std::string OverrideText(const v1::Override& override_wait);

// Whether the signature is about that step of that run.
bool IsNamed(const v1::DecisionSignature& signature, const v1::Run& run, const v1::StepStatus& step);
// Says so of the step, in place of what was said before.
void SetOverride(v1::StepStatus& step, const std::string& actor, const std::string& reason,
                 const std::optional<v1::DecisionSignature>& signature);

// Errors as Advance.
absl::Status OnOverrideAsked(Draft& draft, const OverrideAsked& input);

}  // namespace curlew::rollout

#endif  // CURLEW_CONTROLLER_ROLLOUT_OVERRIDE_H_
