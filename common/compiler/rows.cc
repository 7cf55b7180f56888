#include "common/compiler/rows.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/schema/schema.h"
#include "common/sql/batch_write.h"

namespace curlew::compiler {
namespace {

using operations::Operation;

// Whether the operation looks at rows, or takes values from them, before DROP.
bool ReadsRows(const v1::Operation& operation) {
  switch (operation.op_case()) {
    case v1::Operation::kSetNotNull:
    case v1::Operation::kAddCheck:
    case v1::Operation::kAddUnique:
    case v1::Operation::kAddForeignKey:
    case v1::Operation::kAddExclusion:
    case v1::Operation::kValidateConstraint:
    case v1::Operation::kChangeType:
    case v1::Operation::kRenameColumn:
    case v1::Operation::kSplitColumn:
    case v1::Operation::kMergeColumns:
    case v1::Operation::kCreateMaterializedView:
    case v1::Operation::kTransform:
      return true;
    case v1::Operation::kCreateIndex:
      return operation.create_index().unique();
    case v1::Operation::kAddColumn:
      return !operation.add_column().up().empty() || !operation.add_column().generated().empty();
    default:
      return false;
  }
}

}  // namespace

std::vector<std::string> ChangesRows(const v1::Operation& proto, const Operation& operation,
                                     const v1::Schema& now) {
  if (proto.has_backfill()) {
    const auto name = sql::ParseTableName(proto.backfill().table());
    const v1::Table* table = name.ok() ? schema::FindTable(now, *name) : nullptr;
    const bool in_place =
        table != nullptr && std::all_of(proto.backfill().set().begin(), proto.backfill().set().end(),
                                        [&](const v1::ColumnValue& set) {
                                          return schema::FindColumn(*table, set.column()) != nullptr;
                                        });
    if (!in_place) return {};
  } else if (proto.has_transform()) {
    // A table that the stage creates is looked at by nobody before.
    const auto write = sql::ParseBatchWrite(proto.transform().write());
    if (!write.ok() || schema::FindTable(now, write->target) == nullptr) return {};
    return {write->target.Quoted()};
  } else if (!proto.has_purge() && !(proto.has_sql() && proto.sql().irreversible())) {
    return {};
  }
  const v1::Scope scope = operation.Scope();
  return {scope.tables().begin(), scope.tables().end()};
}

bool WritesInTurn(const v1::Operation& operation) {
  return operation.has_transform() && !operation.transform().irreversible();
}

absl::Status CheckRows(const v1::Plan& plan, const std::vector<std::unique_ptr<Operation>>& all, int first,
                       int number, const v1::Schema& now) {
  if (!ReadsRows(plan.operations(number))) return absl::OkStatus();
  const v1::Scope scope = all[number]->Scope();
  for (int i = first; i < number; ++i) {
    if (WritesInTurn(plan.operations(i)) && WritesInTurn(plan.operations(number))) continue;
    for (const std::string& changed : ChangesRows(plan.operations(i), *all[i], now)) {
      const auto name = sql::ParseTableName(changed);
      for (const std::string& table : scope.tables()) {
        const auto own = sql::ParseTableName(table);
        if (!name.ok() || !own.ok() || *name != *own) continue;
        return operations::NeedsLaterStage(
            absl::StrCat("rows of ", name->Quoted(),
                         " are changed by an operation before it, when this one has looked at them"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace curlew::compiler
