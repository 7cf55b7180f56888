#include "common/operations/reshape.h"

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/carry.h"
#include "common/operations/dependents.h"
#include "common/operations/link_preflight.h"
#include "common/operations/new_column.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;
using sql::TableName;

class ReshapeColumns : public Operation {
 public:
  explicit ReshapeColumns(Reshape reshape) : reshape_(std::move(reshape)) {
    for (const Reshape::Old& old : reshape_.from) old_names_.push_back(old.name);
    for (const Reshape::New& column : reshape_.to) new_names_.push_back(column.name);
  }

  v1::Scope Scope() const override { return TableScope(reshape_.table); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, reshape_.table));
    for (const std::string& old : old_names_) RETURN_IF_ERROR(NamedColumn(*table, old).status());
    for (const Reshape::New& column : reshape_.to) {
      RETURN_IF_ERROR(CheckNewColumn(*table, column.name));
      ASSIGN_OR_RETURN(v1::Column added, MakeColumn(column.name, column.type, column.collation));
      added.set_not_null(column.not_null);
      added.set_comment(column.comment);
      *table->add_columns() = std::move(added);
    }
    for (const std::string& old : old_names_) RemoveColumn(table, old);
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<AddedColumn>> Adds(const v1::Schema&) const override {
    ASSIGN_OR_RETURN(const TableName table, sql::ParseTableName(reshape_.table));
    std::vector<AddedColumn> added;
    for (const Reshape::New& column : reshape_.to) added.push_back({table, column.name, column.up});
    return added;
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, reshape_.table));
    const TableName name = schema::NameOf(*table);
    std::vector<const v1::Column*> olds;
    for (const std::string& old : old_names_) {
      ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, old));
      olds.push_back(column);
    }
    RETURN_IF_ERROR(Check(context, *table, olds));
    for (const std::string& old : old_names_) AppendPartitionsPreflight(*table, old, steps);

    Link link;
    TableWork* work = steps->Work(*table);
    const v1::Table* end = schema::FindTable(context.after, name);
    for (const Reshape::New& column : reshape_.to) {
      AppendTypePreflight(context, *table, column.type, steps);
      const v1::Column* last = end == nullptr ? nullptr : schema::FindColumn(*end, column.name);
      link.to.push_back({.name = column.name,
                         .type = column.type,
                         .collation = column.collation,
                         .has_equality = HasEquality(column.type),
                         .up = column.up,
                         .not_null = last != nullptr && last->not_null()});
      AppendAdd(name, column, work);
      steps->NewShape(name, column.name);
    }
    for (size_t i = 0; i < olds.size(); ++i) {
      link.from.push_back({.column = *olds[i], .down = reshape_.from[i].down});
      work->finish_clauses.push_back({"DROP COLUMN ", SqlText::Name(olds[i]->name())});
      work->finish_titles.push_back(
          absl::StrCat("drop column ", sql::Ident(name.name), ".", sql::Ident(olds[i]->name())));
      AppendReferencedLocks(*table, olds[i]->name(), work);
      steps->OldShape(name, olds[i]->name());
    }
    AppendLinkPreflight(context, *table, link, steps);
    work->links.push_back(std::move(link));
    for (const Reshape::New& column : reshape_.to) {
      if (!column.not_null) continue;
      RETURN_IF_ERROR(AppendNotNullPreflight(context, *table, column.name, steps));
      AppendNotNull(*table, column.name, steps);
    }
    steps->Warn(
        absl::StrCat("sessions with a prepared SELECT * on ", name.Quoted(),
                     " will see \"cached plan must not change result type\" once; name columns instead"));
    return absl::OkStatus();
  }

 private:
  absl::Status Check(const CompileContext& context, const v1::Table& table,
                     const std::vector<const v1::Column*>& olds) const {
    const TableName name = schema::NameOf(table);
    for (const v1::Column* column : olds) {
      const std::string label = absl::StrCat("column ", sql::Ident(column->name()), " of ", name.Quoted());
      if (!context.ExistsNow(name, column->name())) {
        return NeedsLaterStage(
            absl::StrCat(label, " is added by this very plan; give it its final form at once"));
      }
      if (!column->identity().empty() || !column->generated().empty()) {
        return absl::FailedPreconditionError(
            absl::StrCat(label, " is ", column->generated().empty() ? "an identity" : "a generated",
                         " column: it cannot be written from the new columns; add them with add_column and "
                         "`up`, and drop it "
                         "with drop_column"));
      }
      RETURN_IF_ERROR(CheckNothingFixed(table, *column));
    }
    for (const Reshape::New& column : reshape_.to) {
      RETURN_IF_ERROR(CheckColumnIsFree(context, name, column.name));
      RETURN_IF_ERROR(CheckOnlyNames(column.up, "up", old_names_));
    }
    for (const Reshape::Old& old : reshape_.from)
      RETURN_IF_ERROR(CheckOnlyNames(old.down, "down", new_names_));
    RETURN_IF_ERROR(CheckAllDiscarded(table, olds, reshape_.discard));
    RETURN_IF_ERROR(CheckPublications(table, context));
    return CheckTriggersSortFirst(table);
  }

  static void AppendAdd(const TableName& table, const Reshape::New& column, TableWork* work) {
    SqlText add = {"ADD COLUMN ", SqlText::Name(column.name), " ", SqlText::Verified(column.type)};
    if (!column.collation.empty()) add.Append({" COLLATE ", SqlText::Verified(column.collation)});
    work->add_clauses.push_back(add);
    work->added.push_back(column.name);
    work->add_titles.push_back(absl::StrCat("add column ", sql::Ident(table.name), ".",
                                            sql::Ident(column.name), " (", column.type, ")"));
    if (column.comment.empty()) return;
    work->after_add.push_back({"COMMENT ON COLUMN ", SqlText::Name(table), ".", SqlText::Name(column.name),
                               " IS ", SqlText::String(column.comment)});
  }

  const Reshape reshape_;
  std::vector<std::string> old_names_, new_names_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeReshape(Reshape reshape) {
  std::set<std::string> names;
  auto check_twice = [&](const std::string& name) {
    return names.insert(name).second
               ? absl::OkStatus()
               : absl::InvalidArgumentError(
                     absl::StrCat("column ", sql::Ident(name), " is given twice; name each column once"));
  };
  for (const Reshape::Old& old : reshape.from) RETURN_IF_ERROR(check_twice(old.name));
  for (const Reshape::New& column : reshape.to) {
    RETURN_IF_ERROR(check_twice(column.name));
    RETURN_IF_ERROR(MakeColumn(column.name, column.type, column.collation).status());
  }
  return std::make_unique<ReshapeColumns>(std::move(reshape));
}

}  // namespace curlew::operations
