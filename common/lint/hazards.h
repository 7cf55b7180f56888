// The list of all that lint can say: names, and what they mean.
#ifndef CURLEW_COMMON_LINT_HAZARDS_H_
#define CURLEW_COMMON_LINT_HAZARDS_H_

#include <span>

#include "absl/strings/string_view.h"
#include "common/lint/lint.h"

namespace curlew::lint {

// Names that lint's own front gives; those of statements are Hazard::code.
inline constexpr absl::string_view kSyntaxError = "syntax-error";
inline constexpr absl::string_view kPsqlCommand = "psql-command";
inline constexpr absl::string_view kEncoding = "encoding";
inline constexpr absl::string_view kInvalidPlan = "invalid-plan";
inline constexpr absl::string_view kAllowWithoutReason = "allow-without-reason";
inline constexpr absl::string_view kAllowUnknown = "allow-unknown";
inline constexpr absl::string_view kAllowUnused = "allow-unused";

// One thing that lint can say.
struct HazardInfo {
  absl::string_view code;
  Severity severity;        // the gravest it can have
  absl::string_view title;  // one line, without a full stop
  absl::string_view help;   // what it means and what to do, in whole sentences
};

// All of them, in the order of docs/lint.md.
std::span<const HazardInfo> HazardInfos();

// The entry of `code`; null for a name that there is not.
const HazardInfo* FindHazard(absl::string_view code);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_HAZARDS_H_
