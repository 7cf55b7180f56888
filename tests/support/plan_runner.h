// Runs the SQL of a compiled plan on one connection, without an agent: for tests of what the compiler writes.
#ifndef CURLEW_TESTS_SUPPORT_PLAN_RUNNER_H_
#define CURLEW_TESTS_SUPPORT_PLAN_RUNNER_H_

#include "common/pg/connection.h"
#include "curlew/v1/step.pb.h"

namespace curlew::testing {

// Runs one action: the statements in one transaction, a backfill as one UPDATE in a transaction with the
// setting that the agent makes. A Verify fails with FAILED_PRECONDITION where a count is not 0. Waits hold.
absl::Status RunAction(pg::Connection* connection, const v1::Action& action);

// Runs all steps of phases up to `last`, in order.
absl::Status RunPhases(pg::Connection* connection, const v1::CompiledPlan& plan, v1::Phase last);

// Runs the undo of all steps of phases up to `last`, in reverse.
absl::Status UndoPhases(pg::Connection* connection, const v1::CompiledPlan& plan, v1::Phase last);

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_SUPPORT_PLAN_RUNNER_H_
