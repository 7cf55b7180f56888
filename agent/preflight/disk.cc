#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "agent/preflight/looks.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// What the steps may write, at most, by the sizes that the tables have now: each row once more for a walk,
// with as much WAL, which standbys and the archive may keep; an index half as large as its heap; a whole
// table where one is rewritten.
int64_t BytesNeeded(const PlanNeeds& needs, const std::map<std::string, TableFacts>& facts) {
  int64_t bytes = 0;
  for (const auto& [name, fact] : facts) {
    const TableNeeds& table = needs.tables.at(name);
    bytes += table.walks * 2 * fact.heap_bytes + table.index_builds * (fact.heap_bytes / 2);
    if (table.rewrites) bytes += fact.table_bytes + fact.index_bytes;
  }
  return bytes;
}

}  // namespace

absl::Status LookAtDisk(const Look& look, Findings* findings) {
  ASSIGN_OR_RETURN(const auto facts, ReadTableFacts(look.connection, NamesOf(look.needs)));
  const int64_t needed = BytesNeeded(look.needs, facts);
  if (needed == 0) return absl::OkStatus();
  const std::string& folder = look.options.backups.data_directory;
  if (folder.empty()) {
    findings->Info(absl::StrCat("the steps may write up to ", Bytes(needed),
                                ", and the agent does not see how much room the database has"),
                   "look at the disk; where the agent runs beside the server, tell it where "
                   "(backups: data_directory: /PATH in the file that --config names)");
    return absl::OkStatus();
  }
  struct statvfs disk = {};
  if (statvfs(folder.c_str(), &disk) != 0)
    return absl::NotFoundError(absl::StrCat("data_directory ", folder, ": ", std::strerror(errno)));
  const int64_t free = static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
  const std::string seen = absl::StrCat("the steps may write up to ", Bytes(needed), ", and ", folder,
                                        " has ", Bytes(free), " free");
  const std::string hint = "make room first: a server whose disk is full stops";
  if (free < needed / 4) {
    findings->Error(seen, hint);
  } else if (free < needed) {
    findings->Warning(seen, hint);
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
