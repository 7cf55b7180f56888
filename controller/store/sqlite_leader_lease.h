// The lease of a store in a SQLite file: a lock of the kernel's, which ends with the process.
#ifndef CURLEW_CONTROLLER_STORE_SQLITE_LEADER_LEASE_H_
#define CURLEW_CONTROLLER_STORE_SQLITE_LEADER_LEASE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/store/leader_lease.h"
#include "controller/store/store_location.h"

namespace curlew::store {

// An exclusive flock on PATH.lock, beside the store's file at PATH. The kernel gives it to one process of the
// machine and takes it back when that ends, however it ends; a process that is stopped keeps it. So the lease
// has no term, and a commit needs no fence: who has lost the lock does not run any more. The file says who
// holds it, for people and for those who stand by, and counts the epochs; it is never removed. Must be on a
// local file system, as the store.
class SqliteLeaderLease : public LeaderLease {
 public:
  // `path` is the store's. Touches no file yet.
  SqliteLeaderLease(const std::string& path, const LeaderIdentity& identity)
      : path_(path + ".lock"), identity_(identity) {}
  // Gives it up.
  ~SqliteLeaderLease() override { Release(); }
  SqliteLeaderLease(const SqliteLeaderLease&) = delete;
  SqliteLeaderLease& operator=(const SqliteLeaderLease&) = delete;

  // UNAVAILABLE where the lock's file cannot be made or written. Not mine any more, too, where somebody has
  // removed the file: another process may have made a new one.
  absl::StatusOr<Leadership> Hold() override;
  void Release() override;
  absl::Duration term() const override { return absl::InfiniteDuration(); }

 private:
  absl::StatusOr<Leadership> Take();

  const std::string path_;
  const LeaderIdentity identity_;
  int fd_ = -1;  // open while this process has the lock
  int64_t epoch_ = 0;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_SQLITE_LEADER_LEASE_H_
