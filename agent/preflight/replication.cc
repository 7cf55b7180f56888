#include "absl/strings/str_cat.h"
#include "agent/preflight/looks.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// wal_status and restart_lsn are NULL where a slot holds nothing.
constexpr char kSlots[] = R"sql(
SELECT slot_name, active, COALESCE(pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn), 0)::bigint,
  COALESCE(wal_status, '')
FROM pg_replication_slots
WHERE NOT active OR pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) > $1::bigint
ORDER BY 3 DESC, 1
)sql";

constexpr char kStandbys[] = R"sql(
SELECT pid, COALESCE(application_name, ''), COALESCE(host(client_addr), 'a socket'), state,
  COALESCE(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn), 0)::bigint,
  COALESCE(extract(epoch FROM replay_lag), 0)::float8
FROM pg_stat_replication
WHERE pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) > $1::bigint
   OR replay_lag > make_interval(secs => $2::float8)
ORDER BY 5 DESC
)sql";

}  // namespace

absl::Status LookAtSlots(const Look& look, Findings* findings) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   look.connection->Execute(kSlots, {absl::StrCat(look.options.limits.slot_bytes)}));
  for (int64_t i = 0; i < rows.size(); ++i) {
    const std::string name = rows.Text(i, 0);
    const std::string keeps = rows.Text(i, 3) == "lost"
                                  ? std::string("what it needs is gone already")
                                  : absl::StrCat("it keeps ", Bytes(rows.Int(i, 2)), " of WAL");
    findings->Warning(
        absl::StrCat("replication slot ", name, rows.Bool(i, 1) ? " is behind: " : " is not in use: ", keeps,
                     ", and what the steps write comes on top"),
        rows.Bool(i, 1)
            ? "wait until whoever reads it has caught up"
            : absl::StrCat("start whoever reads it, or drop it: SELECT pg_drop_replication_slot('", name,
                           "')"));
  }
  return absl::OkStatus();
}

absl::Status LookAtLag(const Look& look, Findings* findings) {
  const PreflightLimits& limits = look.options.limits;
  ASSIGN_OR_RETURN(const pg::Result rows,
                   look.connection->Execute(kStandbys, {absl::StrCat(limits.lag_bytes),
                                                        absl::StrCat(absl::ToDoubleSeconds(limits.lag))}));
  for (int64_t i = 0; i < rows.size(); ++i) {
    findings->Warning(
        absl::StrCat("standby \"", rows.Text(i, 1), "\" at ", rows.Text(i, 2), " (", rows.Text(i, 3), ") is ",
                     Bytes(rows.Int(i, 4)), " and ", Age(absl::Seconds(rows.Double(i, 5))), " behind"),
        "walks will wait for it: let it catch up first, or look at what holds it up there");
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
