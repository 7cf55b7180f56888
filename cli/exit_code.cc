#include "cli/exit_code.h"

#include <array>

#include "common/base/error_detail.h"

namespace curlew::cli {
namespace {

constexpr std::array kMeanings = {
    ExitCodeMeaning{ExitCode::kOk, "done"},
    ExitCodeMeaning{ExitCode::kError, "any other error; lint found something; schemas differ"},
    ExitCodeMeaning{ExitCode::kUsage, "the command line is wrong"},
    ExitCodeMeaning{ExitCode::kNotFound, "something named does not exist"},
    ExitCodeMeaning{ExitCode::kInvalid, "the plan or another input is not valid"},
    ExitCodeMeaning{ExitCode::kPrecondition,
                    "something must change first: a gate, a conflict, an agent or database that is away"},
    ExitCodeMeaning{ExitCode::kUnreachable, "the controller gave no answer"},
    ExitCodeMeaning{ExitCode::kRolloutFailed, "the rollout that was waited for failed"},
    ExitCodeMeaning{ExitCode::kRolloutUndone, "the rollout that was waited for was rolled back"},
    ExitCodeMeaning{ExitCode::kRolloutAborted, "the rollout that was waited for was aborted"},
    ExitCodeMeaning{ExitCode::kNeedsDecision,
                    "the rollout that was waited for is paused, or waits for an approval, and --timeout has "
                    "passed, or --until decision was given"},
    ExitCodeMeaning{ExitCode::kWaitedTooLong,
                    "--timeout has passed, and the rollout that was waited for is still at work"},
    ExitCodeMeaning{ExitCode::kNotAllowed,
                    "not allowed: no role, certificate or token for it that the controller knows, or a file "
                    "that may not be read"},
};

}  // namespace

ExitCode ExitCodeOf(const absl::Status& status) {
  if (base::Detail(status, base::kReason) == kUnreachableReason) return ExitCode::kUnreachable;
  if (base::Detail(status, base::kReason) == kUsageReason) return ExitCode::kUsage;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kNotFound:
      return ExitCode::kNotFound;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return ExitCode::kInvalid;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kUnavailable:
      return ExitCode::kPrecondition;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return ExitCode::kNotAllowed;
    default:
      return ExitCode::kError;
  }
}

std::span<const ExitCodeMeaning> ExitCodeMeanings() { return kMeanings; }

}  // namespace curlew::cli
