#include "agent/executor/bloat.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// What the walks of run $1 did to heap $2, and what the server's statistics know of it.
constexpr char kBloat[] = R"sql(
WITH walk AS (
  SELECT min(b.blocks) AS blocks, min(b.started) AS started,
    COALESCE(sum(b.rows), 0) + COALESCE((SELECT sum(r.rows) FROM curlew.backfill_range r
                                         WHERE r.run = $1 AND r.leaf = $2::oid), 0) AS rows
  FROM curlew.backfill b WHERE b.run = $1 AND b.leaf = $2::oid
)
SELECT pg_relation_size(c.oid), walk.blocks * current_setting('block_size')::bigint,
  greatest(c.reltuples, s.n_live_tup, 0)::bigint, COALESCE(s.n_dead_tup, 0),
  CASE WHEN greatest(s.last_vacuum, s.last_autovacuum) > walk.started THEN 0 ELSE walk.rows END::bigint,
  pg_has_role(c.relowner, 'USAGE')
    OR EXISTS (SELECT FROM pg_database d WHERE d.datname = current_database() AND pg_has_role(d.datdba, 'USAGE'))
FROM pg_class c CROSS JOIN walk LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
WHERE c.oid = $2::oid
)sql";

}  // namespace

absl::StatusOr<Bloat> ReadBloat(pg::Connection* connection, const std::string& run, const Leaf& leaf) {
  ASSIGN_OR_RETURN(const pg::Result row, connection->Execute(kBloat, {run, absl::StrCat(leaf.oid)}));
  if (row.empty()) return absl::NotFoundError(absl::StrCat("table ", leaf.name, " does not exist"));
  Bloat bloat{.bytes = row.Int(0, 0),
              .bytes_before = std::nullopt,
              .live_rows = row.Int(0, 2),
              .dead_rows = std::max(row.Int(0, 3), row.Int(0, 4)),
              .may_vacuum = row.Bool(0, 5)};
  if (!row.IsNull(0, 1)) bloat.bytes_before = row.Int(0, 1);
  return bloat;
}

}  // namespace curlew::agent
