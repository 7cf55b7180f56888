// Finds the one row that makes a statement over many fail.
#ifndef CURLEW_AGENT_ATTEMPT_ROW_FINDER_H_
#define CURLEW_AGENT_ATTEMPT_ROW_FINDER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/journal/journal.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// A place in a heap as one number: block * 65536 + offset. Ranges are half open.
using TidNumber = int64_t;
constexpr TidNumber FirstTid(int64_t block) { return block << 16; }
// "(block,offset)".
std::string TidText(TidNumber tid);
// "t.ctid >= '(..)'::tid AND t.ctid < '(..)'::tid".
std::string TidRangeSql(TidNumber from, TidNumber to);

// The first place in [from, to) that makes `probe` fail because of the work (common/pg/error.h), by halving:
// about 16 + log2(blocks) probes. Nothing where the whole range passes. Other failures of `probe` are
// returned. What `probe` said of the place that was found is stored in `failure`. Pure but for `probe`.
absl::StatusOr<std::optional<TidNumber>> FindFailingTid(
    TidNumber from, TidNumber to, const std::function<absl::Status(TidNumber, TidNumber)>& probe,
    absl::Status* failure);

// The name for people of the row of which `condition` (over t) holds: "contacts (id)=(42)", by primary key,
// else by `place`. Errors as in common/pg/error.h.
absl::StatusOr<std::string> RowKey(pg::Connection* connection, const Leaf& leaf, const std::string& condition,
                                   const std::string& place);
// The same of the row at a place, by ctid where there is no key.
absl::StatusOr<std::string> RowKey(pg::Connection* connection, const Leaf& leaf, TidNumber tid);

// Which of `expressions` (over the row as t) fails on the row of which `condition` holds; -1 where none does.
// `setup` is run first in the transaction, which is rolled back.
absl::StatusOr<int> FailingExpression(pg::Connection* connection, const std::string& setup, const Leaf& leaf,
                                      const std::string& condition,
                                      const std::vector<std::string>& expressions);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_ATTEMPT_ROW_FINDER_H_
