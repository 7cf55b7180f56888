#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/named_type.h"
#include "common/operations/objects.h"
#include "common/operations/operations.h"
#include "common/sql/type_name.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class CreateDomain : public Operation {
 public:
  CreateDomain(const v1::CreateDomain& proto, sql::TableName name, std::string type,
               std::optional<sql::Expression> default_value, std::vector<sql::Expression> checks)
      : proto_(proto),
        name_(std::move(name)),
        type_(std::move(type)),
        default_(std::move(default_value)),
        checks_(std::move(checks)) {}

  v1::Scope Scope() const override { return TypeScope(proto_.domain()); }

  absl::Status Apply(v1::Schema* schema) const override {
    RETURN_IF_ERROR(CheckNewName(*schema, name_));
    v1::Domain domain;
    domain.set_name(name_.Quoted());
    domain.set_type(type_);
    domain.set_not_null(proto_.not_null());
    if (default_.has_value()) domain.set_default_(default_->text());
    for (size_t i = 0; i < checks_.size(); ++i) {
      RETURN_IF_ERROR(AddDomainCheck(proto_.checks(static_cast<int>(i)).name(), checks_[i], &domain));
    }
    *schema->add_domains() = std::move(domain);
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    RETURN_IF_ERROR(CheckNameIsFree(context, name_));
    AppendTypeNamePreflight(name_, steps);
    SqlText create = {"CREATE DOMAIN ", SqlText::Name(name_), " AS ", SqlText::Verified(proto_.type())};
    if (default_.has_value()) create.Append({" DEFAULT ", default_->Sql()});
    if (proto_.not_null()) create.Append({" NOT NULL"});
    for (size_t i = 0; i < checks_.size(); ++i) {
      create.Append({" CONSTRAINT ", SqlText::Name(proto_.checks(static_cast<int>(i)).name()), " CHECK (",
                     SqlText::Verified(checks_[i].text()), ")"});
    }
    v1::Step* step = steps->Add(v1::PHASE_ADD, absl::StrCat("create domain ", name_.Quoted()));
    SetSql(step->mutable_action(), {SetSearchPathToPublic(), create});
    SetSql(step->mutable_undo(), {{"DROP DOMAIN IF EXISTS ", SqlText::Name(name_)}});
    return absl::OkStatus();
  }

 private:
  const v1::CreateDomain proto_;
  const sql::TableName name_;
  const std::string type_;  // as the catalogue writes it
  const std::optional<sql::Expression> default_;
  const std::vector<sql::Expression> checks_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreateDomain(const v1::CreateDomain& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.domain()));
  ASSIGN_OR_RETURN(std::string type, sql::CanonicalType(proto.type()));
  std::optional<sql::Expression> default_value;
  if (!proto.default_().empty()) {
    ASSIGN_OR_RETURN(default_value, sql::Expression::Parse(proto.default_()));
    if (!default_value->columns().empty()) {
      return absl::InvalidArgumentError("default: a domain knows no column; write a constant or a function");
    }
  }
  std::vector<sql::Expression> checks;
  for (const v1::DomainCheck& check : proto.checks()) {
    ASSIGN_OR_RETURN(sql::Expression expression, ParseDomainCheck(check.expression()));
    checks.push_back(std::move(expression));
  }
  return std::make_unique<CreateDomain>(proto, std::move(name), std::move(type), std::move(default_value),
                                        std::move(checks));
}

}  // namespace curlew::operations
