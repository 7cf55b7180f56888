#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/in_place.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

class BackfillColumns : public Operation {
 public:
  BackfillColumns(const v1::BackfillColumns& proto, InPlaceChange change)
      : proto_(proto), change_(std::move(change)) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(schema, proto_.table()));
    for (const InPlaceChange::Set& set : change_.sets) {
      ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, set.column));
      if (!column->generated().empty()) {
        return absl::FailedPreconditionError(
            absl::StrCat("column ", sql::Ident(set.column), " of ", schema::NameOf(*table).Quoted(),
                         " is generated: PostgreSQL computes it; change the columns that it comes from"));
      }
      RETURN_IF_ERROR(CheckColumnsExist(*table, set.value));
    }
    if (change_.where.has_value()) RETURN_IF_ERROR(CheckColumnsExist(*table, *change_.where));
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    if (!context.ExistsNow(name)) {
      return NeedsLaterStage(absl::StrCat("table ", name.Quoted(), " is created by the plan"));
    }
    size_t added = 0;
    for (const InPlaceChange::Set& set : change_.sets) added += context.ExistsNow(name, set.column) ? 0 : 1;
    if (added == 0) {
      for (const InPlaceChange::Set& set : change_.sets)
        RETURN_IF_ERROR(CheckExistNow(context, name, set.value));
      if (change_.where.has_value()) RETURN_IF_ERROR(CheckExistNow(context, name, *change_.where));
      RETURN_IF_ERROR(CheckPublications(*table, context));  // because of the marker
      AppendInPlaceChange(*table, change_, steps);
      return absl::OkStatus();
    }
    if (added < change_.sets.size()) {
      return absl::FailedPreconditionError(
          "some of the columns are added by this plan and others are not: those are filled before the gate, "
          "these after it; write a backfill for each kind");
    }
    // What the plan adds is filled like any new column, and leaves with it.
    if (change_.where.has_value()) {
      return absl::FailedPreconditionError(
          "where: a column that this plan adds is filled in every row; write a CASE in `value`");
    }
    Link link;
    for (const InPlaceChange::Set& set : change_.sets) {
      RETURN_IF_ERROR(CheckExistNow(context, name, set.value));
      ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, set.column));
      const v1::Table* in_the_end = schema::FindTable(context.after, name);
      const v1::Column* last = in_the_end == nullptr ? nullptr : schema::FindColumn(*in_the_end, set.column);
      link.to.push_back({.name = set.column,
                         .type = column->type(),
                         .collation = column->collation(),
                         .has_equality = column->has_equality(),
                         .up = set.value,
                         .not_null = last != nullptr && last->not_null()});
    }
    steps->Work(*table)->links.push_back(std::move(link));
    return absl::OkStatus();
  }

 private:
  // A value has to come from columns that rows have before the stage.
  static absl::Status CheckExistNow(const CompileContext& context, const sql::TableName& table,
                                    const sql::Expression& expression) {
    for (const std::string& column : expression.columns()) {
      if (context.ExistsNow(table, column)) continue;
      return NeedsLaterStage(absl::StrCat("column ", sql::Ident(column), " of ", table.Quoted(),
                                          " is added by the plan; use columns that exist"));
    }
    return absl::OkStatus();
  }

  const v1::BackfillColumns proto_;
  const InPlaceChange change_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeBackfill(const v1::BackfillColumns& proto) {
  if (proto.set().empty()) return absl::InvalidArgumentError("set is empty; name at least one column");
  InPlaceChange change;
  std::set<std::string> columns;
  for (const v1::ColumnValue& set : proto.set()) {
    if (!columns.insert(set.column()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("set: column ", sql::Ident(set.column()), " is given twice; keep one"));
    }
    ASSIGN_OR_RETURN(sql::Expression value, sql::Expression::Parse(set.value()));
    change.sets.push_back({set.column(), std::move(value)});
  }
  if (!proto.where().empty()) {
    ASSIGN_OR_RETURN(change.where, sql::Expression::Parse(proto.where()));
  }
  return std::make_unique<BackfillColumns>(proto, std::move(change));
}

}  // namespace curlew::operations
