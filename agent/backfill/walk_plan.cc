#include "agent/backfill/walk_plan.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/backfill/key_walker.h"
#include "agent/backfill/tid_walker.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

constexpr int kPasses = 4;

// Block size, heap and TOAST bytes, and whether an index has one of the columns ($2) in its keys, expressions
// or predicate: then no update of them is HOT.
constexpr char kMeasure[] = R"sql(
SELECT current_setting('block_size')::bigint, pg_relation_size(c.oid),
       CASE WHEN c.reltoastrelid = 0 THEN 0 ELSE pg_relation_size(c.reltoastrelid) END,
       EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid
               WHERE i.indrelid = c.oid AND quote_ident(a.attname) = ANY ($2::text[])
                 AND (a.attnum = ANY (i.indkey)
                      OR EXISTS (SELECT FROM pg_depend d
                                 WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                                   AND d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid
                                   AND d.refobjsubid = a.attnum)))
FROM pg_class c WHERE c.oid = $1::oid
)sql";

}  // namespace

std::string LeafWalk::Condition(const Place& from, const Place& to, int pass) const {
  std::string condition = walker->Condition(from, to);
  if (pass < passes - 1) absl::StrAppend(&condition, " AND ", slice, " = ", pass);
  return condition;
}

absl::StatusOr<std::shared_ptr<const LeafWalk>> PlanLeaf(pg::Connection* connection, const Leaf& leaf,
                                                         const RowWork& work, bool by_key) {
  auto walk = std::make_shared<LeafWalk>();
  walk->leaf = leaf;
  if (by_key) {
    ASSIGN_OR_RETURN(std::vector<KeyColumn> key, FindKey(connection, leaf, work.key(), work.search_path()));
    walk->walker = std::make_shared<KeyWalker>(std::move(key));
    return walk;
  }
  const std::vector<std::string> columns = work.updated_columns();
  ASSIGN_OR_RETURN(const pg::Result size,
                   connection->Execute(kMeasure, {absl::StrCat(leaf.oid), pg::ArrayParam(columns)}));
  if (size.empty()) return absl::NotFoundError(absl::StrCat("table ", leaf.name, " does not exist"));
  const int64_t block_size = size.Int(0, 0);
  const double heap = std::max<double>(static_cast<double>(size.Int(0, 1)), static_cast<double>(block_size));
  const double whole = heap + static_cast<double>(size.Int(0, 2));
  walk->walker = std::make_shared<TidWalker>(
      block_size, static_cast<int64_t>(static_cast<double>(block_size) * whole / heap));
  if (columns.empty() || size.Bool(0, 3)) return walk;
  // A place tells the rows of a block apart, whatever key the table has; a pending row stays where it is.
  walk->slice = absl::StrCat("(pg_catalog.hashtid(t.ctid) & ", kPasses - 1, ")");
  walk->passes = kPasses;
  return walk;
}

bool WalksByKey(pg::Connection* connection, v1::Walk asked) {
  return asked == v1::WALK_KEY || connection->server_version_num() < 140000;
}

}  // namespace curlew::agent
