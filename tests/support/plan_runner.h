// Runs the SQL of a compiled plan on one connection, without an agent: for tests of what the compiler writes.
#ifndef CURLEW_TESTS_SUPPORT_PLAN_RUNNER_H_
#define CURLEW_TESTS_SUPPORT_PLAN_RUNNER_H_

#include "common/pg/connection.h"
#include "curlew/v1/step.pb.h"

namespace curlew::testing {

// Runs one action: the statements in one transaction (and one before for each partition), a backfill as one
// UPDATE or DELETE in a transaction with the setting that the agent makes, an index of a partitioned table in
// one statement, under whose locks the table stands meanwhile. A Verify fails with FAILED_PRECONDITION where
// a count is not 0, an answer is another one, a trigger does not fire or a value is not the one that a
// Measure noted in this session. Waits hold; of backups nothing is made.
absl::Status RunAction(pg::Connection* connection, const v1::Action& action);

// Runs the steps, in order, up to the first one of a phase after `last`: where a plan has several stages,
// that is within the first, unless `last` is PHASE_DROP.
absl::Status RunPhases(pg::Connection* connection, const v1::CompiledPlan& plan, v1::Phase last);

// Runs the undo of the steps that RunPhases runs, in reverse.
absl::Status UndoPhases(pg::Connection* connection, const v1::CompiledPlan& plan, v1::Phase last);

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_SUPPORT_PLAN_RUNNER_H_
