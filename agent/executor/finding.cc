#include "agent/executor/finding.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/pg/error.h"

namespace curlew::agent {

absl::Status ToStatus(const std::vector<Finding>& findings) {
  std::vector<std::string> lines, keys, hints;
  for (const Finding& finding : findings) {
    lines.push_back(absl::StrCat("\"", finding.description, "\" does not hold: ", finding.what,
                                 finding.keys.empty() ? "" : ", for example ",
                                 absl::StrJoin(finding.keys, ", ")));
    for (const std::string& key : finding.keys) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
    }
    if (!finding.hint.empty() && std::find(hints.begin(), hints.end(), finding.hint) == hints.end()) {
      hints.push_back(finding.hint);
    }
  }
  absl::Status status = absl::FailedPreconditionError(absl::StrJoin(lines, "; "));
  if (!keys.empty()) status = base::WithDetail(status, base::kRowKeys, absl::StrJoin(keys, "\n"));
  return base::WithDetail(status, base::kHint,
                          hints.empty() ? "mend the rows, then resume" : absl::StrJoin(hints, "; "));
}

std::string CannotBeComputed(const absl::Status& failure, bool some_rows, bool quotes) {
  return absl::StrCat("it cannot be computed", some_rows ? " for some rows" : "", ": SQLSTATE ",
                      pg::Sqlstate(failure), quotes ? ": " : "",
                      quotes ? std::string(failure.message()) : "");
}

}  // namespace curlew::agent
