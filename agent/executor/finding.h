// What a look at data found, and how it is told.
#ifndef CURLEW_AGENT_EXECUTOR_FINDING_H_
#define CURLEW_AGENT_EXECUTOR_FINDING_H_

#include <string>
#include <vector>

#include "absl/status/status.h"

namespace curlew::agent {

// How many keys of rows a finding names at most.
inline constexpr int kMostKeys = 10;
// How many rows a finding names at most on which an expression fails; each costs another look at its
// surroundings.
inline constexpr int kMostFailingRows = 3;

// Something that does not hold.
struct Finding {
  std::string description;
  // "3 rows".
  std::string what;
  std::string hint;
  std::vector<std::string> keys;
  // Whether the rows are only pending: filling them mends it.
  bool mendable = false;
};

// FAILED_PRECONDITION that tells all of them, with keys and hints as details.
absl::Status ToStatus(const std::vector<Finding>& findings);

// What is to be said of an expression that fails with `failure`; what PostgreSQL says of a row may quote its
// values, and is left out unless `quotes`.
std::string CannotBeComputed(const absl::Status& failure, bool some_rows, bool quotes);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_FINDING_H_
