// `--watch` of lists: printed again as they change.
#ifndef CURLEW_CLI_POLL_H_
#define CURLEW_CLI_POLL_H_

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/context.h"

namespace curlew::cli {

// A table whose rows have keys: what of the row is compared, so that an age that goes on is no change.
struct KeyedTable {
  // Headings and rows, rendered line by line; the first is the headings'.
  std::vector<std::string> lines;
  // For each line after the headings, what it says but for ages.
  std::vector<std::string> keys;
};

// Prints the whole table, then, every two seconds, the lines that are new or say something else. Ends with an
// error only: the first answer's, or one that lasts longer than five minutes.
absl::Status PrintChanges(Context& context, const std::function<absl::StatusOr<KeyedTable>()>& get);

// The lines of `now` to print after those with the keys of `before` were. Pure.
std::vector<std::string> ChangedLines(const std::set<std::string>& before, const KeyedTable& now);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_POLL_H_
