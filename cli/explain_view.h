// What a compiled plan will do, for people to read.
#ifndef CURLEW_CLI_EXPLAIN_VIEW_H_
#define CURLEW_CLI_EXPLAIN_VIEW_H_

#include <string>

#include "cli/text.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::cli {

// A summary, each step by phase (key, title, SQL, locks, scans and rewrites, undo), then the warnings. Lines
// fit 100 columns, but for SQL that cannot be broken. `against` says what it was compiled against.
std::string RenderExplain(const v1::CompilePlanResponse& compiled, const std::string& against,
                          const Style& style);

// One line for each step: key, strongest lock, cost, undo, title.
std::string StepsTable(const v1::CompiledPlan& plan, const Style& style);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_EXPLAIN_VIEW_H_
