#include "controller/store/care.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/base/id.h"
#include "common/base/status_macros.h"
#include "controller/store/backup.h"
#include "controller/store/row_checker.h"

namespace curlew::store {

absl::StatusOr<CareLease> CareLease::Take(StoreLocation& location, absl::string_view doing) {
  const LeaderIdentity identity{.instance = base::RandomId(16),
                                .address = absl::StrCat("curlew-controller ", doing, ", pid ", getpid())};
  ASSIGN_OR_RETURN(auto lease, location.OpenLease(identity));
  ASSIGN_OR_RETURN(const Leadership held, lease->Hold());
  if (!held.mine) {
    return absl::FailedPreconditionError(
        absl::StrCat("store ", location.Name(), " is in use by ",
                     held.address.empty() ? "a controller" : absl::StrCat("the controller at ", held.address),
                     "; end every controller of this store, then try again"));
  }
  return CareLease(std::move(lease), held.epoch, identity.instance);
}

absl::Status CheckBackup(const std::string& path) {
  RowChecker checker;
  RETURN_IF_ERROR(ReadBackup(path, [&](const v1::StoreRow& row) {
    checker.Add(row);
    return absl::OkStatus();
  }));
  return checker.Finish(absl::StrCat("the backup ", path));
}

absl::Status NoStore(absl::string_view name) {
  return absl::NotFoundError(absl::StrCat("there is no store at ", name,
                                          " yet; a controller makes one when it starts, and so does "
                                          "`curlew-controller store restore`"));
}

absl::Status NotEmpty(absl::string_view name) {
  return absl::FailedPreconditionError(absl::StrCat(
      "store ", name, " is not empty; restore into a new one, and let the controllers use that"));
}

std::string Migrated(absl::string_view name, int from, int to) {
  if (from == to) return absl::StrCat("store ", name, " is up to date (schema version ", to, ")");
  return absl::StrCat("store ", name, " was brought from schema version ", from, " to ", to);
}

}  // namespace curlew::store
