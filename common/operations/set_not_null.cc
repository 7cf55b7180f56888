#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

class SetNotNull : public Operation {
 public:
  explicit SetNotNull(const v1::SetNotNull& proto) : proto_(proto) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    ASSIGN_OR_RETURN(v1::Column * column, NamedColumn(table, proto_.column()));
    column->set_not_null(true);
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    ASSIGN_OR_RETURN(const v1::Column* column, NamedColumn(*table, proto_.column()));
    if (column->not_null()) {
      steps->Warn(absl::StrCat("set_not_null: ", schema::NameOf(*table).Quoted(), ".",
                               sql::Ident(column->name()),
                               " is NOT NULL without it; the operation does nothing"));
      return absl::OkStatus();
    }
    const v1::Table* now = schema::FindTable(context.now, schema::NameOf(*table));
    const v1::Column* was = now == nullptr ? nullptr : schema::FindColumn(*now, proto_.column());
    if (was != nullptr && was->not_null()) {
      return NeedsLaterStage(
          absl::StrCat("column ", sql::Ident(column->name()), " of ", schema::NameOf(*table).Quoted(),
                       " may be NULL after this very plan's DROP only; leave drop_not_null out"));
    }
    RETURN_IF_ERROR(AppendNotNullPreflight(context, *table, proto_.column(), steps));
    AppendNotNull(*table, proto_.column(), steps);
    return absl::OkStatus();
  }

 private:
  const v1::SetNotNull proto_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeSetNotNull(const v1::SetNotNull& proto) {
  return std::make_unique<SetNotNull>(proto);
}

}  // namespace curlew::operations
