#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/operations/named_type.h"
#include "common/operations/operations.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class DropDomainConstraint : public Operation {
 public:
  DropDomainConstraint(const v1::DropDomainConstraint& proto, sql::TableName name)
      : proto_(proto), name_(std::move(name)) {}

  v1::Scope Scope() const override { return TypeScope(proto_.domain()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Domain * domain, NamedDomain(schema, name_));
    auto* constraints = domain->mutable_constraints();
    const auto found = std::find_if(constraints->begin(), constraints->end(),
                                    [&](const v1::Constraint& c) { return c.name() == proto_.name(); });
    if (found == constraints->end()) {
      std::vector<std::string> names;
      for (const v1::Constraint& c : *constraints) names.push_back(sql::Ident(c.name()));
      return absl::FailedPreconditionError(
          absl::StrCat("domain ", name_.Quoted(), " has no constraint ", sql::Ident(proto_.name()),
                       names.empty() ? "; it has none at all"
                                     : absl::StrCat("; there are: ", absl::StrJoin(names, ", "))));
    }
    constraints->erase(found);
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext&, StepList* steps) const override {
    v1::Step* step = steps->Add(v1::PHASE_DROP, absl::StrCat("drop constraint ", sql::Ident(proto_.name()),
                                                             " of domain ", name_.Quoted()));
    SetSql(step->mutable_action(),
           {{"ALTER DOMAIN ", SqlText::Name(name_), " DROP CONSTRAINT ", SqlText::Name(proto_.name())}});
    return absl::OkStatus();
  }

 private:
  const v1::DropDomainConstraint proto_;
  const sql::TableName name_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeDropDomainConstraint(const v1::DropDomainConstraint& proto) {
  ASSIGN_OR_RETURN(sql::TableName name, ObjectName(proto.domain()));
  return std::make_unique<DropDomainConstraint>(proto, std::move(name));
}

}  // namespace curlew::operations
