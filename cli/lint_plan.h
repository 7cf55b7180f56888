// Plans, as lint sees them: the statements of `sql` operations, at their lines of the YAML file.
#ifndef CURLEW_CLI_LINT_PLAN_H_
#define CURLEW_CLI_LINT_PLAN_H_

#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/lint/lint_script.h"

namespace curlew::cli {

// Whether a file is a plan: by the end of its name, or by what it holds.
bool IsPlan(absl::string_view file, absl::string_view text);

// Judges the statements of each `sql` operation, `up` before `down`, each text with a judge of its own, as
// each runs in a transaction of its own. What the plan acknowledges is allowed. Lock time-outs are the
// agent's, and no hazard. A plan that is not valid is one finding. Returns a line for people about the other
// operations; "" where there are none.
std::string LintPlan(absl::string_view text, absl::string_view file,
                     const std::function<lint::ScriptJudge()>& new_judge, const lint::FindingSink& sink);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_LINT_PLAN_H_
