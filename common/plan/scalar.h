// How single values are written in YAML: read and written the same way.
#ifndef CURLEW_COMMON_PLAN_SCALAR_H_
#define CURLEW_COMMON_PLAN_SCALAR_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "google/protobuf/duration.pb.h"
#include "google/protobuf/timestamp.pb.h"

namespace curlew::plan {

// "500ms", "1.5s", "10m", "1h30m". INVALID_ARGUMENT with what would be right. Thread-safe, as everything
// here.
absl::StatusOr<google::protobuf::Duration> ParseDuration(absl::string_view text);
std::string DurationText(const google::protobuf::Duration& duration);

// RFC 3339, "2026-01-31T12:00:00Z". INVALID_ARGUMENT with what would be right.
absl::StatusOr<google::protobuf::Timestamp> ParseTimestamp(absl::string_view text);
std::string TimestampText(const google::protobuf::Timestamp& timestamp);

// The value's name without what all names of the enum begin with, in lower case: "constrain" for
// PHASE_CONSTRAIN.
std::string EnumText(const google::protobuf::EnumValueDescriptor* value);
// The value with that EnumText, or with that name, in lower or upper case. INVALID_ARGUMENT with the nearest
// name, or with all. The value that means "not given" cannot be written.
absl::StatusOr<const google::protobuf::EnumValueDescriptor*> ParseEnum(
    const google::protobuf::EnumDescriptor* type, absl::string_view text);

// `did you mean "table"?` where a name in `known` is near (by edits), else `known are: a, b, c`.
std::string Suggestion(absl::string_view name, const std::vector<std::string>& known);

}  // namespace curlew::plan

#endif  // CURLEW_COMMON_PLAN_SCALAR_H_
