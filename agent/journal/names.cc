#include "agent/journal/names.h"

#include "absl/strings/str_cat.h"
#include "common/base/hash.h"

namespace curlew::agent {

std::string TargetApplicationName(const std::string& target) {
  if (target.size() <= 32) return absl::StrCat("curlew ", target);
  return absl::StrCat("curlew ", target.substr(0, 19), "~", base::Sha256Hex(target).substr(0, 12));
}

std::string AttemptApplicationName(const std::string& target, const std::string& run, int attempt) {
  return absl::StrCat(TargetApplicationName(target), " ", base::Sha256Hex(run).substr(0, 12), " ", attempt);
}

}  // namespace curlew::agent
