#include "absl/strings/str_cat.h"
#include "agent/journal/names.h"
#include "agent/preflight/looks.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// Of this database: only those stand in the way here.
constexpr char kOpen[] = R"sql(
SELECT pid, COALESCE(usename::text, ''), COALESCE(application_name, ''), COALESCE(state, ''),
  extract(epoch FROM clock_timestamp() - xact_start)::float8, ''
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type <> 'autovacuum worker'
  AND clock_timestamp() - xact_start >= make_interval(secs => $1::float8)
  AND COALESCE(application_name, '') <> $2 AND NOT starts_with(COALESCE(application_name, ''), $2 || ' ')
UNION ALL
SELECT 0, owner::text, '', 'prepared', extract(epoch FROM clock_timestamp() - prepared)::float8, gid
FROM pg_prepared_xacts
WHERE database = current_database() AND clock_timestamp() - prepared >= make_interval(secs => $1::float8)
ORDER BY 5 DESC
)sql";

}  // namespace

absl::Status LookAtTransactions(const Look& look, Findings* findings) {
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      look.connection->Execute(kOpen, {absl::StrCat(absl::ToDoubleSeconds(look.options.limits.transaction)),
                                       TargetApplicationName(look.options.target)}));
  // The oldest are the ones that count.
  constexpr int64_t kMostTold = 10;
  for (int64_t i = 0; i < std::min(rows.size(), kMostTold); ++i) {
    const absl::Duration age = absl::Seconds(rows.Double(i, 4));
    const bool old = age >= look.options.limits.old_transaction;
    const std::string effect = old ? "indexes that are built concurrently wait for its end, steps that lock "
                                     "what it has used do, and no "
                                     "row that dies meanwhile is cleared away"
                                   : "steps that lock what it has used wait for its end";
    if (rows.Text(i, 3) == "prepared") {
      findings->Warning(absl::StrCat("the prepared transaction '", rows.Text(i, 5), "' of user ",
                                     rows.Text(i, 1), " is open for ", Age(age), ": ", effect),
                        absl::StrCat("COMMIT PREPARED or ROLLBACK PREPARED it, whoever has left it"));
      continue;
    }
    findings->Warning(absl::StrCat("a transaction is open for ", Age(age), " (pid ", rows.Int(i, 0),
                                   ", user ", rows.Text(i, 1), ", application \"", rows.Text(i, 2), "\", ",
                                   rows.Text(i, 3), "): ", effect),
                      absl::StrCat("let it end; or, where nobody needs it: SELECT pg_terminate_backend(",
                                   rows.Int(i, 0), ")"));
  }
  if (rows.size() > kMostTold) {
    findings->Warning(absl::StrCat(rows.size() - kMostTold, " more transactions are open for longer than ",
                                   Age(look.options.limits.transaction)),
                      "SELECT * FROM pg_stat_activity ORDER BY xact_start");
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
