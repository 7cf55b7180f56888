#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/new_column.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class DropDefault : public Operation {
 public:
  explicit DropDefault(const v1::DropDefault& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    ASSIGN_OR_RETURN(v1::Column * column, NamedColumn(table, proto_.column()));
    RETURN_IF_ERROR(CheckHasDefaults(*table, *column));
    column->clear_default_();
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, proto_.column()));
    const std::string label = absl::StrCat(sql::Ident(table->name()), ".", sql::Ident(column->name()));
    if (column->default_().empty()) {
      steps->Warn(absl::StrCat("drop_default: ", label, " has no default; the operation does nothing"));
      return absl::OkStatus();
    }
    // What takes the column's place is made without the default.
    const sql::TableName name = schema::NameOf(*table);
    if (LeavesInStage(context, name, proto_.column())) return absl::OkStatus();
    TableWork* work = steps->Work(*table);
    const SqlText drop = {"ALTER COLUMN ", SqlText::Name(proto_.column()), " DROP DEFAULT"};
    if (context.ExistsNow(name, proto_.column())) {
      work->finish_clauses.push_back(drop);
    } else {
      // Within one ALTER TABLE it would come before the default that an operation sets.
      work->after_finish.push_back({"ALTER TABLE ", SqlText::Name(name), " ", drop});
    }
    work->finish_titles.push_back(absl::StrCat("drop the default of ", label));
    steps->Warn(absl::StrCat(
        "drop_default: rows that are inserted without ", label,
        column->not_null() ? " will be refused, because it is NOT NULL" : " will have NULL there",
        "; nobody can see whether an application counts on the default: approve the gate "
        "when those that did are gone"));
    return absl::OkStatus();
  }

 private:
  const v1::DropDefault proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropDefault(const v1::DropDefault& proto) {
  return std::make_unique<DropDefault>(proto);
}

}  // namespace curlew::operations
