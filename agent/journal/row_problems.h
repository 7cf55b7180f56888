// Rows that steps could not write, as the journal has them.
#ifndef CURLEW_AGENT_JOURNAL_ROW_PROBLEMS_H_
#define CURLEW_AGENT_JOURNAL_ROW_PROBLEMS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/pg/connection.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::agent {

// Some of a run's rows.
struct RowProblems {
  // The newest first. Keys and messages are cut where they are very long, so that a thousand fit a message.
  std::vector<v1::RowProblem> problems;
  // How many there are in all.
  int64_t total = 0;
};

// The newest `limit` rows that steps of `run` could not write, whatever became of them. Errors as in
// common/pg/error.h. The connection is used, not kept.
absl::StatusOr<RowProblems> ReadRowProblems(pg::Connection* connection, const std::string& run, int limit);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_JOURNAL_ROW_PROBLEMS_H_
