// What an agent may make backups with. No command line ever comes from a controller: steps name commands.
#ifndef CURLEW_AGENT_BACKUP_BACKUP_CONFIG_H_
#define CURLEW_AGENT_BACKUP_BACKUP_CONFIG_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace curlew::agent {

// A command of the agent's configuration.
struct BackupCommandConfig {
  // The program, an absolute path, and its arguments.
  std::vector<std::string> argv;
  absl::Duration timeout = absl::Hours(1);
  // Whether it gets libpq's variables (PGHOST, PGPASSWORD, ...) for the target; where the configuration has a
  // check_role, its sessions begin as that one.
  bool connection = false;
};

// A value.
struct BackupConfig {
  // Where dumps go, an absolute path; "" for nowhere.
  std::string directory;
  // pg_dump, an absolute path; "" to look for one.
  std::string pg_dump;
  // The server's data directory as this machine sees it; "" where it does not.
  std::string data_directory;
  std::map<std::string, BackupCommandConfig> commands;
  // The role as which commands with a connection begin their sessions; "" for the agent's own.
  std::string role;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKUP_BACKUP_CONFIG_H_
