// The settings of a plan: their defaults and ranges stand in settings.cc alone.
#ifndef CURLEW_COMMON_PLAN_SETTINGS_H_
#define CURLEW_COMMON_PLAN_SETTINGS_H_

#include "absl/status/status.h"
#include "curlew/v1/plan.pb.h"

namespace curlew::plan {

// `settings` with the default of each setting that is not given. Thread-safe.
v1::PlanSettings DefaultedSettings(const v1::PlanSettings& settings);

// Whether each setting that is given lies in its range. INVALID_ARGUMENT with the range; base::kField holds
// "settings.NAME". Thread-safe.
absl::Status ValidateSettings(const v1::PlanSettings& settings);

}  // namespace curlew::plan

#endif  // CURLEW_COMMON_PLAN_SETTINGS_H_
