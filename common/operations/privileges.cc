#include "common/operations/privileges.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/schema/schema.h"

namespace curlew::operations {
namespace {

using sql::SqlText;

bool Is(const v1::Privilege& held, absl::string_view role, absl::string_view privilege) {
  return held.grantee() == role && held.privilege() == privilege;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> ReadPrivileges(
    const google::protobuf::RepeatedPtrField<std::string>& names, PrivilegesOf of) {
  static const auto* const of_columns = new std::set<std::string>{"insert", "references", "select", "update"};
  static const auto* const of_tables =
      new std::set<std::string>{"delete", "insert", "references", "select", "trigger", "truncate", "update"};
  const std::set<std::string>& known = of == PrivilegesOf::kColumns ? *of_columns : *of_tables;
  std::vector<std::string> privileges;
  for (const std::string& name : names) {
    if (known.count(name) == 0) {
      return absl::InvalidArgumentError(absl::StrCat("privileges: \"", name, "\" is no privilege of a ",
                                                     of == PrivilegesOf::kColumns ? "column" : "table",
                                                     "; there are: ", absl::StrJoin(known, ", ")));
    }
    privileges.push_back(absl::AsciiStrToUpper(name));
  }
  return privileges;
}

std::vector<std::string> ReadRoles(const google::protobuf::RepeatedPtrField<std::string>& roles) {
  std::vector<std::string> read;
  for (const std::string& role : roles) read.push_back(role == "public" ? "" : role);
  return read;
}

SqlText RoleSql(absl::string_view role) {
  if (role.empty()) return {"PUBLIC"};
  return SqlText::Name(role);
}

SqlText RoleList(const std::vector<std::string>& roles) {
  SqlText list;
  for (const std::string& role : roles) {
    if (!list.empty()) list.Append({", "});
    list.Append({RoleSql(role)});
  }
  return list;
}

const v1::Privilege* FindPrivilege(const PrivilegeList& list, absl::string_view role,
                                   absl::string_view privilege) {
  const auto found = std::find_if(list.begin(), list.end(),
                                  [&](const v1::Privilege& held) { return Is(held, role, privilege); });
  return found == list.end() ? nullptr : &*found;
}

void AddPrivilege(absl::string_view role, absl::string_view privilege, bool grantable, PrivilegeList* list) {
  for (v1::Privilege& held : *list) {
    if (!Is(held, role, privilege)) continue;
    held.set_grantable(held.grantable() || grantable);
    return;
  }
  v1::Privilege* added = list->Add();
  added->set_grantee(std::string(role));
  added->set_privilege(std::string(privilege));
  added->set_grantable(grantable);
  std::sort(list->begin(), list->end(), [](const v1::Privilege& a, const v1::Privilege& b) {
    return std::tie(a.grantee(), a.privilege()) < std::tie(b.grantee(), b.privilege());
  });
}

void RemovePrivilege(absl::string_view role, absl::string_view privilege, PrivilegeList* list) {
  list->erase(std::remove_if(list->begin(), list->end(),
                             [&](const v1::Privilege& held) { return Is(held, role, privilege); }),
              list->end());
}

void AppendRolesPreflight(const std::vector<std::string>& roles, StepList* steps) {
  SqlText names;
  for (const std::string& role : roles) {
    if (role.empty()) continue;
    if (!names.empty()) names.Append({", "});
    names.Append({SqlText::String(role)});
  }
  if (names.empty()) return;
  AppendCataloguePreflight(
      absl::StrCat("there are the roles ", RoleList(roles).str()),
      {"SELECT count(*) FROM pg_catalog.unnest(ARRAY[", names,
       "]::pg_catalog.text[]) AS given (name) WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE "
       "r.rolname = given.name::pg_catalog.name)"},
      "Create the roles on this server, or take them out of the plan, then resume the rollout.", steps);
}

}  // namespace curlew::operations
