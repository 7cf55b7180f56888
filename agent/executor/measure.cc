#include <string>

#include "absl/strings/str_cat.h"
#include "agent/executor/executors.h"
#include "agent/executor/finding.h"
#include "agent/executor/words.h"
#include "agent/journal/backup_journal.h"
#include "agent/journal/fenced_transaction.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

// What PostgreSQL says of an expression may hold values.
absl::Status Failed(const RunContext& context, const v1::Measurement& measurement,
                    const absl::Status& status) {
  if (absl::IsCancelled(status) || pg::BlameFor(status) != pg::Blame::kWork)
    return base::Annotate(status, absl::StrCat("measuring ", measurement.name()));
  return base::WithDetail(absl::FailedPreconditionError(absl::StrCat(
                              "measuring ", measurement.name(), ": ",
                              CannotBeComputed(status, false, context.row_keys == RowKeys::kReport))),
                          base::kHint, "correct it in the plan's verify, or mend the rows");
}

absl::StatusOr<Measurements> Look(const RunContext& context, const v1::Measure& action) {
  ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
  const CancelToken::Interruptible interruptible(context.cancel, lease.get());
  ASSIGN_OR_RETURN(const auto snapshot,
                   pg::Transaction::Begin(lease.get(), pg::Transaction::Mode::kReadOnlySnapshot));
  // A policy that hides rows is an error, not another value.
  RETURN_IF_ERROR(
      snapshot->Execute("SET LOCAL statement_timeout = 0; SET LOCAL row_security = off").status());
  RETURN_IF_ERROR(snapshot->Execute(SearchPathWithoutOurSchema(SettingScope::kTransaction)).status());
  Measurements values;
  for (int i = 0; i < action.measurements_size(); ++i) {
    const v1::Measurement& measurement = action.measurements(i);
    RETURN_IF_ERROR(context.cancel->Check());
    v1::Progress progress;
    progress.set_fraction(static_cast<double>(i) / action.measurements_size());
    progress.set_message(absl::StrCat("measures ", measurement.description()));
    context.progress->Report(progress);
    const absl::StatusOr<pg::Result> rows = snapshot->Execute(measurement.query());
    if (!rows.ok()) return Failed(context, measurement, rows.status());
    if (rows->size() != 1 || rows->columns().size() != 1) {
      return absl::InvalidArgumentError(absl::StrCat("measuring ", measurement.name(),
                                                     ": the query has to give one row of one column, and "
                                                     "gives ",
                                                     rows->size(), " of ", rows->columns().size()));
    }
    values[measurement.name()] = rows->IsNull(0, 0) ? std::nullopt : std::optional(rows->Text(0, 0));
  }
  return values;
}

}  // namespace

absl::StatusOr<StepResult> RunMeasure(const RunContext& context, const v1::Measure& action) {
  ASSIGN_OR_RETURN(const Measurements values, Look(context, action));
  ASSIGN_OR_RETURN(const auto lease, context.pool->Acquire());
  const CancelToken::Interruptible interruptible(context.cancel, lease.get());
  ASSIGN_OR_RETURN(auto transaction, FencedTransaction::Begin(lease.get(), context.attempt.fence(), {}));
  RETURN_IF_ERROR(RecordMeasurements(transaction, context.attempt.run, values));
  RETURN_IF_ERROR(RecordSuccess(transaction, context.attempt, 0));
  base::FaultPoint("measure.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  return StepResult{.summary = absl::StrCat(CountOf(static_cast<int64_t>(values.size()), "value"), " noted")};
}

}  // namespace curlew::agent
