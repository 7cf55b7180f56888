// The file that `--config` names.
#ifndef CURLEW_AGENT_CONFIG_FILE_H_
#define CURLEW_AGENT_CONFIG_FILE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/backup/backup_config.h"
#include "agent/checks/check_config.h"

namespace curlew::agent {

// What this agent offers to its controllers, by name.
struct AgentConfig {
  CheckConfigs checks;
  // As which role checks and throttle queries are made, and backup commands connect; not quoted; "" for the
  // agent's own.
  std::string check_role;
  BackupConfig backups;
};

// Reads one YAML mapping; all of it may be left out:
//
//   checks:
//     NAME: {sql: SELECT, timeout: 10s}
//   check_role: NAME
//   backups:
//     directory: /PATH
//     pg_dump: /PATH
//     data_directory: /PATH
//     commands:
//       NAME: {argv: [/PROGRAM, ARGUMENT, ...], timeout: 1h, connection: true|false}
//
// INVALID_ARGUMENT with "FILE:LINE:COLUMN: what is wrong; what would be right" for anything else: unknown
// names, keys given twice, checks that are not one SELECT, paths that are not absolute, programs that are not
// there. `file` is only for messages.
absl::StatusOr<AgentConfig> ReadConfig(absl::string_view text, absl::string_view file);

// The same from a file. NOT_FOUND where it cannot be read.
absl::StatusOr<AgentConfig> ReadConfigFile(const std::string& path);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_CONFIG_FILE_H_
