#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/dependents.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class DropColumn : public Operation {
 public:
  DropColumn(const v1::DropColumn& proto, std::optional<sql::Expression> down)
      : proto_(proto), down_(std::move(down)) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, proto_.column()));
    if (down_.has_value()) {
      RETURN_IF_ERROR(CheckColumnsExist(*table, *down_));
      if (down_->columns().count(proto_.column()) > 0) {
        return absl::InvalidArgumentError(
            "down: the column itself cannot give the value for rows without it");
      }
    } else if (column->not_null() && column->default_().empty() && column->identity().empty() &&
               column->generated().empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat("column ", sql::Ident(proto_.column()), " of ", schema::NameOf(*table).Quoted(),
                       " is NOT NULL and has no default: applications that no longer write it could not "
                       "insert. Give `down`, the "
                       "value that such rows get until the column is dropped"));
    }
    RemoveColumn(table, proto_.column());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, proto_.column()));
    const sql::TableName name = schema::NameOf(*table);
    if (!context.ExistsNow(name, proto_.column())) {
      return NeedsLaterStage(absl::StrCat("column ", sql::Ident(proto_.column()), " of ", name.Quoted(),
                                          " is added by this very plan; leave both operations out"));
    }
    RETURN_IF_ERROR(CheckDropped(*table, *column, {proto_.discard().begin(), proto_.discard().end()}));
    AppendPartitionsPreflight(*table, proto_.column(), steps);
    TableWork* work = steps->Work(*table);
    if (down_.has_value()) work->insert_defaults.push_back({.column = *column, .value = *down_});
    work->finish_clauses.push_back({"DROP COLUMN ", SqlText::Name(proto_.column())});
    work->finish_titles.push_back(
        absl::StrCat("drop column ", sql::Ident(table->name()), ".", sql::Ident(proto_.column())));
    AppendReferencedLocks(*table, proto_.column(), work);
    steps->OldShape(name, proto_.column());
    steps->Warn(
        absl::StrCat("sessions with a prepared SELECT * on ", name.Quoted(),
                     " will see \"cached plan must not change result type\" once; name columns instead"));
    return absl::OkStatus();
  }

 private:
  const v1::DropColumn proto_;
  const std::optional<sql::Expression> down_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropColumn(const v1::DropColumn& proto) {
  std::optional<sql::Expression> down;
  if (!proto.down().empty()) {
    ASSIGN_OR_RETURN(down, sql::Expression::Parse(proto.down()));
  }
  return std::make_unique<DropColumn>(proto, std::move(down));
}

}  // namespace curlew::operations
