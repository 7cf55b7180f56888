#include "agent/guard/lock_watch.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/guard/lock_modes.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

constexpr char kHolders[] = R"sql(
WITH RECURSIVE tree AS (
  SELECT to_regclass($1)::oid AS oid
  UNION
  SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid
)
SELECT DISTINCT ON (COALESCE(l.pid, 0), l.virtualtransaction)
       COALESCE(l.pid, 0), a.application_name, a.usename, a.state,
       COALESCE(extract(epoch FROM clock_timestamp() - a.state_change), 0)::float8,
       COALESCE(extract(epoch FROM clock_timestamp() - COALESCE(a.xact_start, a.query_start)), 0)::float8,
       l.mode,
       CASE WHEN l.pid IS NULL THEN 'prepared'
            WHEN a.backend_type <> 'autovacuum worker' THEN 'session'
            WHEN a.query LIKE '%(to prevent wraparound)%' THEN 'wraparound'
            ELSE 'autovacuum' END
FROM tree
JOIN pg_locks l ON l.locktype = 'relation' AND l.relation = tree.oid AND l.granted
LEFT JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.mode = ANY (string_to_array($2, ','))
  AND l.pid IS DISTINCT FROM pg_backend_pid()
)sql";

LockHolder::Kind KindOf(const std::string& kind) {
  if (kind == "prepared") return LockHolder::Kind::kPreparedTransaction;
  if (kind == "wraparound") return LockHolder::Kind::kWraparoundVacuum;
  if (kind == "autovacuum") return LockHolder::Kind::kAutovacuum;
  return LockHolder::Kind::kSession;
}

}  // namespace

absl::StatusOr<std::vector<LockHolder>> FindLockHolders(pg::Connection* connection,
                                                        const std::vector<v1::TableLock>& wanted) {
  std::vector<LockHolder> holders;
  for (const v1::TableLock& lock : wanted) {
    ASSIGN_OR_RETURN(
        const pg::Result rows,
        connection->Execute(kHolders, {lock.table(), absl::StrJoin(ConflictingModes(lock.mode()), ",")}));
    for (int64_t i = 0; i < rows.size(); ++i) {
      holders.push_back({.kind = KindOf(rows.Text(i, 7)),
                         .pid = static_cast<int>(rows.Int(i, 0)),
                         .application_name = rows.Text(i, 1),
                         .user = rows.Text(i, 2),
                         .state = rows.Text(i, 3),
                         .in_state = absl::Seconds(rows.Double(i, 4)),
                         .transaction_age = absl::Seconds(rows.Double(i, 5)),
                         .table = lock.table(),
                         .mode = rows.Text(i, 6)});
    }
  }
  std::stable_sort(holders.begin(), holders.end(), [](const LockHolder& a, const LockHolder& b) {
    return a.transaction_age > b.transaction_age;
  });
  std::set<int> seen;
  holders.erase(std::remove_if(holders.begin(), holders.end(),
                               [&](const LockHolder& h) { return h.pid != 0 && !seen.insert(h.pid).second; }),
                holders.end());
  return holders;
}

std::string Describe(const LockHolder& holder) {
  std::string who;
  switch (holder.kind) {
    case LockHolder::Kind::kPreparedTransaction:
      return absl::StrCat(holder.table, " is held by a prepared transaction (see pg_prepared_xacts)");
    case LockHolder::Kind::kAutovacuum:
      who = "an autovacuum";
      break;
    case LockHolder::Kind::kWraparoundVacuum:
      who = "an autovacuum against wraparound, which must end by itself,";
      break;
    case LockHolder::Kind::kSession:
      who = absl::StrCat("application \"", holder.application_name, "\", user ", holder.user);
      break;
  }
  const absl::Duration whole = absl::Floor(std::max(holder.in_state, absl::ZeroDuration()), absl::Seconds(1));
  return absl::StrCat(
      holder.table, " is held by pid ", holder.pid, " (", who, ")",
      holder.state.empty() ? "" : absl::StrCat(", ", holder.state, " for ", absl::FormatDuration(whole)));
}

}  // namespace curlew::agent
