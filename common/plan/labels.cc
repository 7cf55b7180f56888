#include "common/plan/labels.h"

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/plan/check.h"

namespace curlew::plan {
namespace {

constexpr size_t kMostLabels = 32;
constexpr size_t kLongestKey = 63;
constexpr size_t kLongestValue = 255;

bool IsKey(absl::string_view key) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '_' || c == '-' || c == '/';
  };
  return !key.empty() && key.size() <= kLongestKey && std::all_of(key.begin(), key.end(), allowed) &&
         absl::ascii_isalnum(key.front()) && absl::ascii_isalnum(key.back());
}

}  // namespace

absl::Status CheckLabels(const Labels& labels, absl::string_view path) {
  if (labels.size() > kMostLabels) {
    return FieldError(path, absl::StrCat(labels.size(), " labels are too many; give at most ", kMostLabels));
  }
  // In order, so that the same labels always get the same answer.
  for (const auto& [key, value] : std::map<std::string, std::string>(labels.begin(), labels.end())) {
    if (!IsKey(key)) {
      return FieldError(path, absl::StrCat("\"", key, "\" is no name of a label; use 1 to ", kLongestKey,
                                           " letters, digits and \"._-/\", with a letter or digit at both "
                                           "ends"));
    }
    const std::string at = absl::StrCat(path, ".", key);
    if (value.size() > kLongestValue) {
      return FieldError(at,
                        absl::StrCat("the value has ", value.size(), " bytes; give at most ", kLongestValue));
    }
    if (std::any_of(value.begin(), value.end(), [](char c) { return absl::ascii_iscntrl(c); })) {
      return FieldError(at, "the value holds a control character; take it out");
    }
  }
  return absl::OkStatus();
}

bool HasLabels(const Labels& labels, const Labels& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& pair) {
    const auto found = labels.find(pair.first);
    return found != labels.end() && found->second == pair.second;
  });
}

}  // namespace curlew::plan
