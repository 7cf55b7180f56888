#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class AddCheck : public Operation {
 public:
  AddCheck(const v1::AddCheck& proto, sql::Expression expression)
      : proto_(proto), expression_(std::move(expression)) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    RETURN_IF_ERROR(CheckNewObject(*table, proto_.name()));
    RETURN_IF_ERROR(CheckColumnsExist(*table, expression_));
    v1::Constraint* constraint = table->add_constraints();
    constraint->set_name(proto_.name());
    constraint->set_type(v1::CONSTRAINT_TYPE_CHECK);
    constraint->set_definition(absl::StrCat("CHECK ((", expression_.text(), "))"));
    for (const std::string& column : expression_.columns()) constraint->add_columns(column);
    constraint->set_validated(true);
    constraint->set_table(schema::NameOf(*table).Quoted());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    RETURN_IF_ERROR(CheckObjectIsFree(context, name, proto_.name()));
    AppendConstraintNamePreflight(*table, proto_.name(), steps);
    RETURN_IF_ERROR(AppendCheckPreflight(
        context, *table, proto_.name(), expression_,
        "Mend these rows, or change `up` or the constraint, then resume the rollout.", steps));
    AppendValidated(*table, proto_.name(),
                    {"ALTER TABLE ", SqlText::Name(name), " ADD CONSTRAINT ", SqlText::Name(proto_.name()),
                     " CHECK (", SqlText::Verified(expression_.text()), ") NOT VALID"},
                    steps);
    return absl::OkStatus();
  }

 private:
  const v1::AddCheck proto_;
  const sql::Expression expression_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeAddCheck(const v1::AddCheck& proto) {
  ASSIGN_OR_RETURN(sql::Expression expression, sql::Expression::Parse(proto.expression()));
  return std::make_unique<AddCheck>(proto, std::move(expression));
}

}  // namespace curlew::operations
