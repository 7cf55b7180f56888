// What a rollout would do, for people to read. Pure functions.
#ifndef CURLEW_CLI_PREVIEW_VIEW_H_
#define CURLEW_CLI_PREVIEW_VIEW_H_

#include <string>
#include <vector>

#include "cli/exit_code.h"
#include "cli/text.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::cli {

// Targets that would run the same steps together, with the steps and how they differ from those of the first;
// then what preflight has found, the same finding once; then the targets that could not be compiled. Lines
// fit 100 columns. `plan` is what the plan is called.
std::string RenderPreview(const std::string& plan, const std::vector<v1::TargetPreview>& previews,
                          const Style& style);

// Whether the plan could not run on a target: it could not be compiled there, or preflight has found an
// error.
bool IsBad(const v1::TargetPreview& preview);

// kPrecondition where the plan could not run on one of them, else kOk.
ExitCode PreviewOutcome(const std::vector<v1::TargetPreview>& previews);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_PREVIEW_VIEW_H_
