// From what a statement does to what a person should know. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_JUDGE_H_
#define CURLEW_COMMON_LINT_JUDGE_H_

#include "absl/status/status.h"
#include "common/lint/session.h"

namespace curlew::lint {

// The report of a statement that ended with `status`. Takes what the open transaction holds into account.
Report Judge(Effects& e, const absl::Status& status);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_JUDGE_H_
