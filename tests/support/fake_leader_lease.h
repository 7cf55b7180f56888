// A LeaderLease in memory that behaves like PostgreSQL's, by a clock of the test's.
#ifndef CURLEW_TESTS_SUPPORT_FAKE_LEADER_LEASE_H_
#define CURLEW_TESTS_SUPPORT_FAKE_LEADER_LEASE_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/status_macros.h"
#include "controller/store/leader_lease.h"
#include "controller/store/store_location.h"

namespace curlew::testing {

// What the leases of one store share. Not thread-safe.
struct FakeLeader {
  int64_t epoch = 0;
  std::string instance;
  std::string address;
  absl::Time until = absl::InfinitePast();
  // Every call of every lease fails with it, unless it is OK.
  absl::Status failure;
};

// Not thread-safe, as the contract says. `leader` and `clock` must outlive it.
class FakeLeaderLease : public store::LeaderLease {
 public:
  FakeLeaderLease(FakeLeader* leader, const base::Clock* clock, store::LeaderIdentity identity,
                  absl::Duration term)
      : leader_(leader), clock_(clock), identity_(std::move(identity)), term_(term) {}

  absl::StatusOr<store::Leadership> Hold() override {
    RETURN_IF_ERROR(leader_->failure);
    const absl::Time now = clock_->Now();
    const bool mine = leader_->instance == identity_.instance;
    if (!mine && now <= leader_->until) {
      return store::Leadership{.mine = false, .epoch = leader_->epoch, .address = leader_->address};
    }
    if (!mine) ++leader_->epoch;
    leader_->instance = identity_.instance;
    leader_->address = identity_.address;
    leader_->until = now + term_;
    return store::Leadership{.mine = true, .epoch = leader_->epoch, .address = leader_->address};
  }

  void Release() override {
    if (!leader_->failure.ok() || leader_->instance != identity_.instance) return;
    leader_->instance.clear();
    leader_->address.clear();
    leader_->until = absl::InfinitePast();
  }

  absl::Duration term() const override { return term_; }

 private:
  FakeLeader* const leader_;
  const base::Clock* const clock_;
  const store::LeaderIdentity identity_;
  const absl::Duration term_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_SUPPORT_FAKE_LEADER_LEASE_H_
