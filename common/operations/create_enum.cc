#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/named_type.h"
#include "common/operations/operations.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class CreateEnum : public Operation {
 public:
  CreateEnum(const v1::CreateEnum& proto, sql::TableName name) : proto_(proto), name_(std::move(name)) {}

  v1::Scope Scope() const override { return TypeScope(proto_.type()); }

  absl::Status Apply(v1::Schema* schema) const override {
    RETURN_IF_ERROR(CheckNewName(*schema, name_));
    v1::EnumType* type = schema->add_enums();
    type->set_name(name_.Quoted());
    *type->mutable_labels() = proto_.values();
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    RETURN_IF_ERROR(CheckNameIsFree(context, name_));
    AppendTypeNamePreflight(name_, steps);
    SqlText values;
    for (const std::string& value : proto_.values()) {
      if (!values.empty()) values.Append({", "});
      values.Append({SqlText::String(value)});
    }
    v1::Step* step = steps->Add(v1::PHASE_ADD, absl::StrCat("create enum type ", name_.Quoted()));
    SetSql(step->mutable_action(), {{"CREATE TYPE ", SqlText::Name(name_), " AS ENUM (", values, ")"}});
    SetSql(step->mutable_undo(), {{"DROP TYPE IF EXISTS ", SqlText::Name(name_)}});
    return absl::OkStatus();
  }

 private:
  const v1::CreateEnum proto_;
  const sql::TableName name_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreateEnum(const v1::CreateEnum& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.type()));
  for (const std::string& value : proto.values()) RETURN_IF_ERROR(CheckEnumValue(value));
  return std::make_unique<CreateEnum>(proto, std::move(name));
}

}  // namespace curlew::operations
