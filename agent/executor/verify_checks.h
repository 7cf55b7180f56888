// Queries that must find nothing.
#ifndef CURLEW_AGENT_EXECUTOR_VERIFY_CHECKS_H_
#define CURLEW_AGENT_EXECUTOR_VERIFY_CHECKS_H_

#include <vector>

#include "absl/status/status.h"
#include "agent/attempt/run_context.h"
#include "agent/executor/finding.h"
#include "common/pg/connection.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// Runs the checks in the transaction that is open on `connection`, and appends to `findings` where one does
// not hold, or cannot be computed: a query that fails does not end it. CANCELLED; errors as in
// common/pg/error.h where the world is to blame.
absl::Status RunChecks(const RunContext& context, const v1::Verify& action, pg::Connection* connection,
                       std::vector<Finding>* findings);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_VERIFY_CHECKS_H_
