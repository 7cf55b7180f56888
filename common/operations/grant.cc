#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/operations/privileges.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class Grant : public Operation {
 public:
  Grant(const v1::GrantPrivileges& proto, std::vector<std::string> privileges)
      : proto_(proto), privileges_(std::move(privileges)), roles_(ReadRoles(proto.roles())) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    std::vector<PrivilegeList*> lists;
    if (proto_.columns().empty()) lists.push_back(table->mutable_grants());
    for (const std::string& name : proto_.columns()) {
      ASSIGN_OR_RETURN(v1::Column * column, NamedColumn(table, name));
      lists.push_back(column->mutable_grants());
    }
    for (PrivilegeList* list : lists) {
      for (const std::string& role : roles_) {
        if (role == table->owner() && !role.empty()) continue;
        for (const std::string& privilege : privileges_) {
          AddPrivilege(role, privilege, proto_.grant_option(), list);
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    const SqlText on = {" ON ", SqlText::Name(name)};
    std::vector<SqlText> grants, undo;
    for (const std::string& role : roles_) {
      if (role == table->owner() && !role.empty()) {
        steps->Warn(absl::StrCat("grant: ", sql::Ident(role), " owns ", name.Quoted(),
                                 " and has all privileges without it"));
        continue;
      }
      ASSIGN_OR_RETURN(const Missing missing, FindMissing(context, *table, role));
      if (missing.give.empty()) continue;
      const SqlText to = {on, " TO ", RoleSql(role)}, from = {on, " FROM ", RoleSql(role)};
      grants.push_back({"GRANT ", missing.give, to, WithGrantOption()});
      // What the role gives on meanwhile hangs on this alone.
      const SqlText cascade = proto_.grant_option() ? SqlText{" CASCADE"} : SqlText();
      if (!missing.take.empty()) undo.push_back({"REVOKE ", missing.take, from, cascade});
      if (!missing.take_option.empty()) {
        undo.push_back({"REVOKE GRANT OPTION FOR ", missing.take_option, from, cascade});
      }
      if (!missing.keep.empty()) undo.push_back({"GRANT ", missing.keep, to});
      if (!missing.keep_option.empty()) {
        undo.push_back({"GRANT ", missing.keep_option, to, " WITH GRANT OPTION"});
      }
    }
    if (grants.empty()) {
      steps->Warn(absl::StrCat("grant: the roles have these privileges on ", name.Quoted(),
                               " already; the operation does nothing"));
      return absl::OkStatus();
    }
    AppendRolesPreflight(roles_, steps);
    v1::Step* step =
        steps->Add(v1::PHASE_ADD, absl::StrCat("grant ", absl::StrJoin(proto_.privileges(), ", "), " on ",
                                               sql::Ident(table->name()), " to ", RoleList(roles_).str()));
    SetSql(step->mutable_action(), grants);
    if (!undo.empty()) SetSql(step->mutable_undo(), undo);
    return absl::OkStatus();
  }

 private:
  SqlText WithGrantOption() const {
    return proto_.grant_option() ? SqlText{" WITH GRANT OPTION"} : SqlText();
  }

  // What one role lacks, as lists of SQL ("SELECT, UPDATE (a)"), and what the undo makes of it.
  struct Missing {
    SqlText give;
    SqlText take, take_option;
    // With a privilege on the table PostgreSQL takes away those on its columns: given back.
    SqlText keep, keep_option;
  };

  static void AddTo(SqlText* list, const std::string& privilege, const std::string& column) {
    if (!list->empty()) list->Append({", "});
    list->Append({SqlText::Verified(privilege)});
    if (!column.empty()) list->Append({" (", SqlText::Name(column), ")"});
  }

  absl::StatusOr<Missing> FindMissing(const CompileContext& context, const v1::Table& table,
                                      const std::string& role) const {
    const sql::TableName name = schema::NameOf(table);
    std::vector<std::string> columns(proto_.columns().begin(), proto_.columns().end());
    if (columns.empty()) columns.emplace_back();  // the table
    Missing missing;
    for (const std::string& privilege : privileges_) {
      for (const std::string& column : columns) {
        const v1::Privilege* held = Held(table, column, role, privilege);
        if (held != nullptr && (held->grantable() || !proto_.grant_option())) continue;
        RETURN_IF_ERROR(CheckNotTakenAway(context, name, column, role, privilege));
        AddTo(&missing.give, privilege, column);
        // What the stage adds goes with its privileges.
        if (column.empty() ? !context.ExistsNow(name) : !context.ExistsNow(name, column)) continue;
        AddTo(held == nullptr ? &missing.take : &missing.take_option, privilege, column);
        if (!column.empty() || held != nullptr) continue;
        for (const v1::Column& c : table.columns()) {
          const v1::Privilege* own = FindPrivilege(c.grants(), role, privilege);
          if (own == nullptr || !context.ExistsNow(name, c.name())) continue;
          AddTo(own->grantable() ? &missing.keep_option : &missing.keep, privilege, c.name());
        }
      }
    }
    return missing;
  }

  // By the role itself on exactly this; `column` may be empty.
  static const v1::Privilege* Held(const v1::Table& table, const std::string& column, const std::string& role,
                                   const std::string& privilege) {
    if (column.empty()) return FindPrivilege(table.grants(), role, privilege);
    const v1::Column* found = schema::FindColumn(table, column);
    return found == nullptr ? nullptr : FindPrivilege(found->grants(), role, privilege);
  }

  // A revoke before this one in the plan runs in DROP, and would take away what is given here.
  static absl::Status CheckNotTakenAway(const CompileContext& context, const sql::TableName& name,
                                        const std::string& column, const std::string& role,
                                        const std::string& privilege) {
    const v1::Table* now = schema::FindTable(context.now, name);
    const v1::Table* before = schema::FindTable(context.before, name);
    // Taken from the table, it goes from its columns too.
    bool taken = false;
    for (const std::string& held : {std::string(), column}) {
      taken = taken || (now != nullptr && Held(*now, held, role, privilege) != nullptr &&
                        Held(*before, held, role, privilege) == nullptr);
    }
    if (!taken) return absl::OkStatus();
    return NeedsLaterStage(absl::StrCat(privilege, " on ", name.Quoted(), " is taken from ",
                                        RoleSql(role).str(), " by this very plan"));
  }

  const v1::GrantPrivileges proto_;
  const std::vector<std::string> privileges_;
  const std::vector<std::string> roles_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeGrant(const v1::GrantPrivileges& proto) {
  ASSIGN_OR_RETURN(std::vector<std::string> privileges,
                   ReadPrivileges(proto.privileges(),
                                  proto.columns().empty() ? PrivilegesOf::kTable : PrivilegesOf::kColumns));
  if (proto.grant_option()) {
    for (const std::string& role : proto.roles()) {
      if (role != "public") continue;
      return absl::InvalidArgumentError(
          "grant_option: PostgreSQL gives it to roles, not to everybody; name the roles");
    }
  }
  return std::make_unique<Grant>(proto, std::move(privileges));
}

}  // namespace curlew::operations
