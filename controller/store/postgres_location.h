// A store in a PostgreSQL database, as a place.
#ifndef CURLEW_CONTROLLER_STORE_POSTGRES_LOCATION_H_
#define CURLEW_CONTROLLER_STORE_POSTGRES_LOCATION_H_

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "controller/store/postgres_session.h"
#include "controller/store/store_location.h"

namespace curlew::store {

// See StoreLocation.
class PostgresLocation : public StoreLocation {
 public:
  // `name` is Name().
  PostgresLocation(std::string url, std::string name, absl::Duration lease_term)
      : options_{.url = std::move(url)}, name_(std::move(name)), lease_term_(lease_term) {}

  std::string Name() const override { return name_; }
  absl::StatusOr<std::unique_ptr<LeaderLease>> OpenLease(const LeaderIdentity& identity) override;
  absl::StatusOr<std::unique_ptr<RolloutStore>> OpenStore(int64_t epoch) override;
  absl::Status Backup(const std::string& path) override;
  absl::Status Restore(const std::string& path) override;
  absl::StatusOr<std::string> Check() override;
  absl::StatusOr<std::string> Migrate() override;

 private:
  PostgresStoreOptions options_;
  const std::string name_;
  const absl::Duration lease_term_;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_POSTGRES_LOCATION_H_
