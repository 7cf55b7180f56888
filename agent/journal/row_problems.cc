#include "agent/journal/row_problems.h"

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// UNSPECIFIED for a word of a later version.
v1::RowProblemState StateOf(const std::string& word) {
  if (word == "found") return v1::ROW_PROBLEM_STATE_FOUND;
  if (word == "quarantined") return v1::ROW_PROBLEM_STATE_QUARANTINED;
  if (word == "mended") return v1::ROW_PROBLEM_STATE_MENDED;
  if (word == "accepted") return v1::ROW_PROBLEM_STATE_ACCEPTED;
  return v1::ROW_PROBLEM_STATE_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<RowProblems> ReadRowProblems(pg::Connection* connection, const std::string& run, int limit) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      connection->Execute("SELECT id, step, left(row_key, 1000), sqlstate, left(message, 1000), state,"
                          " (extract(epoch FROM found) * 1000000)::bigint, count(*) OVER ()"
                          " FROM curlew.problem WHERE run = $1 ORDER BY id DESC LIMIT $2::bigint",
                          {run, absl::StrCat(limit)}));
  RowProblems found;
  for (int64_t i = 0; i < rows.size(); ++i) {
    v1::RowProblem& problem = found.problems.emplace_back();
    problem.set_id(rows.Int(i, 0));
    problem.set_step(rows.Text(i, 1));
    problem.set_row_key(rows.Text(i, 2));
    problem.set_sqlstate(rows.Text(i, 3));
    problem.set_message(rows.Text(i, 4));
    problem.set_state(StateOf(rows.Text(i, 5)));
    *problem.mutable_found_time() = base::ToProto(absl::FromUnixMicros(rows.Int(i, 6)));
    found.total = rows.Int(i, 7);
  }
  return found;
}

}  // namespace curlew::agent
