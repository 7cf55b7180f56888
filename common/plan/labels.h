// Labels: what targets are selected by, and what a rollout is marked with.
#ifndef CURLEW_COMMON_PLAN_LABELS_H_
#define CURLEW_COMMON_PLAN_LABELS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/map.h"

namespace curlew::plan {

using Labels = google::protobuf::Map<std::string, std::string>;

// At most 32; keys of 1 to 63 letters, digits and "._-/" with a letter or digit at both ends; values of at
// most 255 bytes without control characters. INVALID_ARGUMENT with "PATH.KEY" as base::kField.
absl::Status CheckLabels(const Labels& labels, absl::string_view path);

// Whether `labels` has all of `wanted`.
bool HasLabels(const Labels& labels, const Labels& wanted);

}  // namespace curlew::plan

#endif  // CURLEW_COMMON_PLAN_LABELS_H_
