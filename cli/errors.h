// Errors as people read them: what failed, then what to do.
#ifndef CURLEW_CLI_ERRORS_H_
#define CURLEW_CLI_ERRORS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "cli/text.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::cli {

// `status`, which is not OK, in lines: "error: …", its details, "  what to do: …" (the hint of the status, or
// what its code suggests). Ends with a line end.
std::string RenderError(const absl::Status& status, const Style& style);

// The same for a command line that was not understood.
std::string RenderUsageError(absl::string_view message, absl::string_view command, const Style& style);

// An error of a step: message with SQLSTATE, keys of rows, hint; each line indented by `indent`.
std::string RenderStepError(const v1::StepError& error, int indent, const Style& style);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_ERRORS_H_
