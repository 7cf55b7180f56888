#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "common/operations/operations.h"
#include "common/operations/privileges.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

class Revoke : public Operation {
 public:
  Revoke(const v1::RevokePrivileges& proto, std::vector<std::string> privileges)
      : proto_(proto), privileges_(std::move(privileges)), roles_(ReadRoles(proto.roles())) {}

  v1::Scope Scope() const override { return TableScope(proto_.table()); }

  absl::Status Apply(v1::Schema* schema) const override {
    ASSIGN_OR_RETURN(v1::Table * table, NamedTable(schema, proto_.table()));
    for (const std::string& name : proto_.columns()) RETURN_IF_ERROR(NamedColumn(*table, name).status());
    for (const std::string& role : roles_) {
      if (role == table->owner() && !role.empty()) {
        return absl::FailedPreconditionError(
            absl::StrCat(sql::Ident(role), " owns table ", schema::NameOf(*table).Quoted(),
                         " and can give itself every privilege again; give the table another owner by a "
                         "`sql` operation, or take the role out of the list"));
      }
      for (const std::string& privilege : privileges_) {
        if (!proto_.columns().empty() && FindPrivilege(table->grants(), role, privilege) != nullptr) {
          return absl::FailedPreconditionError(absl::StrCat(
              RoleSql(role).str(), " has ", privilege, " on the whole table ",
              schema::NameOf(*table).Quoted(),
              ", which taking it from columns does not change; revoke it on the table and grant it on the "
              "columns that it shall keep"));
        }
        Remove(table, role, privilege);
      }
    }
    return absl::OkStatus();
  }

  absl::Status Compile(const CompileContext& context, StepList* steps) const override {
    ASSIGN_OR_RETURN(const v1::Table* table, NamedTable(context.before, proto_.table()));
    const sql::TableName name = schema::NameOf(*table);
    bool held = false;
    for (const std::string& role : roles_) {
      for (const std::string& privilege : privileges_) {
        const bool has = Holds(*table, role, privilege);
        held = held || has;
        if (has && !role.empty() && Holds(*table, "", privilege)) {
          steps->Warn(absl::StrCat("revoke: ", sql::Ident(role), " keeps ", privilege, " on ", name.Quoted(),
                                   " because PUBLIC has it; revoke it from public, too"));
        }
      }
    }
    if (!held) {
      steps->Warn(absl::StrCat("revoke: the roles have none of these privileges on ", name.Quoted(),
                               "; the operation does nothing"));
      return absl::OkStatus();
    }
    AppendGrantorPreflight(*table, steps);
    SqlText what;
    for (const std::string& privilege : privileges_) {
      if (!what.empty()) what.Append({", "});
      what.Append({SqlText::Verified(privilege)});
      if (!proto_.columns().empty()) what.Append({" (", SqlText::NameList(proto_.columns()), ")"});
    }
    TableWork* work = steps->Work(*table);
    work->before_finish.push_back({"REVOKE ", what, " ON ", SqlText::Name(name), " FROM ", RoleList(roles_)});
    work->finish_titles.push_back(absl::StrCat("revoke ", absl::StrJoin(proto_.privileges(), ", "), " on ",
                                               sql::Ident(table->name()), " from ", RoleList(roles_).str()));
    steps->Warn(absl::StrCat("revoke: nobody can see whether an application still needs ",
                             absl::StrJoin(proto_.privileges(), ", "), " on ", name.Quoted(),
                             "; approve the gate when those that did are gone"));
    return absl::OkStatus();
  }

 private:
  // With a privilege on the table go those on its columns.
  void Remove(v1::Table* table, const std::string& role, const std::string& privilege) const {
    if (proto_.columns().empty()) RemovePrivilege(role, privilege, table->mutable_grants());
    for (v1::Column& column : *table->mutable_columns()) {
      if (Concerns(column)) RemovePrivilege(role, privilege, column.mutable_grants());
    }
  }

  bool Holds(const v1::Table& table, const std::string& role, const std::string& privilege) const {
    if (proto_.columns().empty() && FindPrivilege(table.grants(), role, privilege) != nullptr) return true;
    for (const v1::Column& column : table.columns()) {
      if (Concerns(column) && FindPrivilege(column.grants(), role, privilege) != nullptr) return true;
    }
    return false;
  }

  bool Concerns(const v1::Column& column) const {
    if (proto_.columns().empty()) return true;
    for (const std::string& name : proto_.columns()) {
      if (name == column.name()) return true;
    }
    return false;
  }

  // What others than the owner gave stays; and what the roles gave on keeps theirs from going.
  void AppendGrantorPreflight(const v1::Table& table, StepList* steps) const {
    SqlText roles, privileges;
    for (const std::string& role : roles_) {
      if (!roles.empty()) roles.Append({", "});
      roles.Append({SqlText::String(role)});
    }
    for (const std::string& privilege : privileges_) {
      if (!privileges.empty()) privileges.Append({", "});
      privileges.Append({SqlText::String(privilege)});
    }
    const std::string name = schema::NameOf(table).Quoted();
    AppendCataloguePreflight(
        table,
        absl::StrCat("none of the privileges to revoke on ", name,
                     " was given, or given on, by another role"),
        {"SELECT count(*) FROM (SELECT c.relowner, x.* FROM pg_catalog.pg_class AS c CROSS JOIN LATERAL "
         "pg_catalog.aclexplode(c.relacl) AS x WHERE c.oid = ",
         SqlText::String(name),
         "::pg_catalog.regclass UNION ALL SELECT c.relowner, x.* FROM pg_catalog.pg_class AS c JOIN "
         "pg_catalog.pg_attribute AS a ON a.attrelid = c.oid CROSS JOIN LATERAL "
         "pg_catalog.aclexplode(a.attacl) AS x WHERE c.oid = ",
         SqlText::String(name),
         "::pg_catalog.regclass) AS held LEFT JOIN pg_catalog.pg_roles AS g ON g.oid = held.grantee LEFT "
         "JOIN "
         "pg_catalog.pg_roles AS o ON o.oid = held.grantor WHERE held.privilege_type = ANY (ARRAY[",
         privileges, "]) AND held.grantor <> held.relowner AND (COALESCE(g.rolname, '') = ANY (ARRAY[", roles,
         "]) OR o.rolname = ANY (ARRAY[", roles, "]))"},
        "Let those who gave the privileges revoke them first, then resume the rollout.", steps);
  }

  const v1::RevokePrivileges proto_;
  const std::vector<std::string> privileges_;
  const std::vector<std::string> roles_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Operation>> MakeRevoke(const v1::RevokePrivileges& proto) {
  ASSIGN_OR_RETURN(std::vector<std::string> privileges,
                   ReadPrivileges(proto.privileges(),
                                  proto.columns().empty() ? PrivilegesOf::kTable : PrivilegesOf::kColumns));
  return std::make_unique<Revoke>(proto, std::move(privileges));
}

}  // namespace curlew::operations
