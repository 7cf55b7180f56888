#include "common/plan/safety.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/plan/check.h"
#include "common/plan/scalar.h"
#include "common/sql/query.h"

namespace curlew::plan {
namespace {

std::string At(absl::string_view list, int index, absl::string_view field = "") {
  return absl::StrCat(list, "[", index, "]", field.empty() ? "" : ".", field);
}

absl::Status CheckId(absl::string_view id, const std::string& path) {
  if (IsId(id)) return absl::OkStatus();
  return FieldError(path, absl::StrCat("\"", id,
                                       "\" is not 1 to 63 lower-case letters, digits and dashes (no dash at "
                                       "either end)"));
}

// `id` is one, and none of `seen`, to which it is added.
absl::Status CheckName(const std::string& id, const std::string& path,
                       std::map<std::string, std::string>* seen) {
  RETURN_IF_ERROR(CheckId(id, path));
  const auto [first, is_new] = seen->emplace(id, path);
  if (is_new) return absl::OkStatus();
  return FieldError(
      path, absl::StrCat("\"", id, "\" is the name of ", first->second, " already; give it another one"));
}

// One SELECT of one column that does nothing but read.
absl::Status CheckQuery(const std::string& sql, const std::string& path) {
  const absl::StatusOr<sql::Query> query = sql::ParseQuery(sql);
  if (!query.ok()) return FieldError(path, query.status().message());
  if (!query->columns.has_value()) {
    return FieldError(path, "how many columns it gives cannot be told (`*`); name the one that is wanted");
  }
  if (query->columns->size() == 1) return absl::OkStatus();
  return FieldError(path, absl::StrCat("gives ", query->columns->size(), " columns; it has to give one"));
}

absl::Status ValidateAfter(const v1::Plan& plan) {
  for (int i = 0; i < plan.after_size(); ++i) {
    RETURN_IF_ERROR(CheckId(plan.after(i), At("after", i)));
    if (plan.after(i) == plan.name()) {
      return FieldError(At("after", i), "is this plan itself, which would wait for ever");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateBackup(const v1::BackupPolicy& backup) {
  if (!backup.has_dump() && !backup.has_restore_point() && !backup.has_archived_within() &&
      backup.commands().empty()) {
    return FieldError("backup",
                      "says nothing; give `dump: {}`, `restore_point: {}`, `archived_within` or `commands`, "
                      "or leave it out");
  }
  if (backup.has_archived_within() && (!IsValidDuration(backup.archived_within()) ||
                                       base::FromProto(backup.archived_within()) <= absl::ZeroDuration())) {
    return FieldError("backup.archived_within",
                      absl::StrCat(DurationText(backup.archived_within()),
                                   " is out of range; give more than 0, for example 5m"));
  }
  for (int i = 0; i < backup.commands_size(); ++i)
    RETURN_IF_ERROR(CheckId(backup.commands(i), At("backup.commands", i)));
  return absl::OkStatus();
}

}  // namespace

absl::Status ValidateSafety(const v1::Plan& plan) {
  RETURN_IF_ERROR(ValidateAfter(plan));
  if (plan.has_backup()) RETURN_IF_ERROR(ValidateBackup(plan.backup()));
  std::map<std::string, std::string> verifications, checks;
  for (int i = 0; i < plan.verify_size(); ++i) {
    RETURN_IF_ERROR(CheckName(plan.verify(i).name(), At("verify", i, "name"), &verifications));
    if (!plan.verify(i).has_query()) continue;
    RETURN_IF_ERROR(CheckQuery(plan.verify(i).query().sql(), At("verify", i, "query.sql")));
  }
  for (int i = 0; i < plan.checks_size(); ++i) {
    RETURN_IF_ERROR(CheckName(plan.checks(i).name(), At("checks", i, "name"), &checks));
    RETURN_IF_ERROR(CheckQuery(plan.checks(i).sql(), At("checks", i, "sql")));
  }
  return absl::OkStatus();
}

}  // namespace curlew::plan
