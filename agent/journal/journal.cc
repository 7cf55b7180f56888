#include "agent/journal/journal.h"

#include "absl/strings/str_cat.h"
#include "common/base/canonical_json.h"
#include "common/base/status_macros.h"
#include "google/protobuf/util/json_util.h"

namespace curlew::agent {
namespace {

std::string DirectionText(v1::Direction direction) { return direction == v1::DIRECTION_UNDO ? "undo" : "do"; }

}  // namespace

absl::Status PinPlan(FencedTransaction& transaction, const std::string& run, const v1::CompiledPlan& compiled,
                     const std::string& digest) {
  RETURN_IF_ERROR(transaction
                      .Execute("INSERT INTO curlew.run (run, plan_name, compiled_digest, compiled)"
                               " VALUES ($1, $2, $3, $4::json) ON CONFLICT (run) DO NOTHING",
                               {run, compiled.plan_name(), digest, base::CanonicalJson(compiled)})
                      .status());
  ASSIGN_OR_RETURN(const pg::Result pinned,
                   transaction.Execute("SELECT compiled_digest FROM curlew.run WHERE run = $1", {run}));
  if (pinned.Text(0, 0) == digest) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat("run ", run, " is pinned to the compiled plan ",
                                                    pinned.Text(0, 0), ", which cannot be replaced by ",
                                                    digest));
}

absl::StatusOr<std::optional<PinnedPlan>> ReadPlan(pg::Connection* connection, const std::string& run) {
  ASSIGN_OR_RETURN(const pg::Result row,
                   connection->Execute("SELECT compiled_digest, compiled::text, plan_signature::text, barred"
                                       " FROM curlew.run WHERE run = $1",
                                       {run}));
  if (row.empty()) return std::optional<PinnedPlan>();
  PinnedPlan pinned{.digest = row.Text(0, 0), .barred = row.Bool(0, 3)};
  if (pinned.barred) return std::optional<PinnedPlan>(std::move(pinned));
  if (!row.IsNull(0, 2)) {
    pinned.signature.emplace();
    if (!google::protobuf::util::JsonStringToMessage(row.Text(0, 2), &*pinned.signature).ok()) {
      pinned.signature->Clear();
    }
  }
  const auto parsed = google::protobuf::util::JsonStringToMessage(row.Text(0, 1), &pinned.compiled);
  if (!parsed.ok() || base::CanonicalDigest(pinned.compiled) != pinned.digest) {
    return absl::DataLossError(
        absl::StrCat("the compiled plan of run ", run, " in curlew.run does not have its digest any more"));
  }
  return std::optional<PinnedPlan>(std::move(pinned));
}

absl::StatusOr<RunJournals> ReadRunJournals(pg::Connection* connection, int limit) {
  // One statement, so that all is of one moment.
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      connection->Execute(
          "SELECT r.run, r.compiled_digest, s.step, s.direction FROM"
          " (SELECT run, compiled_digest, row_number() OVER (ORDER BY created DESC, run) AS place"
          "  FROM curlew.run ORDER BY created DESC, run LIMIT $1::integer + 1) AS r"
          " LEFT JOIN curlew.step AS s ON s.run = r.run AND s.state = 'succeeded'"
          " ORDER BY r.place, s.step COLLATE \"C\"",
          {absl::StrCat(limit)}));
  RunJournals journals;
  for (int64_t i = 0; i < rows.size(); ++i) {
    if (journals.runs.empty() || journals.runs.back().run() != rows.Text(i, 0)) {
      v1::RunJournal& run = journals.runs.emplace_back();
      run.set_run(rows.Text(i, 0));
      run.set_compiled_digest(rows.Text(i, 1));
    }
    if (rows.IsNull(i, 2)) continue;
    v1::RunJournal& run = journals.runs.back();
    (rows.Text(i, 3) == "undo" ? run.mutable_undone() : run.mutable_done())->Add(rows.Text(i, 2));
  }
  journals.whole = journals.runs.size() <= static_cast<size_t>(limit);
  if (!journals.whole) journals.runs.pop_back();
  return journals;
}

absl::StatusOr<std::vector<StepRecord>> ReadSteps(pg::Connection* connection, const std::string& run) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      connection->Execute("SELECT step, direction, state, rows FROM curlew.step WHERE run = $1", {run}));
  std::vector<StepRecord> records;
  for (int64_t i = 0; i < rows.size(); ++i) {
    records.push_back({.step = rows.Text(i, 0),
                       .direction = rows.Text(i, 1) == "undo" ? v1::DIRECTION_UNDO : v1::DIRECTION_DO,
                       .succeeded = rows.Text(i, 2) == "succeeded",
                       .rows = rows.Int(i, 3)});
  }
  return records;
}

absl::StatusOr<bool> RecordIntent(FencedTransaction& transaction, const StepAttempt& attempt) {
  // xmax is 0 for a row that was inserted, not updated.
  ASSIGN_OR_RETURN(
      const pg::Result row,
      transaction.Execute(
          "INSERT INTO curlew.step AS s (run, step, direction, state, attempt, epoch)"
          " VALUES ($1, $2, $3, 'intent', $4::integer, $5::bigint) ON CONFLICT (run, step, direction)"
          " DO UPDATE SET attempt = excluded.attempt, epoch = excluded.epoch RETURNING xmax <> 0",
          {attempt.run, attempt.step, DirectionText(attempt.direction), absl::StrCat(attempt.attempt),
           absl::StrCat(attempt.epoch)}));
  return row.Bool(0, 0);
}

absl::Status RecordSuccess(FencedTransaction& transaction, const StepAttempt& attempt, int64_t rows) {
  return transaction
      .Execute(
          "INSERT INTO curlew.step AS s (run, step, direction, state, attempt, epoch, rows, finished)"
          " VALUES ($1, $2, $3, 'succeeded', $4::integer, $5::bigint, $6::bigint, clock_timestamp())"
          " ON CONFLICT (run, step, direction) DO UPDATE SET state = 'succeeded', attempt = excluded.attempt,"
          " epoch = excluded.epoch, rows = excluded.rows, finished = excluded.finished",
          {attempt.run, attempt.step, DirectionText(attempt.direction), absl::StrCat(attempt.attempt),
           absl::StrCat(attempt.epoch), absl::StrCat(rows)})
      .status();
}

absl::Status RecordProblem(FencedTransaction& transaction, const StepAttempt& attempt,
                           const std::string& row_key, const std::string& sqlstate,
                           const std::string& message) {
  return transaction
      .Execute(
          "INSERT INTO curlew.problem (run, step, attempt, row_key, sqlstate, message)"
          " VALUES ($1, $2, $3::integer, $4, $5, $6)",
          {attempt.run, attempt.step, absl::StrCat(attempt.attempt), row_key, sqlstate, message})
      .status();
}

}  // namespace curlew::agent
