// Queries whose answers must hold.
#ifndef CURLEW_AGENT_EXECUTOR_VERIFY_CHECKS_H_
#define CURLEW_AGENT_EXECUTOR_VERIFY_CHECKS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
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

// Runs a query in a savepoint of the transaction that is open on `connection`, and which goes on where it
// fails.
absl::StatusOr<pg::Result> InSavepoint(const RunContext& context, pg::Connection* connection,
                                       const std::string& sql);

// Looks in the same way whether the triggers are there and fire always.
absl::Status CheckTriggers(const v1::Verify& action, pg::Connection* connection,
                           std::vector<Finding>* findings);

// Compares in the same way what must be unchanged with what the run has measured before, and answers with
// what is expected.
absl::Status CompareValues(const RunContext& context, const v1::Verify& action, pg::Connection* connection,
                           std::vector<Finding>* findings);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_VERIFY_CHECKS_H_
