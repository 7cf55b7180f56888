#include "common/base/error_detail.h"

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace curlew::base {
namespace {
constexpr absl::string_view kPrefix = "curlew.dev/";
}  // namespace

absl::Status WithDetail(absl::Status status, absl::string_view key, absl::string_view value) {
  status.SetPayload(absl::StrCat(kPrefix, key), absl::Cord(value));
  return status;
}

std::string Detail(const absl::Status& status, absl::string_view key) {
  auto payload = status.GetPayload(absl::StrCat(kPrefix, key));
  return payload.has_value() ? std::string(*payload) : "";
}

std::map<std::string, std::string> Details(const absl::Status& status) {
  std::map<std::string, std::string> details;
  status.ForEachPayload([&](absl::string_view url, const absl::Cord& value) {
    if (absl::StartsWith(url, kPrefix)) details.emplace(url.substr(kPrefix.size()), std::string(value));
  });
  return details;
}

absl::Status Annotate(const absl::Status& status, absl::string_view prefix) {
  if (status.ok()) return status;
  absl::Status annotated(status.code(), absl::StrCat(prefix, ": ", status.message()));
  status.ForEachPayload(
      [&](absl::string_view url, const absl::Cord& value) { annotated.SetPayload(url, value); });
  return annotated;
}

}  // namespace curlew::base
