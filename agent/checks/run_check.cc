#include "agent/checks/run_check.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "agent/guard/check_role.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/pg/error.h"
#include "common/sql/query.h"

namespace curlew::agent {
namespace {

constexpr absl::Duration kTimeout = absl::Seconds(10);
constexpr absl::Duration kLongest = absl::Minutes(10);
constexpr size_t kValueBytes = 1000;

// What is asked, and how long it may take.
absl::StatusOr<CheckConfig> Question(const v1::RunCheck& request, const CheckConfigs& configured) {
  CheckConfig question;
  switch (request.kind_case()) {
    case v1::RunCheck::kConfigured: {
      const auto found = configured.find(request.configured());
      if (found == configured.end()) {
        const std::string names = absl::StrJoin(
            configured, ", ", [](std::string* out, const auto& check) { out->append(check.first); });
        return absl::NotFoundError(absl::StrCat(
            "the agent's configuration has no check \"", request.configured(), "\"; it has ",
            names.empty() ? "none" : names, " (checks: NAME: {sql: ...} in the file that --config names)"));
      }
      question = found->second;
      break;
    }
    case v1::RunCheck::kSql:
      question = {.sql = request.sql(), .timeout = kLongest};
      break;
    case v1::RunCheck::KIND_NOT_SET:
      return absl::InvalidArgumentError(
          "the check is of a kind that this agent does not know: run a newer one");
  }
  const absl::Duration asked = request.has_timeout() ? base::FromProto(request.timeout()) : kTimeout;
  question.timeout = std::clamp(std::min(question.timeout, asked), absl::Milliseconds(1), kLongest);
  return question;
}

// Column 0 is the answer, 1 its type; then all columns that the query has.
absl::StatusOr<pg::Result> Ask(pg::Connection* connection, const CheckConfig& question,
                               const std::string& role) {
  // One statement alone: a second one could end the transaction, and write.
  ASSIGN_OR_RETURN(const sql::Query query, sql::ParseQuery(question.sql));
  ASSIGN_OR_RETURN(const auto transaction,
                   pg::Transaction::Begin(connection, pg::Transaction::Mode::kReadOnlySnapshot));
  RETURN_IF_ERROR(
      transaction
          ->Execute(absl::StrCat("SET LOCAL search_path = pg_catalog, public; SET LOCAL row_security = off; "
                                 "SET LOCAL statement_timeout = ",
                                 std::max<int64_t>(1, absl::ToInt64Milliseconds(question.timeout))))
          .status());
  RETURN_IF_ERROR(TakeCheckRole(connection, role));
  return transaction->Execute(
      absl::StrCat("SELECT q.curlew_answer, pg_catalog.pg_typeof(q.curlew_answer)::text, q.* FROM (",
                   query.text, "\n) AS q (curlew_answer) LIMIT 2"));
}

// FAILED_PRECONDITION where it is no answer.
absl::Status CheckShape(const pg::Result& rows) {
  if (rows.empty()) return absl::FailedPreconditionError("it gave no row, and has to give one");
  if (rows.size() > 1) return absl::FailedPreconditionError("it gave several rows, and has to give one");
  if (rows.Text(0, 1) != "boolean") {
    return absl::FailedPreconditionError(
        absl::StrCat("its first column is of type ", rows.Text(0, 1), ", and has to be boolean"));
  }
  const size_t columns = rows.columns().size() - 2;
  if (columns <= 2) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "it gave ", columns, " columns, and has to give one boolean and at most one text besides"));
}

// What PostgreSQL says of data that cannot be converted, of constraints, and of what a function raises may
// hold values.
std::string WhyNot(const absl::Status& status) {
  const std::string sqlstate = pg::Sqlstate(status);
  const std::string kind = sqlstate.substr(0, 2);
  if (kind != "22" && kind != "23" && kind != "P0") return std::string(status.message());
  return absl::StrCat("it cannot be computed: SQLSTATE ", sqlstate,
                      "; what PostgreSQL says of it may hold values and stays in the server's log");
}

}  // namespace

v1::CheckReport CheckError(const v1::RunCheck& request, const std::string& message) {
  v1::CheckReport report;
  report.set_request(request.request());
  report.set_target(request.target());
  report.set_state(v1::CHECK_STATE_ERROR);
  report.set_message(message);
  return report;
}

v1::CheckReport MakeCheck(pg::Connection* connection, const v1::RunCheck& request,
                          const CheckConfigs& configured, const std::string& role) {
  const absl::StatusOr<CheckConfig> question = Question(request, configured);
  if (!question.ok()) return CheckError(request, std::string(question.status().message()));
  const absl::StatusOr<pg::Result> rows = Ask(connection, *question, role);
  if (absl::IsDeadlineExceeded(rows.status())) {
    return CheckError(request,
                      absl::StrCat("it gave no answer within ", absl::FormatDuration(question->timeout)));
  }
  if (!rows.ok()) return CheckError(request, WhyNot(rows.status()));
  if (const absl::Status shape = CheckShape(*rows); !shape.ok())
    return CheckError(request, std::string(shape.message()));
  v1::CheckReport report;
  report.set_request(request.request());
  report.set_target(request.target());
  report.set_state(rows->Bool(0, 0) ? v1::CHECK_STATE_PASSING : v1::CHECK_STATE_FAILING);
  const bool has_value = rows->columns().size() == 4;
  report.set_value(std::string(base::Utf8Prefix(has_value            ? rows->Text(0, 3)
                                                : rows->IsNull(0, 0) ? "NULL"
                                                : rows->Bool(0, 0)   ? "true"
                                                                     : "false",
                                                kValueBytes)));
  if (rows->IsNull(0, 0)) {
    report.set_message("the answer is NULL, which counts as false");
  } else if (!rows->Bool(0, 0)) {
    report.set_message("the answer is false");
  }
  return report;
}

}  // namespace curlew::agent
