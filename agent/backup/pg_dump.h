// pg_dump: which one, and what it is told.
#ifndef CURLEW_AGENT_BACKUP_PG_DUMP_H_
#define CURLEW_AGENT_BACKUP_PG_DUMP_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/backup/backup_config.h"
#include "agent/guard/cancel_token.h"

namespace curlew::agent {

// A pg_dump that can be run.
struct PgDumpProgram {
  std::string path;
  // Of its version: 15.
  int major = 0;
};

// The one that the configuration names, else the newest of PATH and /usr/lib/postgresql/*/bin whose major
// version is `server_major` or newer: an older one refuses the server. FAILED_PRECONDITION with base::kHint
// where there is none; CANCELLED.
absl::StatusOr<PgDumpProgram> FindPgDump(const BackupConfig& config, int server_major,
                                         const CancelToken& cancel);

// Its arguments for a dump of these tables (qualified, quoted names) and nothing else, into `file`. No name
// is taken for a pattern or an option. INVALID_ARGUMENT for a name that is none.
absl::StatusOr<std::vector<std::string>> PgDumpArguments(const PgDumpProgram& program,
                                                         const std::vector<std::string>& tables,
                                                         const std::string& file);

// The file of a dump: "DIRECTORY/TARGET/ROLLOUT-STEP-ATTEMPT.dump", whatever odd characters the names hold.
// `run` is "rollouts/ROLLOUT/runs/TARGET". Each attempt has its own: one that was frozen and replaced must
// not write over what its successor has journalled.
std::string DumpPath(const std::string& directory, const std::string& target, const std::string& run,
                     const std::string& step, int attempt);

// "'it''s'" as a shell has it; unchanged where nothing has to be quoted.
std::string ShellQuoted(const std::string& word);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKUP_PG_DUMP_H_
