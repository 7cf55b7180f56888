#include "controller/store/postgres_location.h"

#include "common/base/status_macros.h"
#include "controller/store/postgres_leader_lease.h"
#include "controller/store/postgres_rollout_store.h"

namespace curlew::store {

absl::StatusOr<std::unique_ptr<LeaderLease>> PostgresLocation::OpenLease(const LeaderIdentity& identity) {
  options_.instance = identity.instance;
  ASSIGN_OR_RETURN(auto lease, PostgresLeaderLease::Open(options_, name_, identity, lease_term_));
  return lease;
}

absl::StatusOr<std::unique_ptr<RolloutStore>> PostgresLocation::OpenStore(int64_t epoch) {
  ASSIGN_OR_RETURN(auto store, PostgresRolloutStore::Open(options_, name_, {epoch, options_.instance}));
  return store;
}

absl::Status PostgresLocation::Backup(const std::string&) { return absl::UnimplementedError("to come"); }
absl::Status PostgresLocation::Restore(const std::string&) { return absl::UnimplementedError("to come"); }
absl::StatusOr<std::string> PostgresLocation::Check() { return absl::UnimplementedError("to come"); }
absl::StatusOr<std::string> PostgresLocation::Migrate() { return absl::UnimplementedError("to come"); }

}  // namespace curlew::store
