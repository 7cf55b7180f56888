#include "agent/guard/check_role.h"

#include "absl/strings/str_cat.h"
#include "common/pg/error.h"
#include "common/sql/identifier.h"

namespace curlew::agent {

absl::Status TakeCheckRole(pg::Connection* connection, const std::string& role) {
  if (role.empty()) return absl::OkStatus();
  const std::string name = sql::Ident(role);
  const absl::Status taken = connection->Execute(absl::StrCat("SET LOCAL ROLE ", name)).status();
  const std::string sqlstate = pg::Sqlstate(taken);
  if (sqlstate == "42501") {
    return absl::PermissionDeniedError(
        absl::StrCat("the agent may not act as check_role ", name, ": GRANT ", name,
                     " TO the agent's role, or correct check_role in the agent's configuration"));
  }
  if (sqlstate == "22023") {
    return absl::PermissionDeniedError(absl::StrCat(
        "check_role ", name, " does not exist: make it (curlew-agent bootstrap-sql --check-role ", name,
        "), or correct check_role in the agent's configuration"));
  }
  return taken;
}

}  // namespace curlew::agent
