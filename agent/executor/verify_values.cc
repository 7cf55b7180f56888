// Triggers that must fire, and values that must be what they were, or what the plan says.
#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/executor/verify_checks.h"
#include "agent/journal/backup_journal.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/pg/error.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

constexpr size_t kValueBytes = 200;

// Those of the table, and of its partitions those that come from them, with their state; NULL where there is
// none.
constexpr char kTriggers[] = R"sql(
WITH RECURSIVE wanted AS (
  SELECT w.name, t.oid AS trigger FROM unnest($2::text[]) AS w (name)
  LEFT JOIN pg_catalog.pg_trigger t
    ON t.tgrelid = pg_catalog.to_regclass($1) AND t.tgname = w.name AND NOT t.tgisinternal
), family AS (
  SELECT name, trigger FROM wanted
  UNION ALL
  SELECT f.name, t.oid FROM pg_catalog.pg_trigger t JOIN family f ON t.tgparentid = f.trigger
)
SELECT f.name, t.tgenabled, CASE WHEN c.oid IS NOT NULL THEN pg_catalog.format('%I.%I', n.nspname, c.relname) END
FROM family f LEFT JOIN pg_catalog.pg_trigger t ON t.oid = f.trigger
LEFT JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE t.tgenabled IS DISTINCT FROM 'A'
ORDER BY f.name, 3
)sql";

using Value = std::optional<std::string>;

std::string Words(const Value& value) {
  if (!value.has_value()) return "NULL";
  if (value->size() <= kValueBytes) return absl::StrCat("\"", *value, "\"");
  return absl::StrCat("\"", base::Utf8Prefix(*value, kValueBytes), "…\"");
}

// A number or a truth value counts something; a text may be of a row.
bool MayTell(const RunContext& context, const Value& value) {
  double number = 0;
  return context.row_keys == RowKeys::kReport || !value.has_value() || *value == "true" ||
         *value == "false" || absl::SimpleAtod(*value, &number);
}

// The one value that a query gives. `problem` where it gives something else, or fails.
absl::StatusOr<Value> Ask(const RunContext& context, pg::Connection* connection, const std::string& query,
                          std::string* problem) {
  const absl::StatusOr<pg::Result> rows = InSavepoint(context, connection, query);
  if (!rows.ok()) {
    RETURN_IF_ERROR(context.cancel->Check());
    if (absl::IsCancelled(rows.status()) || pg::BlameFor(rows.status()) != pg::Blame::kWork)
      return rows.status();
    *problem = CannotBeComputed(rows.status(), false, context.row_keys == RowKeys::kReport);
    return Value();
  }
  if (rows->size() != 1 || rows->columns().size() != 1) {
    *problem = absl::StrCat("the query gives ", rows->size(), rows->size() == 1 ? " row of " : " rows of ",
                            rows->columns().size(), rows->columns().size() == 1 ? " column" : " columns",
                            ", and has to give one row of one column");
    return Value();
  }
  return rows->IsNull(0, 0) ? Value() : Value(rows->Text(0, 0));
}

void Tell(const RunContext& context, const std::string& what) {
  v1::Progress progress;
  progress.set_message(absl::StrCat("looks at ", what));
  context.progress->Report(progress);
}

}  // namespace

absl::Status CheckTriggers(const v1::Verify& action, pg::Connection* connection,
                           std::vector<Finding>* findings) {
  for (const v1::TriggerCheck& check : action.triggers()) {
    const std::vector<std::string> names(check.triggers().begin(), check.triggers().end());
    ASSIGN_OR_RETURN(const pg::Result off,
                     connection->Execute(kTriggers, {check.table(), pg::ArrayParam(names)}));
    for (int64_t i = 0; i < off.size(); ++i) {
      const std::string name = sql::Ident(off.Text(i, 0));
      const std::string table = off.IsNull(i, 1) ? check.table() : off.Text(i, 2);
      Finding finding{.description = absl::StrCat("trigger ", name, " of ", table, " fires for every write")};
      if (off.IsNull(i, 1)) {
        finding.what = "it is not there";
        finding.hint =
            "rows that were written without it may not be in step: roll back, find out who drops triggers, "
            "and "
            "start again";
      } else {
        finding.what = off.Text(i, 1) == "D"   ? "it is disabled"
                       : off.Text(i, 1) == "R" ? "it fires for replicas alone"
                                               : "it does not fire where session_replication_role is replica";
        finding.hint =
            absl::StrCat("rows that were written meanwhile may not be in step: ALTER TABLE ", table,
                         " ENABLE ALWAYS TRIGGER ", name, ", then resume: every row is looked at again");
      }
      findings->push_back(std::move(finding));
    }
  }
  return absl::OkStatus();
}

absl::Status CompareValues(const RunContext& context, const v1::Verify& action, pg::Connection* connection,
                           std::vector<Finding>* findings) {
  Measurements before;
  // Of this snapshot: the Measure step has committed long ago.
  if (!action.unchanged().empty()) {
    ASSIGN_OR_RETURN(before, ReadMeasurements(connection, context.attempt.run));
  }
  for (const v1::Measurement& measurement : action.unchanged()) {
    Tell(context, measurement.description());
    Finding finding{.description = absl::StrCat(measurement.name(), ": ", measurement.description(),
                                                " is what it was before the first step"),
                    .hint =
                        "find out who changes it: the rows that are counted must be those that nobody adds, "
                        "changes or removes meanwhile (where: in the plan's verify)"};
    const auto noted = before.find(measurement.name());
    if (noted == before.end()) {
      finding.what = "it was not measured";
      finding.hint = "the run's journal lacks the value (curlew.measurement): roll back and start again";
      findings->push_back(std::move(finding));
      continue;
    }
    ASSIGN_OR_RETURN(const Value now, Ask(context, connection, measurement.query(), &finding.what));
    if (finding.what.empty()) {
      if (now == noted->second) continue;
      finding.what = absl::StrCat("it was ", Words(noted->second), " and is ", Words(now));
    }
    findings->push_back(std::move(finding));
  }
  for (const v1::Expectation& expectation : action.expectations()) {
    Tell(context, expectation.name());
    const Value wanted = expectation.has_expect() ? Value(expectation.expect()) : Value();
    Finding finding{.description = absl::StrCat(expectation.name(), ": the answer is ", Words(wanted)),
                    .hint = absl::StrCat("mend what ", expectation.name(), " looks at, then resume")};
    ASSIGN_OR_RETURN(const Value now, Ask(context, connection, expectation.query(), &finding.what));
    if (finding.what.empty()) {
      if (now == wanted) continue;
      finding.what = MayTell(context, now) ? absl::StrCat("it is ", Words(now))
                                           : "it is another one (curlew-agent --report-row-keys tells which)";
    }
    findings->push_back(std::move(finding));
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
