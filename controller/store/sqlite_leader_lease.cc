#include "controller/store/sqlite_leader_lease.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace curlew::store {
namespace {

// The file is always written whole, and filled up to one size: nobody reads half of an older content.
constexpr size_t kFileSize = 1024;
constexpr size_t kLongestField = 256;

struct Content {
  int64_t epoch = 0;
  std::string address;
  std::string pid;
};

Content Read(int fd) {
  std::string text(kFileSize, '\0');
  const ssize_t size = pread(fd, text.data(), text.size(), 0);
  text.resize(size < 0 ? 0 : size);
  Content content;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, "epoch ")) (void)absl::SimpleAtoi(line, &content.epoch);
    if (absl::ConsumePrefix(&line, "address ")) content.address = std::string(line);
    if (absl::ConsumePrefix(&line, "pid ")) content.pid = std::string(line);
  }
  return content;
}

// One line of it.
std::string Field(const std::string& value) {
  std::string field(base::Utf8Prefix(value, kLongestField));
  for (char& c : field) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return field;
}

bool Write(int fd, int64_t epoch, const std::string& address, const std::string& instance) {
  std::string text =
      absl::StrCat("Held by a curlew-controller while it runs. Do not remove.\nepoch ", epoch, "\naddress ",
                   Field(address), "\npid ", address.empty() && instance.empty() ? 0 : getpid(),
                   "\ninstance ", Field(instance), "\n");
  text.resize(kFileSize, '\n');
  return pwrite(fd, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
}

absl::Status Failed(const std::string& path, const char* what, int error) {
  constexpr char kHint[] = "its folder must exist, have room, and be writable for the controller's user";
  return base::WithDetail(
      base::WithDetail(absl::UnavailableError(absl::StrCat("the store's lock ", path, " cannot be ", what,
                                                           ": ", strerror(error), "; ", kHint)),
                       base::kReason, "STORE_NOT_ACCESSIBLE"),
      base::kHint, kHint);
}

// Whether `fd` is still what stands under `path`.
bool IsFileAt(int fd, const std::string& path) {
  struct stat ours, there;
  return fstat(fd, &ours) == 0 && stat(path.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
         ours.st_dev == there.st_dev;
}

}  // namespace

absl::StatusOr<Leadership> SqliteLeaderLease::Hold() {
  if (fd_ >= 0) {
    if (IsFileAt(fd_, path_)) return Leadership{.mine = true, .epoch = epoch_, .address = identity_.address};
    // Where it is taken again at once, it is under another epoch, and this time the answer is no.
    close(std::exchange(fd_, -1));
    return Leadership{.mine = false, .epoch = epoch_, .address = ""};
  }
  return Take();
}

absl::StatusOr<Leadership> SqliteLeaderLease::Take() {
  const int fd = open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return Failed(path_, "opened", errno);
  absl::Cleanup close_fd = [fd] { close(fd); };
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failed(path_, "locked", errno);
    const Content other = Read(fd);
    return Leadership{.mine = false, .epoch = other.epoch, .address = other.address};
  }
  const int64_t epoch = std::max(Read(fd).epoch, epoch_) + 1;
  // Somebody removed it between opening and locking: the next call takes what is there then.
  if (!IsFileAt(fd, path_)) return Leadership{.mine = false, .epoch = epoch_, .address = ""};
  if (!Write(fd, epoch, identity_.address, identity_.instance)) return Failed(path_, "written", errno);
  std::move(close_fd).Cancel();
  fd_ = fd;
  epoch_ = epoch;
  return Leadership{.mine = true, .epoch = epoch_, .address = identity_.address};
}

void SqliteLeaderLease::Release() {
  if (fd_ < 0) return;
  (void)Write(fd_, epoch_, "", "");
  close(std::exchange(fd_, -1));
}

}  // namespace curlew::store
