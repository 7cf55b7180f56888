// The file that `--config` names.
#ifndef CURLEW_AGENT_CONFIG_FILE_H_
#define CURLEW_AGENT_CONFIG_FILE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/backup/backup_config.h"
#include "agent/checks/check_config.h"
#include "agent/verify/trust.h"

namespace curlew::agent {

// What this agent offers to its controllers, by name.
struct AgentConfig {
  CheckConfigs checks;
  // As which role checks and throttle queries are made, and backup commands connect; not quoted; "" for the
  // agent's own.
  std::string check_role;
  BackupConfig backups;
  // Whom the agent believes; nothing where it does whatever its controller says.
  std::optional<Trust> trust;
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
//   trust:
//     environment: NAME
//     plan_keys: {NAME: KEY}
//     approver_keys: {NAME: KEY}
//     drop_approvals: NUMBER
//
// INVALID_ARGUMENT with "FILE:LINE:COLUMN: what is wrong; what would be right" for anything else: unknown
// names, keys given twice, checks that are not one SELECT, paths that are not absolute, programs that are not
// there, trust that is not whole (CheckTrust). `file` is only for messages.
absl::StatusOr<AgentConfig> ReadConfig(absl::string_view text, absl::string_view file);

// The same from a file. NOT_FOUND where it cannot be read.
absl::StatusOr<AgentConfig> ReadConfigFile(const std::string& path);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_CONFIG_FILE_H_
