// Which tables a data statement reads as a whole. Of this folder alone.
#ifndef CURLEW_COMMON_LINT_QUERY_PLAN_H_
#define CURLEW_COMMON_LINT_QUERY_PLAN_H_

#include <map>
#include <set>

#include "absl/status/status.h"
#include "common/lint/session.h"

namespace curlew::lint {

// Adds the tables of `named` (or below them) that the statement reads from end to end: by the server's plan,
// where there is an Explainer and it knows all tables; else where no condition fits an index.
absl::Status FindScans(Effects& e, const pg_query::Node& node, const std::map<Oid, LockMode>& named,
                       std::set<Oid>* scanned);

}  // namespace curlew::lint

#endif  // CURLEW_COMMON_LINT_QUERY_PLAN_H_
