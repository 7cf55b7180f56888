// Which targets each wave of an environment has.
#ifndef CURLEW_COMMON_PLAN_WAVES_H_
#define CURLEW_COMMON_PLAN_WAVES_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::plan {

// A wave with its targets, in the order in which the environment lists them. At least one.
struct AssignedWave {
  v1::WavePolicy policy;
  std::vector<std::string> targets;
};

// The waves in order; each target of the environment is in exactly one. Waves with labels take theirs first,
// wherever they stand in the list; then the others take from what is left, in order: `count` of it, `percent`
// of all targets of the environment (rounded up, or what is left), or, with no selector, all. An environment
// that lists no waves has one of all targets, with the name "all".
//
// INVALID_ARGUMENT, with `path` (that of the environment, "environments[1]"; may be "") before the field at
// fault as base::kField, for: names that are missing, no ids or not unique; more than one selector; count,
// percent, bake or max_parallel out of range; a target that is in two waves by label; a wave that has no
// target; a wave without a selector that is not the last; targets that are in no wave.
absl::StatusOr<std::vector<AssignedWave>> AssignWaves(const v1::Environment& environment,
                                                      absl::string_view path = "");

}  // namespace curlew::plan

#endif  // CURLEW_COMMON_PLAN_WAVES_H_
