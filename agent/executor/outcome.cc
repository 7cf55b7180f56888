#include "agent/executor/outcome.h"

#include <utility>

#include "absl/strings/str_split.h"
#include "agent/journal/fenced_transaction.h"
#include "common/base/error_detail.h"
#include "common/pg/error.h"

namespace curlew::agent {
namespace {

std::string HintFor(const std::string& sqlstate) {
  static constexpr std::pair<const char*, const char*> kHints[] = {
      {"42501",
       "the agent's role must be a member of the role that owns what the step changes, and own schema curlew:"
       " `curlew-agent bootstrap-sql` prints what it needs"},
      {"53100", "the server's disk is full: make room, then resume"},
      {"55P03", "a lock could not be had in time: let the transactions that hold it end, then resume"},
      {"57014",
       "the statement took too long: raise settings.ddl_statement_timeout, or resume at a quieter time"},
      {"23505", "rows collide: merge or change them, then resume"},
      {"23514", "rows break the constraint: mend them, then resume"},
      {"23502", "rows are NULL where they must not be: fill them, then resume"},
  };
  for (const auto& [state, hint] : kHints) {
    if (sqlstate == state) return hint;
  }
  return "";
}

// A cancel request that nobody here made comes from an administrator or a time-out of the role: the step may
// be tried again.
v1::AttemptState StateFor(const absl::Status& status) {
  if (absl::IsCancelled(status)) return v1::ATTEMPT_STATE_ERRORED;
  return pg::BlameFor(status) == pg::Blame::kWorld ? v1::ATTEMPT_STATE_ERRORED : v1::ATTEMPT_STATE_FAILED;
}

}  // namespace

Outcome Succeeded(StepResult result) {
  return Outcome{
      .rows = result.rows, .summary = std::move(result.summary), .backups = std::move(result.backups)};
}

Outcome FromStatus(const absl::Status& status, const CancelToken& cancel) {
  if (status.ok()) return Succeeded();
  Outcome outcome;
  outcome.fenced_out = IsFencedOut(status);
  outcome.database_unreachable = absl::IsUnavailable(status);
  outcome.state = cancel.cancelled() ? v1::ATTEMPT_STATE_CANCELLED : StateFor(status);
  outcome.error.set_message(std::string(status.message()));
  outcome.error.set_sqlstate(pg::Sqlstate(status));
  const std::string hint = base::Detail(status, base::kHint);
  outcome.error.set_hint(hint.empty() ? HintFor(outcome.error.sqlstate()) : hint);
  for (absl::string_view key :
       absl::StrSplit(base::Detail(status, base::kRowKeys), '\n', absl::SkipEmpty())) {
    outcome.error.add_row_keys(std::string(key));
  }
  return outcome;
}

}  // namespace curlew::agent
