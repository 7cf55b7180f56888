#include "common/pki/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"

namespace curlew::pki {
namespace {

constexpr size_t kLargestFile = 1 << 20;
constexpr absl::Duration kPatience = absl::Seconds(10), kPause = absl::Milliseconds(20);

// An open file; -1 for none.
class File {
 public:
  explicit File(int fd) : fd_(fd) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

absl::Status Failed(absl::string_view what, const std::string& path, int error) {
  return base::WithDetail(absl::ErrnoToStatus(error, absl::StrCat("cannot ", what, " ", path)), base::kHint,
                          "check the path, and what this user may do there");
}

absl::Status Changed() {
  base::FaultPoint("pki");
  return absl::OkStatus();
}

bool WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

bool GiveRights(int fd, const Rights& rights) {
  struct stat now {};
  if (fstat(fd, &now) != 0) return false;
  const uid_t owner = rights.owner.value_or(now.st_uid);
  const gid_t group = rights.group.value_or(now.st_gid);
  // Before the mode: a change of the owner may take bits of it away.
  if ((owner != now.st_uid || group != now.st_gid) && fchown(fd, owner, group) != 0) {
    // Whose it is does not matter where everybody may read it.
    if ((rights.mode & S_IROTH) == 0) return false;
  }
  return fchmod(fd, rights.mode) == 0;
}

absl::Status CannotGiveRights(const std::string& path, const Rights& rights, int error) {
  return base::WithDetail(
      absl::ErrnoToStatus(error,
                          absl::StrFormat("cannot give %s to its user (%d:%d, mode %04o)", path,
                                          static_cast<int>(rights.owner.value_or(geteuid())),
                                          static_cast<int>(rights.group.value_or(getegid())), rights.mode)),
      base::kHint, "run the command as that user, or as root");
}

}  // namespace

absl::StatusOr<std::optional<struct stat>> Look(const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) == 0) return found;
  if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
  return Failed("look at", path, errno);
}

absl::StatusOr<std::string> ReadWhole(const std::string& path) {
  const File file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) return Failed("read", path, errno);
  std::string text;
  char buffer[1 << 14];
  while (true) {
    const ssize_t n = read(file.fd(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return Failed("read", path, errno);
    if (n == 0) return text;
    text.append(buffer, static_cast<size_t>(n));
    if (text.size() > kLargestFile) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " is larger than 1 MiB: it is no file of certificates"));
    }
  }
}

absl::StatusOr<std::string> ReadPrivate(const std::string& path, absl::string_view what) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0) return Failed("read", path, errno);
  if ((found.st_mode & S_IRWXO) != 0) {
    return base::WithDetail(
        absl::FailedPreconditionError(absl::StrFormat(
            "%s %s is open to every user of this machine (mode %04o)", what, path, found.st_mode & 07777)),
        base::kHint, absl::StrCat("if others may have read it, make a new one; else: chmod o-rwx ", path));
  }
  return ReadWhole(path);
}

absl::Status MakeFolder(const std::string& path, mode_t mode) {
  ASSIGN_OR_RETURN(const auto found, Look(path));
  if (found.has_value()) return absl::OkStatus();
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty() && parent != path) RETURN_IF_ERROR(MakeFolder(parent.string()));
  if (mkdir(path.c_str(), mode) != 0) {
    // Another was quicker, or `path` ends with a slash.
    if (errno == EEXIST) return absl::OkStatus();
    return Failed("make the folder", path, errno);
  }
  if (fchmodat(AT_FDCWD, path.c_str(), mode, AT_SYMLINK_NOFOLLOW) != 0) {
    return Failed("set the rights of", path, errno);
  }
  RETURN_IF_ERROR(Changed());
  return Sync(parent.empty() ? "." : parent.string());
}

absl::Status WriteNew(const std::string& path, absl::string_view text, const Rights& rights) {
  // Nobody else can open it before it has its rights and its text.
  constexpr mode_t kNobodyElse = 0600;
  File file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kNobodyElse));
  if (file.fd() < 0) return Failed("make", path, errno);
  RETURN_IF_ERROR(Changed());
  absl::Status status;
  if (!GiveRights(file.fd(), rights)) {
    status = CannotGiveRights(path, rights, errno);
  } else if (!WriteAll(file.fd(), text) || fsync(file.fd()) != 0 || close(file.Release()) != 0) {
    status = Failed("write", path, errno);
  }
  if (!status.ok()) {
    unlink(path.c_str());
    return status;
  }
  return Changed();
}

absl::Status SetRights(const std::string& path, const Rights& rights) {
  const File file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (file.fd() < 0) return Failed("open", path, errno);
  if (!GiveRights(file.fd(), rights)) return CannotGiveRights(path, rights, errno);
  return Changed();
}

absl::Status Move(const std::string& from, const std::string& to, Target target) {
  int failed = -1;
  if (target == Target::kAbsent) {
    failed = renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
    if (failed != 0 && (errno == EINVAL || errno == ENOSYS)) {
      // A file system that cannot do so (NFS): whoever changes the folder has its lock.
      ASSIGN_OR_RETURN(const auto found, Look(to));
      if (found.has_value()) return Failed("make", to, EEXIST);
      failed = rename(from.c_str(), to.c_str());
    }
  } else {
    failed = rename(from.c_str(), to.c_str());
  }
  if (failed != 0) return Failed("make", to, errno);
  RETURN_IF_ERROR(Changed());
  const std::filesystem::path folder = std::filesystem::path(to).parent_path();
  return Sync(folder.empty() ? "." : folder.string());
}

absl::Status MakeLink(const std::string& to, const std::string& path) {
  if (symlink(to.c_str(), path.c_str()) != 0) return Failed("make the link", path, errno);
  return Changed();
}

std::optional<std::string> ReadLink(const std::string& path) {
  std::error_code none;
  const std::filesystem::path to = std::filesystem::read_symlink(path, none);
  if (none) return std::nullopt;
  return to.string();
}

absl::Status Remove(const std::string& path) {
  ASSIGN_OR_RETURN(const auto found, Look(path));
  if (!found.has_value()) return absl::OkStatus();
  if (!S_ISDIR(found->st_mode)) {
    if (unlink(path.c_str()) != 0) return Failed("remove", path, errno);
    return Changed();
  }
  File folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (folder.fd() < 0) return Failed("open the folder", path, errno);
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(folder.fd()), &closedir);
  if (entries == nullptr) return Failed("open the folder", path, errno);
  const int fd = folder.Release();  // `entries` closes it
  while (const dirent* entry = readdir(entries.get())) {
    const absl::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (unlinkat(fd, entry->d_name, 0) != 0) return Failed("remove", absl::StrCat(path, "/", name), errno);
    RETURN_IF_ERROR(Changed());
  }
  if (rmdir(path.c_str()) != 0) return Failed("remove", path, errno);
  return Changed();
}

absl::Status Sync(const std::string& folder) {
  const File file(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (file.fd() < 0) return Failed("open the folder", folder, errno);
  // Some file systems have nothing to bring to the disk.
  if (fsync(file.fd()) != 0 && errno != EINVAL) return Failed("sync the folder", folder, errno);
  return absl::OkStatus();
}

absl::StatusOr<FolderLock> FolderLock::Take(const std::string& folder) {
  const std::string path = absl::StrCat(folder, "/.lock");
  constexpr mode_t kOwnersFile = 0600;
  File file(open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, kOwnersFile));
  if (file.fd() < 0) return Failed("make", path, errno);
  struct stat owner {};
  // Who owns the folder can take the lock, too, after root has made it.
  if (stat(folder.c_str(), &owner) == 0 && geteuid() == 0) {
    const Rights rights{.mode = kOwnersFile, .owner = owner.st_uid, .group = owner.st_gid};
    if (!GiveRights(file.fd(), rights)) return CannotGiveRights(path, rights, errno);
  }
  const absl::Time until = absl::Now() + kPatience;
  while (flock(file.fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return Failed("lock", path, errno);
    if (absl::Now() >= until) {
      return base::WithDetail(
          absl::UnavailableError(absl::StrCat("another curlew pki is at work in ", folder)), base::kHint,
          "wait until it is done, and repeat the command");
    }
    absl::SleepFor(kPause);
  }
  return FolderLock(file.Release());
}

FolderLock::FolderLock(FolderLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

FolderLock::~FolderLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace curlew::pki
