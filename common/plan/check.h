// Small checks that the validators of this folder share.
#ifndef CURLEW_COMMON_PLAN_CHECK_H_
#define CURLEW_COMMON_PLAN_CHECK_H_

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/duration.pb.h"

namespace curlew::plan {

// INVALID_ARGUMENT "PATH: WHAT", with `path` as base::kField.
absl::Status FieldError(absl::string_view path, absl::string_view what);

// Whether `id` is 1 to 63 lower-case letters, digits and dashes, the first and last of them no dash.
bool IsId(absl::string_view id);

// Whether both parts are in the range that duration.proto allows, with the same sign.
bool IsValidDuration(const google::protobuf::Duration& duration);

}  // namespace curlew::plan

#endif  // CURLEW_COMMON_PLAN_CHECK_H_
