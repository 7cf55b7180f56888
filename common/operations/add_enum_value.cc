#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/named_type.h"
#include "common/operations/operations.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class AddEnumValue : public Operation {
 public:
  AddEnumValue(const v1::AddEnumValue& proto, sql::TableName name) : proto_(proto), name_(std::move(name)) {}

  v1::Scope Scope() const override { return TypeScope(proto_.type()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::EnumType * type, NamedEnum(schema, name_));
    // A run that was rolled back left it.
    if (HasLabel(*type, proto_.value())) return absl::OkStatus();
    auto* labels = type->mutable_labels();
    int at = labels->size();
    if (!Neighbour().empty()) {
      const auto found = std::find(labels->begin(), labels->end(), Neighbour());
      if (found == labels->end()) {
        return absl::FailedPreconditionError(absl::StrCat("enum type ", name_.Quoted(), " has no value ",
                                                          sql::Literal(Neighbour()),
                                                          "; there are: ", Labels(*type)));
      }
      at = static_cast<int>(found - labels->begin()) + (proto_.after().empty() ? 0 : 1);
    }
    labels->Add(std::string(proto_.value()));
    std::rotate(labels->begin() + at, labels->end() - 1, labels->end());
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    const v1::EnumType& before = *schema::FindEnum(context.before, name_.Quoted());
    RETURN_IF_ERROR(CheckRenames(context, before));
    const std::string label = absl::StrCat("value ", sql::Literal(proto_.value()), " of ", name_.Quoted());
    if (HasLabel(before, proto_.value())) {
      steps->Warn(absl::StrCat("add_enum_value: ", label, " exists already and stays where it is, ",
                               "whatever `before` and `after` say"));
    } else {
      steps->Warn(
          absl::StrCat("add_enum_value: a rollback leaves ", label,
                       ", because PostgreSQL cannot take it away; it is then not used, and the plan can "
                       "run again"));
    }
    SqlText add = {"ALTER TYPE ", SqlText::Name(name_), " ADD VALUE IF NOT EXISTS ",
                   SqlText::String(proto_.value())};
    if (!proto_.before().empty()) add.Append({" BEFORE ", SqlText::String(proto_.before())});
    if (!proto_.after().empty()) add.Append({" AFTER ", SqlText::String(proto_.after())});
    v1::Step* step = steps->Add(v1::PHASE_ADD, absl::StrCat("add ", label));
    SetSql(step->mutable_action(), {add});
    return absl::OkStatus();
  }

 private:
  const std::string& Neighbour() const { return proto_.before().empty() ? proto_.after() : proto_.before(); }

  // Values are added in ADD and renamed in DROP: what follows a renaming in the plan comes in a later stage.
  absl::Status CheckRenames(const CompileContext& context, const v1::EnumType& before) const {
    const v1::EnumType* now = schema::FindEnum(context.now, name_.Quoted());
    if (now == nullptr) return absl::OkStatus();
    const bool renamed = std::any_of(now->labels().begin(), now->labels().end(),
                                     [&](const std::string& label) { return !HasLabel(before, label); });
    const bool concerned = HasLabel(*now, proto_.value()) != HasLabel(before, proto_.value()) ||
                           (!Neighbour().empty() && !HasLabel(*now, Neighbour()));
    if (!renamed || !concerned) return absl::OkStatus();
    return NeedsLaterStage(
        absl::StrCat("values of ", name_.Quoted(),
                     " have other names before this plan; add the value in a plan after it"));
  }

  const v1::AddEnumValue proto_;
  const sql::TableName name_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeAddEnumValue(const v1::AddEnumValue& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.type()));
  RETURN_IF_ERROR(CheckEnumValue(proto.value()));
  if (!proto.before().empty() && !proto.after().empty()) {
    return absl::InvalidArgumentError("before, after: give at most one of them");
  }
  return std::make_unique<AddEnumValue>(proto, std::move(name));
}

}  // namespace curlew::operations
