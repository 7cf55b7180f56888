#include "common/operations/named_type.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/catalogue.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

absl::Status NotThere(const v1::Schema& schema, const sql::TableName& name, absl::string_view wanted) {
  const std::string kind = KindOf(schema, name);
  if (kind.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(wanted, " ", name.Quoted(),
                     " does not exist; check the name and its schema (public where none is written)"));
  }
  return absl::FailedPreconditionError(
      absl::StrCat(name.Quoted(), " is no ", wanted, " but a ", kind, "; name another one"));
}

}  // namespace

v1::Scope TypeScope(absl::string_view name) {
  v1::Scope scope;
  scope.add_types(std::string(name));
  return scope;
}

absl::Status CheckEnumValue(absl::string_view value) {
  if (!value.empty() && value.size() <= 63) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("value ", sql::Literal(value), " has ", value.size(),
                   " bytes; choose one of 1 to 63 bytes, as PostgreSQL wants it"));
}

absl::StatusOr<v1::EnumType*> NamedEnum(v1::Schema* schema, const sql::TableName& name) {
  v1::EnumType* type = schema::FindEnum(schema, name.Quoted());
  if (type == nullptr) return NotThere(*schema, name, "enum type");
  return type;
}

absl::StatusOr<v1::Domain*> NamedDomain(v1::Schema* schema, const sql::TableName& name) {
  v1::Domain* domain = schema::FindDomain(schema, name.Quoted());
  if (domain == nullptr) return NotThere(*schema, name, "domain");
  return domain;
}

bool HasLabel(const v1::EnumType& type, absl::string_view label) {
  return std::find(type.labels().begin(), type.labels().end(), label) != type.labels().end();
}

std::string Labels(const v1::EnumType& type) {
  return absl::StrJoin(type.labels(), ", ", [](std::string* out, const std::string& label) {
    absl::StrAppend(out, sql::Literal(label));
  });
}

absl::StatusOr<sql::Expression> ParseDomainCheck(absl::string_view expression) {
  ASSIGN_OR_RETURN(sql::Expression parsed, sql::Expression::Parse(expression));
  for (const std::string& column : parsed.columns()) {
    if (column == "value") continue;
    return absl::InvalidArgumentError(absl::StrCat("expression names ", sql::Ident(column),
                                                   ": a domain knows no column; write VALUE for its value"));
  }
  return parsed;
}

absl::Status AddDomainCheck(absl::string_view name, const sql::Expression& expression, v1::Domain* domain) {
  for (const v1::Constraint& constraint : domain->constraints()) {
    if (constraint.name() != name) continue;
    return absl::FailedPreconditionError(absl::StrCat("domain ", domain->name(),
                                                      " already has a constraint named ", sql::Ident(name),
                                                      "; choose another name"));
  }
  v1::Constraint* constraint = domain->add_constraints();
  constraint->set_name(std::string(name));
  constraint->set_type(v1::CONSTRAINT_TYPE_CHECK);
  constraint->set_definition(absl::StrCat("CHECK ((", expression.text(), "))"));
  constraint->set_validated(true);
  std::sort(domain->mutable_constraints()->begin(), domain->mutable_constraints()->end(),
            [](const v1::Constraint& a, const v1::Constraint& b) { return a.name() < b.name(); });
  return absl::OkStatus();
}

}  // namespace curlew::operations
