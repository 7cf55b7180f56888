// Privileges and the roles that hold them: what grant, revoke and policies share.
#ifndef CURLEW_COMMON_OPERATIONS_PRIVILEGES_H_
#define CURLEW_COMMON_OPERATIONS_PRIVILEGES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/operations/operation.h"
#include "common/sql/sql_text.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

using PrivilegeList = google::protobuf::RepeatedPtrField<v1::Privilege>;

// Privileges as plans write them ("select") as the catalogue does ("SELECT"). INVALID_ARGUMENT for what is
// none of a table, or with `of_columns` none of a column.
enum class PrivilegesOf { kTable, kColumns };
absl::StatusOr<std::vector<std::string>> ReadPrivileges(
    const google::protobuf::RepeatedPtrField<std::string>& names, PrivilegesOf of);

// Roles as plans write them; "public" becomes "", as the schema writes it.
std::vector<std::string> ReadRoles(const google::protobuf::RepeatedPtrField<std::string>& roles);
// A role as SQL writes it, PUBLIC for "".
sql::SqlText RoleSql(absl::string_view role);
sql::SqlText RoleList(const std::vector<std::string>& roles);

// The entry, or nullptr.
const v1::Privilege* FindPrivilege(const PrivilegeList& list, absl::string_view role,
                                   absl::string_view privilege);
// Adds it in its place, or makes the one that is there grantable where this one is.
void AddPrivilege(absl::string_view role, absl::string_view privilege, bool grantable, PrivilegeList* list);
void RemovePrivilege(absl::string_view role, absl::string_view privilege, PrivilegeList* list);

// Preflight: the roles exist.
void AppendRolesPreflight(const std::vector<std::string>& roles, StepList* steps);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_PRIVILEGES_H_
