// The role of questions that are not a plan's: checks and throttle queries.
#ifndef CURLEW_AGENT_GUARD_CHECK_ROLE_H_
#define CURLEW_AGENT_GUARD_CHECK_ROLE_H_

#include <string>

#include "absl/status/status.h"
#include "common/pg/connection.h"

namespace curlew::agent {

// Takes the role (`check_role` of the agent's configuration, not quoted) on for what is left of the open
// transaction; for "" the session's own stays. PERMISSION_DENIED, with what to grant, where the session may
// not; other errors as in common/pg/error.h.
absl::Status TakeCheckRole(pg::Connection* connection, const std::string& role);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_CHECK_ROLE_H_
