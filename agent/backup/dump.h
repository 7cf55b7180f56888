// A dump of tables as a file.
#ifndef CURLEW_AGENT_BACKUP_DUMP_H_
#define CURLEW_AGENT_BACKUP_DUMP_H_

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/backup/pg_dump.h"
#include "agent/guard/cancel_token.h"

namespace curlew::agent {

// What to dump.
struct DumpOptions {
  PgDumpProgram program;
  // Qualified, quoted names, partitions too.
  std::vector<std::string> tables;
  // What pg_dump connects by (pg::Environment), and all else of its environment.
  std::map<std::string, std::string> environment;
  // Where to: an absolute path. Its folder is made where it is not there, for the agent's user alone.
  std::string path;
  // What has to be free on the disk before it begins.
  int64_t bytes_needed = 0;
  // Called about once a second with what has been written; may be empty.
  std::function<void(int64_t bytes)> progress;
};

// A file that is complete and on the disk.
struct DumpFile {
  int64_t bytes = 0;
  std::string sha256;
};

// Writes "PATH.partial", makes sure that it is on the disk, and renames it: PATH is complete whenever it is
// there. Leftovers of an earlier try are replaced; a try that fails leaves none. FAILED_PRECONDITION with
// base::kHint where the disk has no room, or the folder cannot be written to; ABORTED where pg_dump fails;
// CANCELLED, with pg_dump killed.
absl::StatusOr<DumpFile> MakeDump(const DumpOptions& options, const CancelToken& cancel);

// What is in the file. NOT_FOUND where there is none; CANCELLED; UNAVAILABLE where it cannot be read.
absl::StatusOr<DumpFile> ReadDump(const std::string& path, const CancelToken& cancel);

// FAILED_PRECONDITION with base::kHint unless files can be written to `directory`, which is made where it is
// not there.
absl::Status CheckWritable(const std::string& directory);
// Bytes that the agent's user may still write there. UNAVAILABLE.
absl::StatusOr<int64_t> FreeBytes(const std::string& directory);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BACKUP_DUMP_H_
