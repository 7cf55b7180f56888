// A store in a SQLite file, as a place.
#ifndef CURLEW_CONTROLLER_STORE_SQLITE_LOCATION_H_
#define CURLEW_CONTROLLER_STORE_SQLITE_LOCATION_H_

#include <memory>
#include <string>

#include "controller/store/store_location.h"

namespace curlew::store {

// See StoreLocation.
class SqliteLocation : public StoreLocation {
 public:
  explicit SqliteLocation(std::string path) : path_(std::move(path)) {}

  std::string Name() const override { return path_; }
  absl::StatusOr<std::unique_ptr<LeaderLease>> OpenLease(const LeaderIdentity& identity) override;
  absl::StatusOr<std::unique_ptr<RolloutStore>> OpenStore(int64_t epoch) override;
  absl::Status Backup(const std::string& path) override;
  absl::Status Restore(const std::string& path) override;
  absl::StatusOr<std::string> Check() override;
  absl::StatusOr<std::string> Migrate() override;

 private:
  const std::string path_;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_SQLITE_LOCATION_H_
