#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/operations/policy.h"
#include "common/operations/privileges.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class CreatePolicy : public Operation {
 public:
  CreatePolicy(const v1::CreatePolicy& proto, std::optional<sql::Expression> visible,
               std::optional<sql::Expression> writable)
      : proto_(proto),
        roles_(ReadRoles(proto.roles())),
        using_(std::move(visible)),
        with_check_(std::move(writable)) {
    std::sort(roles_.begin(), roles_.end());
  }

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    if (FindPolicy(*table, proto_.name()) != nullptr) {
      return absl::FailedPreconditionError(absl::StrCat(
          "table ", schema::NameOf(*table).Quoted(), " already has a policy named ",
          sql::Ident(proto_.name()), "; choose another name, or put drop_policy before this operation"));
    }
    v1::Policy policy;
    policy.set_name(proto_.name());
    std::set<std::string> columns;
    for (const auto* expression : {&using_, &with_check_}) {
      if (!expression->has_value()) continue;
      RETURN_IF_ERROR(CheckColumnsExist(*table, **expression));
      columns.insert((*expression)->columns().begin(), (*expression)->columns().end());
    }
    for (const std::string& column : columns) policy.add_columns(column);
    policy.set_clauses(Clauses().str());
    policy.set_definition(policy.clauses());
    auto* policies = table->mutable_policies();
    *policies->Add() = std::move(policy);
    std::sort(policies->begin(), policies->end(),
              [](const v1::Policy& a, const v1::Policy& b) { return a.name() < b.name(); });
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    const v1::Table* now = schema::FindTable(context.now, name);
    if (now != nullptr && FindPolicy(*now, proto_.name()) != nullptr) {
      return NeedsLaterStage(absl::StrCat("the name ", sql::Ident(proto_.name()), " of a policy of ",
                                          name.Quoted(),
                                          " is in use; choose another name, or drop it first"));
    }
    AppendRolesPreflight(roles_, steps);
    if (proto_.restrictive() && !table->row_security().empty()) {
      steps->Warn(absl::StrCat("create_policy: row-level security of ", name.Quoted(), " is on, so that ",
                               sql::Ident(proto_.name()),
                               " hides rows from applications at once, the old ones too"));
    } else if (table->row_security().empty() && schema::FindTable(context.after, name) != nullptr &&
               schema::FindTable(context.after, name)->row_security().empty()) {
      steps->Warn(absl::StrCat("create_policy: row-level security of ", name.Quoted(), " is off, so that ",
                               sql::Ident(proto_.name()), " means nothing until set_row_security"));
    }
    v1::Step* step = steps->Add(v1::PHASE_CONSTRAIN, absl::StrCat("create policy ", sql::Ident(proto_.name()),
                                                                  " on ", sql::Ident(table->name())));
    const SqlText on = {SqlText::Name(proto_.name()), " ON ", SqlText::Name(name)};
    SetSql(step->mutable_action(), {{"CREATE POLICY ", on, " ", Clauses()}});
    SetSql(step->mutable_undo(), {{"DROP POLICY IF EXISTS ", on}});
    AddLock(step, name, kAccessExclusive);
    return absl::OkStatus();
  }

 private:
  SqlText Command() const {
    switch (proto_.command()) {
      case v1::POLICY_COMMAND_SELECT:
        return {"SELECT"};
      case v1::POLICY_COMMAND_INSERT:
        return {"INSERT"};
      case v1::POLICY_COMMAND_UPDATE:
        return {"UPDATE"};
      case v1::POLICY_COMMAND_DELETE:
        return {"DELETE"};
      case v1::POLICY_COMMAND_UNSPECIFIED:
      default:
        return {"ALL"};
    }
  }

  // As the schema writes them.
  SqlText Clauses() const {
    SqlText clauses = {proto_.restrictive() ? SqlText{"AS RESTRICTIVE"} : SqlText{"AS PERMISSIVE"}, " FOR ",
                       Command(), " TO ", roles_.empty() ? RoleSql("") : RoleList(roles_)};
    if (using_.has_value()) clauses.Append({" USING (", SqlText::Verified(using_->text()), ")"});
    if (with_check_.has_value()) {
      clauses.Append({" WITH CHECK (", SqlText::Verified(with_check_->text()), ")"});
    }
    return clauses;
  }

  const v1::CreatePolicy proto_;
  std::vector<std::string> roles_;
  const std::optional<sql::Expression> using_, with_check_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeCreatePolicy(const v1::CreatePolicy& proto) {
  if (proto.using_().empty() && proto.with_check().empty()) {
    return absl::InvalidArgumentError(
        "a policy without a condition is refused; give `using`, `with_check`, or both");
  }
  if (proto.command() == v1::POLICY_COMMAND_INSERT && !proto.using_().empty()) {
    return absl::InvalidArgumentError("using: an INSERT sees no row; give `with_check` instead");
  }
  if ((proto.command() == v1::POLICY_COMMAND_SELECT || proto.command() == v1::POLICY_COMMAND_DELETE) &&
      !proto.with_check().empty()) {
    return absl::InvalidArgumentError("with_check: SELECT and DELETE write no row; give `using` instead");
  }
  for (const std::string& role : proto.roles()) {
    if (role != "public" || proto.roles_size() == 1) continue;
    return absl::InvalidArgumentError("roles: public means everybody; name it alone, or leave it out");
  }
  std::optional<sql::Expression> visible, writable;
  if (!proto.using_().empty()) {
    ASSIGN_OR_RETURN(visible, sql::Expression::Parse(proto.using_()));
  }
  if (!proto.with_check().empty()) {
    ASSIGN_OR_RETURN(writable, sql::Expression::Parse(proto.with_check()));
  }
  return std::make_unique<CreatePolicy>(proto, std::move(visible), std::move(writable));
}

}  // namespace curlew::operations
