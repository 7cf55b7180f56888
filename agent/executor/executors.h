// The executors, one for each kind of step. Each does its work, and writes the journal, in fenced
// transactions, and is idempotent: after a crash at any instant it is run again and finishes. All return OK
// (the step is journaled as SUCCEEDED), CANCELLED, a status of common/pg/error.h, or one with base::kHint and
// base::kRowKeys.
#ifndef CURLEW_AGENT_EXECUTOR_EXECUTORS_H_
#define CURLEW_AGENT_EXECUTOR_EXECUTORS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/attempt/run_context.h"
#include "agent/executor/outcome.h"
#include "curlew/v1/step.pb.h"

namespace curlew::agent {

// Statements and journal row in one transaction, under a lock time-out, tried again until they get their
// locks; where there are none, the journal row alone. Before them, those for each leaf partition, in a
// transaction of its own, until a look finds no partition for which they were not run (ForEachLeaf).
absl::Status RunExecuteSql(const RunContext& context, const v1::ExecuteSql& action);

// Indexes made, dropped or built anew CONCURRENTLY: an intent first, then, on a session of its own that holds
// the work lock, what the catalogue says is still to do (an invalid leftover goes first), then the catalogue
// again. An index that could not be finished is removed at once: an invalid unique index would refuse rows.
// One that is there before the intent is not ours: ALREADY_EXISTS, and no intent is left. Undoes nothing
// where the step was never begun. For partitioned tables see partitioned_index.h, for EFFECT_REINDEXES
// reindex.h.
absl::Status RunExecuteSqlConcurrently(const RunContext& context, const v1::ExecuteSqlConcurrently& action);

// As RunExecuteSql; fails unless every trigger is there and enabled at the end of the transaction.
absl::Status RunInstallTrigger(const RunContext& context, const v1::InstallTrigger& action);

// Walks the heap of each leaf of the table once, by ctid ranges, up to the size that it had when the walk
// began, and fills rows that are pending, or deletes those that match, again and again until none does.
// See agent/executor/backfill.cc.
absl::StatusOr<StepResult> RunBackfill(const RunContext& context, const v1::Backfill& action);

// ALTER TABLE ... VALIDATE CONSTRAINT, on the table, or in a transaction of its own on each leaf partition
// that has such a constraint NOT VALID. Blocks no reads or writes, however long it reads.
absl::Status RunValidateConstraint(const RunContext& context, const v1::ValidateConstraint& action);

// Runs a statement over the rows of a table, in batches by key, each row once. Rows are those that were read.
absl::StatusOr<StepResult> RunTransformRows(const RunContext& context, const v1::TransformRows& action);

// All checks, values and scans in one snapshot that is walked to the end (shared_snapshot.h, table_scan.h);
// triggers first, and nothing else where one does not fire always. Rows that are pending still are filled
// where the plan says how, and all is looked at again. FAILED_PRECONDITION with all findings. Rows are those
// looked at.
absl::StatusOr<StepResult> RunVerify(const RunContext& context, const v1::Verify& action);

// ANALYZE; before it, where the plan asks for it, VACUUM of the heaps that are bloated, or of all (vacuum.h).
// The summary says how much the run made the table grow. With an override nothing is run: the step is
// journaled as done, and the summary says who skipped it and why.
absl::StatusOr<StepResult> RunAnalyze(const RunContext& context, const v1::Analyze& action);

// Waits until the condition holds, however long that takes; only a cancel ends it. With an override it does
// not look at the condition at all.
absl::Status RunWait(const RunContext& context, const v1::Wait& action);

// Makes a way back, or sees to one, and journals what and where it is with the step. Where the agent lacks
// what it needs, FAILED_PRECONDITION or PERMISSION_DENIED says so. A finished dump that the journal knows is
// not made again; a restore point is made anew by each attempt, under a name of its own.
absl::StatusOr<StepResult> RunBackup(const RunContext& context, const v1::Backup& action);

// Notes values of one read-only snapshot in the journal, with the step. A query that does not return one row
// of one column is INVALID_ARGUMENT.
absl::StatusOr<StepResult> RunMeasure(const RunContext& context, const v1::Measure& action);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_EXECUTOR_EXECUTORS_H_
