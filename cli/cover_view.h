// What an approval of a gate covers, for people to read. Pure functions.
#ifndef CURLEW_CLI_COVER_VIEW_H_
#define CURLEW_CLI_COVER_VIEW_H_

#include <string>

#include "cli/compiled_plans.h"
#include "cli/rollout_view.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::cli {

// What whoever approves the gate approves: the plan and its digest, the targets of the gate's environment (or
// wave), the steps that they run, how these differ from what the first environment ran, what preflight has
// found, and the cover. Each line is indented by two. `plans` may lack some.
std::string RenderCover(const v1::Rollout& rollout, const v1::Gate& gate, const CompiledPlans& plans,
                        const ViewOptions& options);

// A gate by itself: RenderCover and GateLines, its policy, its checks with their measurements.
std::string RenderGate(const v1::Rollout& rollout, const v1::Gate& gate, const CompiledPlans& plans,
                       const ViewOptions& options);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_COVER_VIEW_H_
