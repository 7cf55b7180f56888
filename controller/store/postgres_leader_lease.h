// The lease of a store in PostgreSQL: one row, judged by the server's clock.
#ifndef CURLEW_CONTROLLER_STORE_POSTGRES_LEADER_LEASE_H_
#define CURLEW_CONTROLLER_STORE_POSTGRES_LEADER_LEASE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "controller/store/leader_lease.h"
#include "controller/store/postgres_session.h"
#include "controller/store/store_location.h"

namespace curlew::store {

// A lease in table leader, over a connection of its own, so that it is renewed while the store is busy. The
// term stands in the row: instances with other settings judge a lease by its holder's. An instance whose
// lease has run out, but was taken by nobody, has it again under its epoch: nobody else has acted meanwhile.
class PostgresLeaderLease : public LeaderLease {
 public:
  // Connects, and makes the schema where there is none; one of an older version stays as it is, as an older
  // controller may lead. `name` is the store's for messages. FAILED_PRECONDITION where the store was written
  // by a newer version or is something else; UNAVAILABLE where it cannot be reached.
  static absl::StatusOr<std::unique_ptr<PostgresLeaderLease>> Open(const PostgresStoreOptions& options,
                                                                   const std::string& name,
                                                                   const LeaderIdentity& identity,
                                                                   absl::Duration term);

  absl::StatusOr<Leadership> Hold() override;
  void Release() override;
  absl::Duration term() const override { return term_; }

 private:
  PostgresLeaderLease(const PostgresStoreOptions& options, const std::string& name,
                      const LeaderIdentity& identity, absl::Duration term)
      : session_(options, name), identity_(identity), term_(term) {}

  PostgresSession session_;
  const LeaderIdentity identity_;
  const absl::Duration term_;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_POSTGRES_LEADER_LEASE_H_
