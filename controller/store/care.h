// What is the same in the care of every kind of store.
#ifndef CURLEW_CONTROLLER_STORE_CARE_H_
#define CURLEW_CONTROLLER_STORE_CARE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "controller/store/leader_lease.h"
#include "controller/store/store_location.h"

namespace curlew::store {

// A lease that somebody who works on a store by hand has, so that no controller begins meanwhile. Given up
// with the object.
class CareLease {
 public:
  // `doing` for whoever stands by: "store restore". FAILED_PRECONDITION where a controller leads.
  static absl::StatusOr<CareLease> Take(StoreLocation& location, absl::string_view doing);
  CareLease(CareLease&&) = default;
  ~CareLease() {
    if (lease_ != nullptr) lease_->Release();
  }

  int64_t epoch() const { return epoch_; }
  const std::string& instance() const { return instance_; }

 private:
  CareLease(std::unique_ptr<LeaderLease> lease, int64_t epoch, std::string instance)
      : lease_(std::move(lease)), epoch_(epoch), instance_(std::move(instance)) {}

  std::unique_ptr<LeaderLease> lease_;
  int64_t epoch_;
  std::string instance_;
};

// Whether the rows of the backup at `path` make sense. Errors as ReadBackup; DATA_LOSS as RowChecker.
absl::Status CheckBackup(const std::string& path);

// NOT_FOUND for the store called `name`.
absl::Status NoStore(absl::string_view name);
// FAILED_PRECONDITION for a restore into it.
absl::Status NotEmpty(absl::string_view name);

// What Migrate did, in words.
std::string Migrated(absl::string_view name, int from, int to);

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_CARE_H_
