// What the exit status of `curlew` says.
#ifndef CURLEW_CLI_EXIT_CODE_H_
#define CURLEW_CLI_EXIT_CODE_H_

#include <span>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace curlew::cli {

// The exit statuses; scripts rely on the numbers.
enum class ExitCode {
  kOk = 0,
  kError = 1,
  kUsage = 2,
  kNotFound = 3,
  kInvalid = 4,
  kPrecondition = 5,
  kUnreachable = 6,
  kRolloutFailed = 7,
  kRolloutUndone = 8,
  kRolloutAborted = 9,
  kNeedsDecision = 10,
  kWaitedTooLong = 11,
  kNotAllowed = 12,
};

// base::kReason of the statuses that Client makes where the controller gave no answer.
inline constexpr absl::string_view kUnreachableReason = "CONTROLLER_UNREACHABLE";
// The same of a command line that is wrong, where only a verb finds that out.
inline constexpr absl::string_view kUsageReason = "USAGE";

// The status that a program ends with after `status`.
ExitCode ExitCodeOf(const absl::Status& status);

// One line of the table that help texts and docs show.
struct ExitCodeMeaning {
  ExitCode code;
  absl::string_view meaning;
};

// Every exit status, in order.
std::span<const ExitCodeMeaning> ExitCodeMeanings();

}  // namespace curlew::cli

#endif  // CURLEW_CLI_EXIT_CODE_H_
