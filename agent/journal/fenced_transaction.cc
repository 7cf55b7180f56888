#include "agent/journal/fenced_transaction.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "agent/journal/names.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

int64_t Milliseconds(absl::Duration duration) {
  if (duration <= absl::ZeroDuration()) return 0;
  return std::max<int64_t>(1, absl::ToInt64Milliseconds(duration));
}

absl::Status FencedOut(const std::string& why) {
  return base::WithDetail(absl::AbortedError(absl::StrCat("fenced out: ", why)), base::kReason, kFencedOut);
}

absl::Status CheckLock(const absl::StatusOr<pg::Result>& locked) {
  RETURN_IF_ERROR(locked.status());
  if (!locked->Bool(0, 0)) return FencedOut("another agent is taking this target over");
  return absl::OkStatus();
}

absl::Status CheckEpoch(const absl::StatusOr<pg::Result>& row, int64_t epoch) {
  RETURN_IF_ERROR(row.status());
  if (row->empty()) return FencedOut("the journal knows no agent for this database any more");
  if (row->Int(0, 0) != epoch) {
    return FencedOut(absl::StrCat("the journal is at epoch ", row->Int(0, 0), ", this agent's is ", epoch));
  }
  return absl::OkStatus();
}

constexpr char kReadEpoch[] = "SELECT epoch FROM curlew.target";

}  // namespace

bool IsFencedOut(const absl::Status& status) { return base::Detail(status, base::kReason) == kFencedOut; }

std::string SearchPathWithoutOurSchema(SettingScope scope) {
  return absl::StrCat(
      "SELECT set_config('search_path', coalesce((SELECT string_agg(quote_ident(s), ', ' ORDER BY place)"
      " FROM unnest(current_schemas(false)) WITH ORDINALITY AS p (s, place) WHERE s <> 'curlew'), ''), ",
      scope == SettingScope::kTransaction ? "true)" : "false)");
}

absl::Status FenceSession(pg::Connection* connection, int64_t epoch) {
  RETURN_IF_ERROR(
      CheckLock(connection->Execute(absl::StrCat("SELECT pg_try_advisory_lock_shared(", kWorkLock, ")"))));
  return CheckEpoch(connection->Execute(kReadEpoch), epoch);
}

absl::StatusOr<FencedTransaction> FencedTransaction::Begin(pg::Connection* connection, int64_t epoch,
                                                           const Options& options) {
  ASSIGN_OR_RETURN(auto transaction, pg::Transaction::Begin(connection));
  std::string prelude = absl::StrCat(
      "SET LOCAL lock_timeout = ", Milliseconds(options.lock_timeout),
      "; SET LOCAL statement_timeout = ", Milliseconds(options.statement_timeout),
      "; SET LOCAL idle_in_transaction_session_timeout = ", Milliseconds(options.idle_timeout), "; ");
  absl::StrAppend(&prelude, options.search_path.empty()
                                ? absl::StrCat(SearchPathWithoutOurSchema(SettingScope::kTransaction), "; ")
                                : absl::StrCat("SET LOCAL search_path = ", options.search_path, "; "));
  absl::StrAppend(&prelude, options.durability == Durability::kAsynchronous
                                ? "SET LOCAL synchronous_commit = off; "
                                : "SELECT set_config('synchronous_commit', 'on', true)"
                                  " WHERE current_setting('synchronous_commit') = 'off'; ");
  absl::StrAppend(&prelude, "SELECT pg_try_advisory_xact_lock_shared(", kWorkLock, ")");
  RETURN_IF_ERROR(CheckLock(transaction->Execute(prelude)));
  RETURN_IF_ERROR(CheckEpoch(transaction->Execute(kReadEpoch), epoch));
  return FencedTransaction(std::move(transaction));
}

absl::Status FencedTransaction::SetStatementTimeout(absl::Duration timeout) {
  return transaction_
      ->Execute(absl::StrCat("SET LOCAL statement_timeout = ", std::max<int64_t>(1, Milliseconds(timeout))))
      .status();
}

}  // namespace curlew::agent
