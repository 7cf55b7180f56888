#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/named_type.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using sql::SqlText;

// Whether a field holds an expression that the catalogue keeps parsed, with the value and not its name.
bool IsExpression(const FieldDescriptor& field) {
  for (absl::string_view name : {"default", "generated", "definition", "clauses", "query", "partition_key"}) {
    if (field.name() == name) return field.cpp_type() == FieldDescriptor::CPPTYPE_STRING;
  }
  return false;
}

// Replaces `from` by `to` in all expressions of `message`; functions' bodies are texts and stay.
void ReplaceInExpressions(const std::string& from, const std::string& to, Message* message) {
  if (message->GetDescriptor() == v1::Function::descriptor()) return;
  const auto* reflection = message->GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(*message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (IsExpression(*field)) {
      const std::string text = reflection->GetString(*message, field);
      reflection->SetString(message, field, absl::StrReplaceAll(text, {{from, to}}));
    } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && field->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
        ReplaceInExpressions(from, to, reflection->MutableRepeatedMessage(message, field, i));
      }
    }
  }
}

// A value as the catalogue prints it in an expression, never in the E'' form.
std::string Printed(absl::string_view value, const sql::TableName& type) {
  return absl::StrCat("'", absl::StrReplaceAll(value, {{"'", "''"}}), "'::", type.Quoted());
}

class RenameEnumValue : public Operation {
 public:
  RenameEnumValue(const v1::RenameEnumValue& proto, sql::TableName name)
      : proto_(proto), name_(std::move(name)) {}

  v1::Scope Scope() const override { return TypeScope(proto_.type()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::EnumType * type, NamedEnum(schema, name_));
    if (HasLabel(*type, proto_.to())) {
      return absl::FailedPreconditionError(absl::StrCat("enum type ", name_.Quoted(), " already has a value ",
                                                        sql::Literal(proto_.to()), "; choose another name"));
    }
    auto* labels = type->mutable_labels();
    const auto found = std::find(labels->begin(), labels->end(), proto_.value());
    if (found == labels->end()) {
      return absl::FailedPreconditionError(absl::StrCat("enum type ", name_.Quoted(), " has no value ",
                                                        sql::Literal(proto_.value()),
                                                        "; there are: ", Labels(*type)));
    }
    *found = proto_.to();
    ReplaceInExpressions(Printed(proto_.value(), name_), Printed(proto_.to(), name_), schema);
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    const std::string what = absl::StrCat("value ", sql::Literal(proto_.value()), " of ", name_.Quoted());
    if (!context.Acknowledged("breaks-applications")) {
      return absl::FailedPreconditionError(absl::StrCat(
          what,
          " cannot have two names at once: applications that write or compare the old one fail from that "
          "moment. Add the new value with add_enum_value and move the rows to it, or accept it with "
          "`settings: "
          "{acknowledge: [breaks-applications]}`"));
    }
    steps->Warn(
        absl::StrCat("rename_enum_value: applications that know ", what, " only as such fail in DROP"));
    v1::Step* step =
        steps->Add(v1::PHASE_DROP, absl::StrCat("rename ", what, " to ", sql::Literal(proto_.to())));
    SetSql(step->mutable_action(), {{"ALTER TYPE ", SqlText::Name(name_), " RENAME VALUE ",
                                     SqlText::String(proto_.value()), " TO ", SqlText::String(proto_.to())}});
    return absl::OkStatus();
  }

 private:
  const v1::RenameEnumValue proto_;
  const sql::TableName name_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeRenameEnumValue(const v1::RenameEnumValue& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.type()));
  RETURN_IF_ERROR(CheckEnumValue(proto.to()));
  return std::make_unique<RenameEnumValue>(proto, std::move(name));
}

}  // namespace curlew::operations
