#include "agent/executor/backfill_batch.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/base/fault_point.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

// While a batch waits for one row it holds others: not for long.
constexpr absl::Duration kRowLockTimeout = absl::Milliseconds(100);

}  // namespace

BackfillBatch::BackfillBatch(const RunContext& context, const v1::Backfill& action,
                             pg::Connection* connection, uint32_t table_oid)
    : context_(context),
      action_(action),
      connection_(connection),
      setup_(absl::StrCat("SET LOCAL curlew.backfill = '", table_oid, "'; SET LOCAL jit = off")) {}

absl::StatusOr<FencedTransaction> BackfillBatch::Begin() {
  ASSIGN_OR_RETURN(auto transaction,
                   FencedTransaction::Begin(connection_, context_.attempt.epoch,
                                            {.lock_timeout = kRowLockTimeout,
                                             .search_path = action_.search_path(),
                                             .durability = FencedTransaction::Durability::kAsynchronous}));
  RETURN_IF_ERROR(transaction.Execute(setup_).status());
  return transaction;
}

std::string BackfillBatch::Statement(const std::string& leaf, TidNumber from, TidNumber to) const {
  const std::string where = absl::StrCat(" WHERE ", TidRangeSql(from, to), " AND (",
                                         action_.pending().empty() ? "true" : action_.pending(), ")");
  if (action_.deletes()) return absl::StrCat("DELETE FROM ONLY ", leaf, " AS t", where);
  const std::string assignments =
      absl::StrJoin(action_.assignments(), ", ", [](std::string* out, const v1::Assignment& assignment) {
        absl::StrAppend(out, assignment.column(), " = (", assignment.expression(), ")");
      });
  return absl::StrCat("UPDATE ONLY ", leaf, " AS t SET ", assignments, where);
}

absl::StatusOr<BackfillBatch::Done> BackfillBatch::Run(const BackfillCursor& cursor, int64_t end, Look look) {
  Done done;
  ASSIGN_OR_RETURN(auto transaction, Begin());
  ASSIGN_OR_RETURN(
      const pg::Result written,
      transaction.Execute(Statement(cursor.leaf_name, FirstTid(cursor.next_block), FirstTid(end))));
  done.rows = written.affected();
  ASSIGN_OR_RETURN(const bool advanced,
                   AdvanceCursor(transaction, context_.attempt, cursor.leaf, end, done.rows));
  if (!advanced) {
    transaction.Rollback();
    return Done{.rewritten = true};
  }
  if (look == Look::kAtPressure) {
    ASSIGN_OR_RETURN(done.pressure, ReadPressure(connection_));
  }
  base::FaultPoint("backfill.before_commit");
  RETURN_IF_ERROR(transaction.Commit());
  base::FaultPoint("backfill.after_commit");
  return done;
}

absl::Status BackfillBatch::Diagnose(const BackfillCursor& cursor, int64_t end, const absl::Status& failure) {
  const auto probe = [&](TidNumber from, TidNumber to) -> absl::Status {
    RETURN_IF_ERROR(context_.cancel->Check());
    ASSIGN_OR_RETURN(auto transaction, Begin());
    const absl::Status status = transaction.Execute(Statement(cursor.leaf_name, from, to)).status();
    transaction.Rollback();
    return status;
  };
  // What fails without a single row is no row's fault: a function that does not exist, say.
  const TidNumber first = FirstTid(cursor.next_block);
  if (absl::Status status = probe(first, first); !status.ok()) return status;
  absl::Status row_failure = failure;
  ASSIGN_OR_RETURN(const std::optional<TidNumber> tid,
                   FindFailingTid(first, FirstTid(end), probe, &row_failure));
  if (!tid.has_value()) return absl::OkStatus();
  return DescribeRow({.oid = cursor.leaf, .name = cursor.leaf_name}, *tid, row_failure);
}

absl::Status BackfillBatch::DescribeRow(const Leaf& leaf, TidNumber tid, const absl::Status& failure) {
  std::vector<std::string> expressions;
  if (action_.deletes()) {
    expressions.push_back(action_.pending());
  } else {
    for (const v1::Assignment& assignment : action_.assignments())
      expressions.push_back(assignment.expression());
  }
  const std::string setup =
      action_.search_path().empty() ? "" : absl::StrCat("SET LOCAL search_path = ", action_.search_path());
  ASSIGN_OR_RETURN(const int failing, FailingExpression(connection_, setup, leaf, tid, expressions));
  ASSIGN_OR_RETURN(const std::string key, RowKey(connection_, leaf, tid));
  const std::string sqlstate = pg::Sqlstate(failure);
  ASSIGN_OR_RETURN(auto transaction, Begin());
  RETURN_IF_ERROR(
      RecordProblem(transaction, context_.attempt, key, sqlstate, std::string(failure.message())));
  RETURN_IF_ERROR(transaction.Commit());

  const bool report = context_.row_keys == RowKeys::kReport;
  // What PostgreSQL says of a row may quote its values.
  absl::Status status = absl::InvalidArgumentError(
      absl::StrCat("a row of ", action_.table(), report ? absl::StrCat(", ", key, ",") : "", " cannot be ",
                   action_.deletes() ? "deleted: " : "filled: ", Culprit(failing), " failed with SQLSTATE ",
                   sqlstate, report ? absl::StrCat(": ", std::string(failure.message())) : ""));
  status = base::WithDetail(status, base::kSqlstate, sqlstate);
  if (report) status = base::WithDetail(status, base::kRowKeys, key);
  return base::WithDetail(
      status, base::kHint,
      action_.deletes()
          ? "the row stands in curlew.problem on the target: remove what holds it (a row that references it,"
            " say), then resume"
          : "the row stands in curlew.problem on the target: mend it, or roll back and mend the plan's"
            " expression, then resume");
}

std::string BackfillBatch::Culprit(int failing) const {
  if (failing >= 0) {
    return absl::StrCat(action_.deletes() ? "the condition on it" : "its expression (",
                        action_.deletes() ? "" : absl::StrCat(action_.assignments(failing).origin(), ")"));
  }
  return action_.deletes() ? "a foreign key or a trigger of the table"
                           : "what it is filled with, by a constraint or a trigger of the table,";
}

}  // namespace curlew::agent
