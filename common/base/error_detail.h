// Typed details that travel with an absl::Status, so that no error is ever matched by its text.
#ifndef CURLEW_COMMON_BASE_ERROR_DETAIL_H_
#define CURLEW_COMMON_BASE_ERROR_DETAIL_H_

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace curlew::base {

// Keys in use. Values are short texts.
inline constexpr absl::string_view kReason = "reason";      // UPPER_SNAKE_CASE, constant
inline constexpr absl::string_view kHint = "hint";          // what to do next
inline constexpr absl::string_view kSqlstate = "sqlstate";  // five characters
inline constexpr absl::string_view kField = "field";        // path of a field of a plan
inline constexpr absl::string_view kTarget = "target";
inline constexpr absl::string_view kStep = "step";
inline constexpr absl::string_view kRowKeys = "row_keys";  // one a line

// `status` with the detail set (replaced where it was set). OK statuses stay as they are.
absl::Status WithDetail(absl::Status status, absl::string_view key, absl::string_view value);

// The detail, or "" where the status has none.
std::string Detail(const absl::Status& status, absl::string_view key);

// All details, by key.
std::map<std::string, std::string> Details(const absl::Status& status);

// `status` with `prefix` and ": " before its message; code and details are kept.
absl::Status Annotate(const absl::Status& status, absl::string_view prefix);

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_ERROR_DETAIL_H_
