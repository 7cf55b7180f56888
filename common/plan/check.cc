#include "common/plan/check.h"

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"

namespace curlew::plan {

absl::Status FieldError(absl::string_view path, absl::string_view what) {
  return base::WithDetail(absl::InvalidArgumentError(absl::StrCat(path, ": ", what)), base::kField, path);
}

bool IsId(absl::string_view id) {
  const auto allowed = [](char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c) || c == '-'; };
  return !id.empty() && id.size() <= 63 && std::all_of(id.begin(), id.end(), allowed) && id.front() != '-' &&
         id.back() != '-';
}

bool IsValidDuration(const google::protobuf::Duration& duration) {
  constexpr int64_t kMostSeconds = 315'576'000'000;
  const int64_t s = duration.seconds();
  const int32_t n = duration.nanos();
  return s >= -kMostSeconds && s <= kMostSeconds && n > -1'000'000'000 && n < 1'000'000'000 &&
         !(s > 0 && n < 0) && !(s < 0 && n > 0);
}

}  // namespace curlew::plan
