#include "agent/backup/dump.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/backup/child_process.h"
#include "common/base/error_detail.h"
#include "common/base/hash.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

constexpr char kFolderHint[] =
    "make the folder, for the agent's user alone (mode 0700), or name another one in its configuration "
    "(backups: "
    "directory: /PATH; docs/backups.md)";

absl::Status Failed(const std::string& what, int error, absl::string_view hint) {
  return base::WithDetail(absl::FailedPreconditionError(absl::StrCat(what, ": ", std::strerror(error))),
                          base::kHint, hint);
}

// Nothing is known to be on the disk before.
absl::Status Sync(const std::string& path, int flags) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (fd < 0) return Failed(path, errno, kFolderHint);
  const int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  return error == 0 ? absl::OkStatus() : Failed(path, error, "look at the disk, then resume");
}

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

// With all folders above it.
absl::Status MakeFolder(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string folder = path.substr(0, end);
    if (mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return Failed(folder, errno, kFolderHint);
    if (end == std::string::npos) return absl::OkStatus();
  }
}

int64_t SizeOfFile(const std::string& path) {
  struct stat file = {};
  return stat(path.c_str(), &file) == 0 ? file.st_size : 0;
}

// Removes a file unless told that it is to stay.
class Leftover {
 public:
  explicit Leftover(std::string path) : path_(std::move(path)) {}
  ~Leftover() {
    if (!path_.empty()) unlink(path_.c_str());
  }
  void Stay() { path_.clear(); }

 private:
  std::string path_;
};

}  // namespace

absl::StatusOr<int64_t> FreeBytes(const std::string& directory) {
  struct statvfs disk = {};
  if (statvfs(directory.c_str(), &disk) != 0)
    return absl::UnavailableError(absl::StrCat(directory, ": ", std::strerror(errno)));
  return static_cast<int64_t>(disk.f_bavail) * static_cast<int64_t>(disk.f_frsize);
}

absl::Status CheckWritable(const std::string& directory) {
  RETURN_IF_ERROR(MakeFolder(directory));
  // Rights alone do not tell: the file system may be read-only, or the user root.
  std::string probe = absl::StrCat(directory, "/.curlew-XXXXXX");
  const int fd = mkostemp(probe.data(), O_CLOEXEC);
  if (fd < 0) return Failed(absl::StrCat("no file can be made in ", directory), errno, kFolderHint);
  close(fd);
  unlink(probe.c_str());
  return absl::OkStatus();
}

absl::StatusOr<DumpFile> ReadDump(const std::string& path, const CancelToken& cancel) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    const std::string what = absl::StrCat(path, ": ", std::strerror(errno));
    return errno == ENOENT ? absl::NotFoundError(what) : absl::UnavailableError(what);
  }
  base::Sha256 hash;
  DumpFile file;
  std::array<char, 256 * 1024> buffer;
  absl::Status status = cancel.Check();
  while (status.ok()) {
    const ssize_t bytes = read(fd, buffer.data(), buffer.size());
    if (bytes == 0) break;
    if (bytes < 0) {
      if (errno != EINTR) status = absl::UnavailableError(absl::StrCat(path, ": ", std::strerror(errno)));
      continue;
    }
    hash.Add(absl::string_view(buffer.data(), static_cast<size_t>(bytes)));
    file.bytes += bytes;
    status = cancel.Check();
  }
  close(fd);
  RETURN_IF_ERROR(status);
  file.sha256 = hash.Hex();
  return file;
}

absl::StatusOr<DumpFile> MakeDump(const DumpOptions& options, const CancelToken& cancel) {
  const std::string folder = FolderOf(options.path);
  RETURN_IF_ERROR(CheckWritable(folder));
  const std::string partial = absl::StrCat(options.path, ".partial");
  unlink(partial.c_str());
  ASSIGN_OR_RETURN(const int64_t free, FreeBytes(folder));
  if (free < options.bytes_needed) {
    return base::WithDetail(
        absl::FailedPreconditionError(absl::StrCat("the dump may need ", options.bytes_needed >> 20,
                                                   " MB, as much as the tables, and ", folder, " has ",
                                                   free >> 20, " MB free")),
        base::kHint, "make room there, or name another folder in the agent's configuration, then resume");
  }
  ASSIGN_OR_RETURN(std::vector<std::string> argv, PgDumpArguments(options.program, options.tables, partial));
  ChildOptions child{.argv = std::move(argv), .environment = options.environment};
  if (options.progress) child.tick = [&] { options.progress(SizeOfFile(partial)); };
  Leftover leftover(partial);
  ASSIGN_OR_RETURN(const ChildResult ended, RunChild(child, cancel));
  if (ended.exit_code != 0) {
    return base::WithDetail(absl::AbortedError(absl::StrCat("pg_dump failed with exit code ", ended.exit_code,
                                                            ": ", ended.LastWords())),
                            base::kHint, "mend what it says, then resume");
  }
  RETURN_IF_ERROR(Sync(partial, 0));
  ASSIGN_OR_RETURN(DumpFile file, ReadDump(partial, cancel));
  if (rename(partial.c_str(), options.path.c_str()) != 0) return Failed(options.path, errno, kFolderHint);
  leftover.Stay();
  RETURN_IF_ERROR(Sync(folder, O_DIRECTORY));
  return file;
}

}  // namespace curlew::agent
