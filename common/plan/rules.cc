#include "common/plan/rules.h"

#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/plan/check.h"
#include "common/sql/batch_write.h"
#include "common/sql/expression.h"

namespace curlew::plan {
namespace {

absl::StatusOr<std::set<std::string>> ColumnsOf(const std::string& expression) {
  if (expression.empty()) return std::set<std::string>();
  ASSIGN_OR_RETURN(const sql::Expression parsed, sql::Expression::Parse(expression));
  return parsed.columns();
}

// `expression` may name `column` and no other.
absl::Status MayUseOnly(const std::string& expression, const std::string& column, const std::string& path) {
  ASSIGN_OR_RETURN(std::set<std::string> columns, ColumnsOf(expression));
  columns.erase(column);
  if (columns.empty()) return absl::OkStatus();
  return FieldError(
      path, absl::StrCat("names the column ", absl::StrJoin(columns, ", "), "; it may only use ", column,
                         " (a text needs SQL's quotes too: \"'text'\")"));
}

// `expression` may name every column but `column`.
absl::Status MayNotUse(const std::string& expression, const std::string& column, const std::string& path) {
  ASSIGN_OR_RETURN(const std::set<std::string> columns, ColumnsOf(expression));
  if (!columns.contains(column)) return absl::OkStatus();
  return FieldError(path,
                    absl::StrCat("names ", column, " itself; its value has to come from other columns"));
}

absl::Status Check(const v1::AddColumn& op, const std::string& path) {
  const bool is_identity = op.identity() != v1::IDENTITY_UNSPECIFIED;
  for (const auto& [field, given] :
       {std::make_pair("default", !op.default_().empty()), std::make_pair("up", !op.up().empty()),
        std::make_pair("generated", is_identity && !op.generated().empty())}) {
    if (!given || (!is_identity && op.generated().empty())) continue;
    return FieldError(
        absl::StrCat(path, ".", field),
        absl::StrCat("excludes `", is_identity ? "identity" : "generated",
                     "`, with which PostgreSQL gives the values itself; leave one of them out"));
  }
  if (op.not_null() && op.default_().empty() && op.up().empty() && !is_identity && op.generated().empty()) {
    return FieldError(absl::StrCat(path, ".not_null"),
                      "rows without a value would break it; give `up` (for rows that exist) or `default`");
  }
  ASSIGN_OR_RETURN(const std::set<std::string> columns, ColumnsOf(op.default_()));
  if (!columns.empty()) {
    return FieldError(
        absl::StrCat(path, ".default"),
        absl::StrCat("names the column ", absl::StrJoin(columns, ", "),
                     "; a default cannot use columns (a text needs SQL's quotes too: \"'text'\"), "
                     "`up` can"));
  }
  return MayNotUse(op.up(), op.column(), absl::StrCat(path, ".up"));
}

absl::Status Check(const v1::RenameColumn& op, const std::string& path) {
  if (op.from() == op.to()) {
    return FieldError(absl::StrCat(path, ".to"),
                      absl::StrCat("is the name that the column has, ", op.from()));
  }
  RETURN_IF_ERROR(MayUseOnly(op.up(), op.from(), absl::StrCat(path, ".up")));
  return MayUseOnly(op.down(), op.to(), absl::StrCat(path, ".down"));
}

absl::Status Check(const v1::DropColumn& op, const std::string& path) {
  return MayNotUse(op.down(), op.column(), absl::StrCat(path, ".down"));
}

absl::Status Check(const v1::Sql& op, const std::string& path) {
  if (op.irreversible() && !op.down().empty()) {
    return FieldError(absl::StrCat(path, ".irreversible"), "there is a `down`; leave out one of them");
  }
  if (op.irreversible() && op.phase() != v1::PHASE_DROP) {
    return FieldError(
        absl::StrCat(path, ".phase"),
        "what is irreversible may only run in the last phase; write `phase: drop`, or give `down` "
        "instead of `irreversible`");
  }
  if (!op.irreversible() && op.down().empty()) {
    return FieldError(
        absl::StrCat(path, ".down"),
        "is required, so that a rollback can undo `up`; or say `irreversible: true` and `phase: drop`");
  }
  return absl::OkStatus();
}

absl::Status Check(const v1::Transform& op, const std::string& path) {
  const absl::Status write = sql::ParseBatchWrite(op.write()).status();
  if (!write.ok()) return FieldError(absl::StrCat(path, ".write"), write.message());
  if (op.irreversible() && !op.down().empty()) {
    return FieldError(absl::StrCat(path, ".irreversible"), "there is a `down`; leave out one of them");
  }
  if (!op.irreversible() && op.down().empty()) {
    return FieldError(absl::StrCat(path, ".down"),
                      "is required, so that a rollback can take back what `write` has written; or say "
                      "`irreversible: true`, and it runs behind the gate");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckRules(const v1::Operation& operation, absl::string_view path) {
  const auto below = [&](absl::string_view name) { return absl::StrCat(path, ".", name); };
  if (operation.has_add_column()) return Check(operation.add_column(), below("add_column"));
  if (operation.has_rename_column()) return Check(operation.rename_column(), below("rename_column"));
  if (operation.has_drop_column()) return Check(operation.drop_column(), below("drop_column"));
  if (operation.has_sql()) return Check(operation.sql(), below("sql"));
  if (operation.has_transform()) return Check(operation.transform(), below("transform"));
  return absl::OkStatus();
}

}  // namespace curlew::plan
