// Who holds the locks that a step wants.
#ifndef CURLEW_AGENT_GUARD_LOCK_WATCH_H_
#define CURLEW_AGENT_GUARD_LOCK_WATCH_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/pg/connection.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// A transaction that holds a lock which conflicts with one that is wanted.
struct LockHolder {
  enum class Kind {
    kSession,
    // Cancelled by the server when it stands in the way of a lock for deadlock_timeout.
    kAutovacuum,
    // An autovacuum against wraparound: never cancelled.
    kWraparoundVacuum,
    kPreparedTransaction,
  };
  Kind kind = Kind::kSession;
  int pid = 0;
  std::string application_name;
  std::string user;
  std::string state;  // as pg_stat_activity: "active", "idle in transaction"
  absl::Duration in_state;
  absl::Duration transaction_age;
  std::string table;
  std::string mode;
};

// The transactions that hold locks in conflict with `wanted` on these tables or their partitions, the oldest
// first. Tables that do not exist are held by nobody. Errors as in common/pg/error.h.
absl::StatusOr<std::vector<LockHolder>> FindLockHolders(pg::Connection* connection,
                                                        const std::vector<v1::TableLock>& wanted);

// For people: `public.contacts is held by pid 123 (application "crm", user bob), idle in transaction for
// 12s`.
std::string Describe(const LockHolder& holder);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_LOCK_WATCH_H_
