#include "controller/store/migration.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/error_detail.h"
#include "migrations/embedded.h"

namespace curlew::store {

std::vector<Migration> MigrationsIn(absl::string_view folder) {
  const std::string prefix = absl::StrCat(folder, "/");
  std::map<std::string, Migration> by_name;
  for (const migrations::EmbeddedFile& file : migrations::Embedded()) {
    absl::string_view path(file.path.data(), file.path.size());
    const absl::string_view text(file.text.data(), file.text.size());
    if (!absl::ConsumePrefix(&path, prefix)) continue;
    const std::vector<std::string> parts = absl::StrSplit(path, '.');  // 0001_store, up, sql
    Migration& migration = by_name[parts[0]];
    migration.name = parts[0];
    if (parts.size() > 1 && parts[1] == "up") migration.up = text;
    if (parts.size() > 1 && parts[1] == "down") migration.down = text;
    if (parts.size() > 1 && parts[1] == "verify") migration.verify = text;
  }
  std::vector<Migration> sorted;
  for (auto& [name, migration] : by_name) {
    migration.version = static_cast<int>(sorted.size()) + 1;
    sorted.push_back(migration);
  }
  return sorted;
}

absl::Status CheckNotNewer(absl::string_view store, int version, int newest) {
  if (version <= newest) return absl::OkStatus();
  return base::WithDetail(
      absl::FailedPreconditionError(absl::StrCat(
          "store ", store, " was written by a newer Curlew (schema version ", version,
          "; this one knows versions up to ", newest,
          "); start that version of the controller, or restore the copy from before the upgrade")),
      base::kReason, "STORE_NEWER");
}

absl::Status NotAStore(absl::string_view store, absl::string_view because) {
  return base::WithDetail(absl::FailedPreconditionError(
                              absl::StrCat("store ", store, " is a database of something else: ", because)),
                          base::kReason, "STORE_FOREIGN");
}

}  // namespace curlew::store
