// Asking the controller what a rollout would do.
#ifndef CURLEW_CLI_PREVIEW_H_
#define CURLEW_CLI_PREVIEW_H_

#include <string>

#include "absl/status/statusor.h"
#include "cli/context.h"
#include "cli/exit_code.h"
#include "curlew/v1/plan.pb.h"

namespace curlew::cli {

// The plan that PLAN|FILE means: read from a file, or asked from the controller. Errors of ReadPlanFile and
// of GetPlan.
absl::StatusOr<v1::Plan> FindPlan(Context& context, const std::string& plan);

// Asks for a preview of a plan on the targets of an environment ("" for the whole pipeline), and prints it:
// `output` is table, json (one line for each target), yaml (one document for each), or name. The code is that
// of PreviewOutcome. Errors of FindPlan and of PreviewRollout.
absl::StatusOr<ExitCode> PreviewPlan(Context& context, const std::string& plan,
                                     const std::string& environment, const std::string& output);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_PREVIEW_H_
