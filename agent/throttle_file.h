// The file that `--throttle` names.
#ifndef CURLEW_AGENT_THROTTLE_FILE_H_
#define CURLEW_AGENT_THROTTLE_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/guard/throttle_config.h"

namespace curlew::agent {

// Reads one YAML mapping; all of it may be left out:
//
//   limits: {NAME: NUMBER|off, ...}                              signals of docs/throttle.md
//   checks: [{name: NAME, sql: SELECT, limit: NUMBER, required: true|false}, ...]
//   disk_path: /PATH
//   max_workers: NUMBER
//
// INVALID_ARGUMENT with "FILE:LINE:COLUMN: what is wrong; what would be right" for anything else: unknown
// names, keys given twice, checks that are not one SELECT, limits that are not above 0, a disk_path that is
// not here. `file` is only for messages.
absl::StatusOr<ThrottleConfig> ReadThrottle(absl::string_view text, absl::string_view file);

// The same from a file. NOT_FOUND where it cannot be read.
absl::StatusOr<ThrottleConfig> ReadThrottleFile(const std::string& path);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_THROTTLE_FILE_H_
