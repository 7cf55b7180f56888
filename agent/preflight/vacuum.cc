#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "agent/preflight/looks.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// The tables, their partitions and what they keep elsewhere (TOAST).
constexpr char kFamily[] = R"sql(
WITH RECURSIVE family AS (
  SELECT w.name, to_regclass(w.name)::oid AS oid FROM unnest($1::text[]) AS w (name)
  UNION SELECT f.name, i.inhrelid FROM pg_inherits i JOIN family f ON i.inhparent = f.oid
), heaps AS (
  SELECT f.name, c.oid, c.oid AS owner FROM family f JOIN pg_class c ON c.oid = f.oid
  UNION ALL SELECT f.name, c.reltoastrelid, c.oid FROM family f JOIN pg_class c ON c.oid = f.oid
  WHERE c.reltoastrelid <> 0
)
)sql";

constexpr char kAtWork[] = R"sql(
SELECT h.owner::regclass::text, a.pid, p.phase,
  CASE WHEN p.heap_blks_total > 0 THEN 100 * p.heap_blks_scanned / p.heap_blks_total ELSE 0 END,
  COALESCE(a.query, ''), COALESCE(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8
FROM heaps h JOIN pg_stat_progress_vacuum p ON p.relid = h.oid AND p.datname = current_database()
JOIN pg_stat_activity a ON a.pid = p.pid AND a.backend_type = 'autovacuum worker'
ORDER BY 1
)sql";

// Options of the table count where they are below the server's.
constexpr char kAges[] = R"sql(
SELECT h.owner::regclass::text, max(age(c.relfrozenxid))::bigint,
  min(least(COALESCE((SELECT o.option_value::bigint FROM pg_options_to_table(c.reloptions) o
                      WHERE o.option_name = 'autovacuum_freeze_max_age'), 9223372036854775807),
            current_setting('autovacuum_freeze_max_age')::bigint))
FROM heaps h JOIN pg_class c ON c.oid = h.oid
WHERE c.relfrozenxid <> '0'
GROUP BY 1 ORDER BY 1
)sql";

}  // namespace

absl::Status LookAtAutovacuum(const Look& look, Findings* findings) {
  ASSIGN_OR_RETURN(const pg::Result rows, look.connection->Execute(absl::StrCat(kFamily, kAtWork),
                                                                   {pg::ArrayParam(NamesOf(look.needs))}));
  for (int64_t i = 0; i < rows.size(); ++i) {
    const std::string table = rows.Text(i, 0);
    const std::string seen =
        absl::StrCat("autovacuum is at work on ", table, " (pid ", rows.Int(i, 1), ", ", rows.Text(i, 2),
                     ", ", rows.Int(i, 3), " % read, for ", Age(absl::Seconds(rows.Double(i, 5))), ")");
    // Nowhere else does the server tell it.
    if (absl::StrContains(rows.Text(i, 4), "to prevent wraparound")) {
      findings->Warning(
          absl::StrCat(seen, " to prevent wraparound: the server does not cancel it for a step"),
          "let it end first: steps that change the table wait for it", table);
    } else {
      findings->Info(absl::StrCat(seen, ": the server cancels it where a step wants the table"),
                     "nothing to do; it comes back later", table);
    }
  }
  return absl::OkStatus();
}

absl::Status LookAtWraparound(const Look& look, Findings* findings) {
  ASSIGN_OR_RETURN(const pg::Result rows, look.connection->Execute(absl::StrCat(kFamily, kAges),
                                                                   {pg::ArrayParam(NamesOf(look.needs))}));
  for (int64_t i = 0; i < rows.size(); ++i) {
    const int64_t age = rows.Int(i, 1), limit = rows.Int(i, 2);
    if (static_cast<double>(age) < static_cast<double>(limit) * look.options.limits.freeze_part) continue;
    const std::string table = rows.Text(i, 0);
    findings->Warning(absl::StrCat(table, " is ", age, " transactions old, and at ", limit,
                                   " an autovacuum comes that the server does not cancel for a step"),
                      absl::StrCat("VACUUM (FREEZE) ", table, " at a quiet time, before the rollout"), table);
  }
  return absl::OkStatus();
}

}  // namespace curlew::agent
