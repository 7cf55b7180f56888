#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/dependents.h"
#include "common/operations/new_column.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class DropNotNull : public Operation {
 public:
  explicit DropNotNull(const v1::DropNotNull& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    ASSIGN_OR_RETURN(v1::Column * column, NamedColumn(table, proto_.column()));
    RETURN_IF_ERROR(CheckNothingNeedsIt(*table, *column));
    column->set_not_null(false);
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, proto_.column()));
    const std::string label = absl::StrCat(sql::Ident(table->name()), ".", sql::Ident(column->name()));
    if (!column->not_null()) {
      steps->Warn(
          absl::StrCat("drop_not_null: ", label, " may be NULL without it; the operation does nothing"));
      return absl::OkStatus();
    }
    // What takes the column's place is made without NOT NULL.
    if (LeavesInStage(context, schema::NameOf(*table), proto_.column())) return absl::OkStatus();
    TableWork* work = steps->Work(*table);
    work->finish_clauses.push_back({"ALTER COLUMN ", SqlText::Name(proto_.column()), " DROP NOT NULL"});
    work->finish_titles.push_back(absl::StrCat("let ", label, " be NULL"));
    return absl::OkStatus();
  }

 private:
  static absl::Status CheckNothingNeedsIt(const v1::Table& table, const v1::Column& column) {
    auto refuse = [&](absl::string_view why, absl::string_view way_out) {
      return absl::FailedPreconditionError(absl::StrCat("column ", sql::Ident(column.name()), " of ",
                                                        schema::NameOf(table).Quoted(), " ", why,
                                                        " and cannot be NULL; ", way_out));
    };
    if (!column.identity().empty()) {
      return refuse(
          "is an identity column",
          "make it an ordinary column first by a `sql` operation in an earlier plan (DROP IDENTITY)");
    }
    for (const v1::Constraint& c : table.constraints()) {
      if (c.type() == v1::CONSTRAINT_TYPE_PRIMARY_KEY && Holds(c.columns(), column.name())) {
        return refuse(absl::StrCat("belongs to the primary key ", sql::Ident(c.name())),
                      "a primary key has no NULL; keep it NOT NULL");
      }
    }
    for (const v1::Index& index : table.indexes()) {
      if (Holds(index.columns(), column.name()) &&
          table.replica_identity() == absl::StrCat("index ", index.name())) {
        return refuse(
            absl::StrCat("belongs to ", sql::Ident(index.name()), ", the table's replica identity,"),
            "choose another replica identity before this operation (set_replica_identity)");
      }
    }
    return absl::OkStatus();
  }

  const v1::DropNotNull proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropNotNull(const v1::DropNotNull& proto) {
  return std::make_unique<DropNotNull>(proto);
}

}  // namespace curlew::operations
