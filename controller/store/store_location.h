// What --store names, and all that can be done with it.
#ifndef CURLEW_CONTROLLER_STORE_STORE_LOCATION_H_
#define CURLEW_CONTROLLER_STORE_STORE_LOCATION_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "controller/store/leader_lease.h"
#include "controller/store/rollout_store.h"

namespace curlew::store {

// Who asks for a lease.
struct LeaderIdentity {
  std::string instance;  // random, of this process
  std::string address;   // where it can be reached; for people and logs
};

// A place where a store is or may be. Touches nothing until a method is called. Not thread-safe.
class StoreLocation {
 public:
  virtual ~StoreLocation() = default;

  // `url` is "sqlite:///absolute/path", "sqlite:relative/path", a bare path (SQLite too), or
  // "postgresql://..." / "postgres://..." as libpq reads it. `lease_term` counts for PostgreSQL.
  // INVALID_ARGUMENT for another scheme, never showing what stands behind "://" (it may hold a password).
  static absl::StatusOr<std::unique_ptr<StoreLocation>> Parse(const std::string& url,
                                                              absl::Duration lease_term);

  // For logs and errors: the URL without a password.
  virtual std::string Name() const = 0;

  // The lease of the store. A schema of an older version stays as it is, because an older controller may
  // lead: whoever leads next brings it up to date. FAILED_PRECONDITION where the store was written by a newer
  // version or is a database of something else; UNAVAILABLE where it cannot be reached; DATA_LOSS where it is
  // damaged.
  virtual absl::StatusOr<std::unique_ptr<LeaderLease>> OpenLease(const LeaderIdentity& identity) = 0;

  // The store, for the leader of `epoch`; its schema is made or brought up to date first. Every commit fails
  // with ABORTED and base::kReason kNotLeader once another leads. Where a lease was opened here before, only
  // its instance may commit. Errors as OpenLease.
  virtual absl::StatusOr<std::unique_ptr<RolloutStore>> OpenStore(int64_t epoch) = 0;

  // --- What `curlew-controller store ...` does. Safe beside a controller that runs; Restore, and Migrate
  // where there is something to do, take the lease: FAILED_PRECONDITION where a controller leads. ---

  // Writes all that is in the store, of one moment, to the new file `path`: the same form for every kind of
  // store. ALREADY_EXISTS where the file is there.
  virtual absl::Status Backup(const std::string& path) = 0;
  // Makes the store, which must be empty, what the backup holds. FAILED_PRECONDITION where it is not empty;
  // DATA_LOSS where the backup is damaged (it carries a digest). All or nothing.
  virtual absl::Status Restore(const std::string& path) = 0;
  // What the store holds, in lines for people, after reading every row of it. DATA_LOSS with what is damaged.
  virtual absl::StatusOr<std::string> Check() = 0;
  // Brings the schema up to date; returns what was done, for people. Never makes a store where none is:
  // NOT_FOUND then, as for Backup and Check.
  virtual absl::StatusOr<std::string> Migrate() = 0;
};

// base::kReason of a commit by a process that does not lead any more.
inline constexpr absl::string_view kNotLeader = "NOT_LEADER";

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_STORE_LOCATION_H_
