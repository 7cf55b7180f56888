// The compiled plans of a rollout's runs, as far as they are needed to say what runs where.
#ifndef CURLEW_CLI_COMPILED_PLANS_H_
#define CURLEW_CLI_COMPILED_PLANS_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "cli/client.h"
#include "curlew/v1/rollout.pb.h"
#include "curlew/v1/step.pb.h"

namespace curlew::cli {

// Compiled plans by their digest (Run.compiled_digest).
using CompiledPlans = std::map<std::string, v1::CompiledPlan>;

// One for each digest among the runs that have been compiled, of at most `most` digests: in a fleet nearly
// all are the same. Errors of GetCompiledPlan; a run that has none after all is passed over.
absl::StatusOr<CompiledPlans> FetchCompiledPlans(Client* client, const v1::Rollout& rollout,
                                                 size_t most = 50);

// The rollout with all its runs and their steps, however many they are. Errors of GetRollout.
absl::StatusOr<v1::Rollout> FetchFullRollout(Client* client, const std::string& name);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_COMPILED_PLANS_H_
