#include "agent/executor/table_lock.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "agent/guard/lock_watch.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"

namespace curlew::agent {

bool IsLockTimeout(const absl::Status& status) { return pg::Sqlstate(status) == "55P03"; }

absl::StatusOr<v1::Progress> StillLocked(const RunContext& context, pg::Connection* connection,
                                         const std::vector<std::string>& tables, const std::string& mode,
                                         absl::Time since, const absl::Status& why) {
  std::vector<v1::TableLock> wanted;
  for (const std::string& table : tables) {
    v1::TableLock& lock = wanted.emplace_back();
    lock.set_table(table);
    lock.set_mode(mode);
  }
  ASSIGN_OR_RETURN(const std::vector<LockHolder> holders, FindLockHolders(connection, wanted));
  const std::string who = holders.empty() ? std::string(why.message()) : Describe(holders.front());
  if (absl::Now() - since >= LockRetryDeadline(context.settings)) {
    return base::WithDetail(
        absl::DeadlineExceededError(absl::StrCat(absl::StrJoin(tables, ", "), " stays locked: ", who)),
        base::kHint, "let the transaction end (or end it), then resume");
  }
  return WaitingFor(v1::WAIT_CAUSE_LOCK, who, since);
}

}  // namespace curlew::agent
