// Questions to a target that are answered by yes or no.
#ifndef CURLEW_AGENT_CHECKS_RUN_CHECK_H_
#define CURLEW_AGENT_CHECKS_RUN_CHECK_H_

#include <string>

#include "agent/checks/check_config.h"
#include "common/pg/connection.h"
#include "curlew/v1/agent.pb.h"

namespace curlew::agent {

// Makes the check in a read-only transaction with search_path pg_catalog, public and a time-out: that of the
// request, or the configuration's where that is shorter; 10 s where neither says. PASSING for true, FAILING
// for false and NULL; ERROR, with what was found, for all else: what is no single SELECT, no row or several,
// no boolean, more than one column besides, a name that the configuration does not have, errors of
// PostgreSQL. Of those the message has SQLSTATE and first line, never DETAIL. It is made as `role`
// (agent/guard/check_role.h). Never fails. The connection is used, not kept; it may not be in a transaction.
v1::CheckReport MakeCheck(pg::Connection* connection, const v1::RunCheck& request,
                          const CheckConfigs& configured, const std::string& role);

// The answer to a check that cannot be made.
v1::CheckReport CheckError(const v1::RunCheck& request, const std::string& message);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_CHECKS_RUN_CHECK_H_
