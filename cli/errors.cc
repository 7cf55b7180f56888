#include "cli/errors.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/error_detail.h"

namespace curlew::cli {
namespace {

// What to do about an error that does not say it itself.
absl::string_view UsualNextStep(const absl::Status& status) {
  // A plan that does not fit a schema: the message has said what would.
  if (absl::IsFailedPrecondition(status) && !base::Detail(status, base::kField).empty()) {
    return "change the plan, or the schema, and run the command again";
  }
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return "correct the input and run the command again; `curlew plan validate FILE` checks a plan without "
             "a "
             "controller";
    case absl::StatusCode::kNotFound:
      return "see what there is: curlew plan list, curlew rollout list, curlew target list";
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
      return "see where things stand: curlew rollout list, curlew rollout show ROLLOUT, curlew target list";
    case absl::StatusCode::kAborted:
      return "it has changed meanwhile: look at it again (curlew rollout show ROLLOUT), then repeat the "
             "command";
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return "check that it runs and can be reached, then repeat the command";
    case absl::StatusCode::kResourceExhausted:
      return "wait a moment, and repeat the command";
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return "ask for the right, or use other credentials";
    case absl::StatusCode::kUnimplemented:
      return "compare the versions of curlew (curlew version) and of the controller";
    default:
      return "look at the controller's log, and repeat the command with `-o json` where it has that";
  }
}

void AppendLabelled(absl::string_view label, absl::string_view text, int indent, std::string& out) {
  const std::string spaces(indent, ' ');
  bool first = true;
  for (absl::string_view line : absl::StrSplit(Printable(text, LineEnds::kKeep), '\n', absl::SkipEmpty())) {
    absl::StrAppend(&out, spaces, first ? label : "  ", line, "\n");
    first = false;
  }
}

}  // namespace

std::string RenderError(const absl::Status& status, const Style& style) {
  std::string out;
  AppendLabelled(Paint("error: ", Tone::kBad, style), status.message(), 0, out);
  if (status.message().empty()) {
    AppendLabelled(Paint("error: ", Tone::kBad, style), absl::StatusCodeToString(status.code()), 0, out);
  }
  const auto detail = [&](absl::string_view key, absl::string_view label) {
    const std::string value = base::Detail(status, key);
    // Most messages name it already.
    if (!value.empty() && !absl::StrContains(status.message(), value)) AppendLabelled(label, value, 2, out);
  };
  detail(base::kField, "field: ");
  detail(base::kTarget, "target: ");
  detail(base::kStep, "step: ");
  detail(base::kSqlstate, "SQLSTATE: ");
  for (absl::string_view key :
       absl::StrSplit(base::Detail(status, base::kRowKeys), '\n', absl::SkipEmpty())) {
    AppendLabelled("row: ", key, 2, out);
  }
  const std::string hint = base::Detail(status, base::kHint);
  AppendLabelled("what to do: ", hint.empty() ? UsualNextStep(status) : absl::string_view(hint), 2, out);
  return out;
}

std::string RenderUsageError(absl::string_view message, absl::string_view command, const Style& style) {
  std::string out;
  AppendLabelled(Paint("error: ", Tone::kBad, style), message, 0, out);
  AppendLabelled("what to do: ", absl::StrCat("see ", command, " --help"), 2, out);
  return out;
}

std::string RenderStepError(const v1::StepError& error, int indent, const Style& style) {
  std::string out;
  std::string message = error.message();
  if (!error.sqlstate().empty() && !absl::StrContains(message, error.sqlstate())) {
    absl::StrAppend(&message, " (SQLSTATE ", error.sqlstate(), ")");
  }
  AppendLabelled(Paint("error: ", Tone::kBad, style), message, indent, out);
  for (const std::string& key : error.row_keys()) AppendLabelled("row: ", key, indent + 2, out);
  if (!error.hint().empty()) AppendLabelled("what to do: ", error.hint(), indent + 2, out);
  return out;
}

}  // namespace curlew::cli
