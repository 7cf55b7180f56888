// A script, statement by statement: read, judged, with what its author allows.
#ifndef CURLEW_COMMON_LINT_LINT_SCRIPT_H_
#define CURLEW_COMMON_LINT_LINT_SCRIPT_H_

#include <functional>
#include <string>

#include "absl/strings/string_view.h"
#include "common/lint/finding.h"

namespace curlew::lint {

// How a script is judged.
struct ScriptJudge {
  // What a statement does: Linter::Lint.
  std::function<Report(const pg_query::Node& tree, absl::string_view text)> lint;
  // The operations of a plan that do what a statement does, in YAML; "" where there are none. May be null.
  std::function<std::string(absl::string_view text)> operation;
};

// Takes what is found, in the script's order.
using FindingSink = std::function<void(Finding)>;

// Judges the script `text`, of any bytes. `file` is what findings are called by. Memory is for one statement
// at a time.
void LintScript(absl::string_view text, absl::string_view file, const ScriptJudge& judge,
                const FindingSink& sink);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_LINT_SCRIPT_H_
