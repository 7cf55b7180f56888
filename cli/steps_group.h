// Targets that run the same steps, together. Pure functions.
#ifndef CURLEW_CLI_STEPS_GROUP_H_
#define CURLEW_CLI_STEPS_GROUP_H_

#include <string>
#include <vector>

#include "curlew/v1/step.pb.h"

namespace curlew::cli {

// Targets whose steps are the same, whatever the fingerprints of their schemas.
struct StepsGroup {
  // compiler::StepsDigest.
  std::string digest;
  // That of the first of the targets.
  v1::CompiledPlan compiled;
  // In the order in which they came.
  std::vector<std::string> targets;
  // How the steps differ from those of the first group; empty in the first.
  std::vector<std::string> differences;
};

// One target and its compiled plan.
struct CompiledTarget {
  std::string target;
  const v1::CompiledPlan* compiled;
};

// The groups, in the order of their first targets.
std::vector<StepsGroup> GroupBySteps(const std::vector<CompiledTarget>& targets);

// "a, b, c and 12 more": the first `most` names, safe to print.
std::string ListNames(const std::vector<std::string>& names, size_t most = 8);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_STEPS_GROUP_H_
