// The migrations of the stores, as the binaries carry them.
#ifndef CURLEW_CONTROLLER_STORE_MIGRATION_H_
#define CURLEW_CONTROLLER_STORE_MIGRATION_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace curlew::store {

// One migration, from its three embedded files.
struct Migration {
  int version = 0;
  std::string name;  // "0001_store"
  absl::string_view up;
  absl::string_view down;
  absl::string_view verify;
};

// The migrations in `folder` of migrations/ ("controller" for SQLite, "controller_postgres"), from version 1
// on, without a gap.
std::vector<Migration> MigrationsIn(absl::string_view folder);

// FAILED_PRECONDITION where `version`, that of `store` (its name), is above `newest`.
absl::Status CheckNotNewer(absl::string_view store, int version, int newest);

// FAILED_PRECONDITION for `store` (its name), that holds something else than a store, as `because` says.
absl::Status NotAStore(absl::string_view store, absl::string_view because);

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_MIGRATION_H_
