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

// A standby has no timeline of its own, and takes no writes.
constexpr char kReadFence[] = R"sql(
SELECT epoch, instance_id,
       pg_is_in_recovery() OR
       timeline = CASE WHEN NOT pg_is_in_recovery()
                       THEN ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer END
FROM curlew.target
)sql";

absl::Status CheckFence(const absl::StatusOr<pg::Result>& row, const Fence& fence) {
  RETURN_IF_ERROR(row.status());
  if (row->empty()) return FencedOut("the journal knows no agent for this database any more");
  if (row->Int(0, 0) != fence.epoch) {
    return FencedOut(
        absl::StrCat("the journal is at epoch ", row->Int(0, 0), ", this agent's is ", fence.epoch));
  }
  if (row->Text(0, 1) != fence.instance_id) {
    return FencedOut(absl::StrCat("another agent has epoch ", fence.epoch,
                                  " too: the database was restored to a time before this one took it over"));
  }
  if (!row->Bool(0, 2)) return FencedOut("the server was promoted since it was taken over");
  return absl::OkStatus();
}

}  // namespace

bool IsFencedOut(const absl::Status& status) { return base::Detail(status, base::kReason) == kFencedOut; }

std::string SearchPathWithoutOurSchema(SettingScope scope) {
  return absl::StrCat(
      "SELECT set_config('search_path', coalesce((SELECT string_agg(quote_ident(s), ', ' ORDER BY place)"
      " FROM unnest(current_schemas(false)) WITH ORDINALITY AS p (s, place) WHERE s <> 'curlew'), ''), ",
      scope == SettingScope::kTransaction ? "true)" : "false)");
}

absl::Status FenceSession(pg::Connection* connection, const Fence& fence) {
  RETURN_IF_ERROR(
      CheckLock(connection->Execute(absl::StrCat("SELECT pg_try_advisory_lock_shared(", kWorkLock, ")"))));
  return CheckFence(connection->Execute(kReadFence), fence);
}

absl::StatusOr<FencedTransaction> FencedTransaction::Begin(pg::Connection* connection, const Fence& fence,
                                                           const Options& options) {
  ASSIGN_OR_RETURN(auto transaction, pg::Transaction::Begin(connection));
  std::string prelude = absl::StrCat(
      "SET LOCAL row_security = off; SET LOCAL lock_timeout = ", Milliseconds(options.lock_timeout),
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
  RETURN_IF_ERROR(CheckFence(transaction->Execute(kReadFence), fence));
  return FencedTransaction(std::move(transaction));
}

absl::Status FencedTransaction::SetStatementTimeout(absl::Duration timeout) {
  return transaction_
      ->Execute(absl::StrCat("SET LOCAL statement_timeout = ", std::max<int64_t>(1, Milliseconds(timeout))))
      .status();
}

}  // namespace curlew::agent
