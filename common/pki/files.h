// Files and folders that a crash at any moment leaves whole: new ones appear all at once, with the rights
// that they are to have whatever the umask says, and are on the disk when a function returns. Errors say what
// could not be done with which path: NOT_FOUND, PERMISSION_DENIED, or what else the system says. What changes
// rights or removes follows no link, so that root can work in a folder of another user's. Each change of the
// disk passes the fault point "pki".
#ifndef CURLEW_COMMON_PKI_FILES_H_
#define CURLEW_COMMON_PKI_FILES_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace curlew::pki {

// Whose a file is, and who may do what with it. That a file becomes another's can fail (PERMISSION_DENIED);
// it is no error where everybody may read the file.
struct Rights {
  mode_t mode = 0;
  // As the process makes files, where absent.
  std::optional<uid_t> owner;
  std::optional<gid_t> group;
};

// What is at a path itself, links not followed; nullopt where nothing is.
absl::StatusOr<std::optional<struct stat>> Look(const std::string& path);

// The whole of a file of at most 1 MiB.
absl::StatusOr<std::string> ReadWhole(const std::string& path);

// The same of a private key, or of another secret, which `what` calls it. FAILED_PRECONDITION with
// base::kHint where users other than the owner and the group may read it.
absl::StatusOr<std::string> ReadPrivate(const std::string& path, absl::string_view what = "the private key");

// Makes the folder with that mode, and those that it is in for the owner alone; nothing where it is there.
inline constexpr mode_t kOwnersFolder = 0700, kOpenFolder = 0755;
absl::Status MakeFolder(const std::string& path, mode_t mode = kOwnersFolder);

// Makes `path`, in which nothing is, with that text. ALREADY_EXISTS.
absl::Status WriteNew(const std::string& path, absl::string_view text, const Rights& rights);

// Gives a file or folder its rights.
absl::Status SetRights(const std::string& path, const Rights& rights);

// Puts `from` in the place of `to`, which must not be there (ALREADY_EXISTS), or is replaced at once. Both in
// one folder.
enum class Target { kAbsent, kAny };
absl::Status Move(const std::string& from, const std::string& to, Target target);

// Makes the link `path` to `to`. ALREADY_EXISTS.
absl::Status MakeLink(const std::string& to, const std::string& path);
// Where a link leads; nullopt where there is no link.
std::optional<std::string> ReadLink(const std::string& path);

// Removes a file, a link, or a folder with the files in it; nothing where nothing is there.
absl::Status Remove(const std::string& path);

// Brings the names in a folder to the disk.
absl::Status Sync(const std::string& folder);

// Keeps others of this program out of a folder, by its file ".lock", while it lives. Movable.
class FolderLock {
 public:
  // Waits for another at most 10 s: UNAVAILABLE.
  static absl::StatusOr<FolderLock> Take(const std::string& folder);
  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&&) = delete;
  ~FolderLock();

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace curlew::pki

#endif  // CURLEW_COMMON_PKI_FILES_H_
