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

// The last column of the key that can be sliced cheaply: later columns tell neighbours apart.
std::string SliceOf(const std::vector<KeyColumn>& key) {
  std::string slice;
  for (const KeyColumn& column : key) {
    const std::string name = absl::StrCat("t.", column.name);
    if (column.type == "smallint" || column.type == "integer" || column.type == "bigint") {
      slice = absl::StrCat("(", name, " & ", kPasses - 1, ")");
    } else if (column.type == "uuid") {
      slice = absl::StrCat("(pg_catalog.uuid_hash(", name, ") & ", kPasses - 1, ")");
    } else if (column.type == "text" || column.type.starts_with("character varying")) {
      slice = absl::StrCat("(pg_catalog.hashtext(", name, "::text) & ", kPasses - 1, ")");
    }
  }
  return slice;
}

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
  const absl::StatusOr<std::vector<KeyColumn>> key = FindKey(connection, leaf);
  if (!key.ok() && !absl::IsFailedPrecondition(key.status())) return key.status();
  if (key.ok()) walk->slice = SliceOf(*key);
  if (!walk->slice.empty()) walk->passes = kPasses;
  return walk;
}

bool WalksByKey(pg::Connection* connection, v1::Walk asked) {
  return asked == v1::WALK_KEY || connection->server_version_num() < 140000;
}

}  // namespace curlew::agent
