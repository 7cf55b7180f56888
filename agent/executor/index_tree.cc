#include "agent/executor/index_tree.h"

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

// What is left of PostgreSQL's 63 bytes for the index's own name beside "_" and the hash.
constexpr size_t kNameBytes = 63 - 13;

// $1: the table, $2: its index. A condition on the partition h may follow, then kNodes.
constexpr char kTree[] = R"sql(
WITH RECURSIVE tree AS (
  SELECT to_regclass($1)::oid AS rel, 0 AS level, to_regclass($2)::oid AS index, NULL::oid AS above
  UNION ALL
  SELECT h.inhrelid, tree.level + 1,
         (SELECT x.indexrelid FROM pg_index x JOIN pg_inherits a ON a.inhrelid = x.indexrelid
          WHERE x.indrelid = h.inhrelid AND a.inhparent = tree.index),
         tree.index
  FROM tree JOIN pg_inherits h ON h.inhparent = tree.rel
)sql";
constexpr char kNodes[] = R"sql(
)
SELECT c.oid, n.nspname, format('%I.%I', n.nspname, c.relname), c.relkind, tree.level,
       COALESCE((SELECT format('%I.%I', s.nspname, p.relname) FROM pg_class p
                 JOIN pg_namespace s ON s.oid = p.relnamespace WHERE p.oid = i.indexrelid), ''),
       COALESCE(i.indisvalid AND i.indisready, false),
       COALESCE((SELECT format('%I.%I', s.nspname, p.relname) FROM pg_class p
                 JOIN pg_namespace s ON s.oid = p.relnamespace WHERE p.oid = tree.above), '')
FROM tree
JOIN pg_class c ON c.oid = tree.rel
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_index i ON i.indexrelid = tree.index AND i.indrelid = c.oid
ORDER BY tree.level, n.nspname, c.relname
)sql";

}  // namespace

absl::StatusOr<std::vector<IndexNode>> ReadIndexTree(pg::Connection* connection, const std::string& table,
                                                     const std::string& index) {
  const bool detaches_concurrently = connection->server_version_num() >= 140000;
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      connection->Execute(
          absl::StrCat(kTree, detaches_concurrently ? "  WHERE NOT h.inhdetachpending" : "", kNodes),
          {table, index}));
  if (rows.empty()) return absl::NotFoundError(absl::StrCat("table ", table, " does not exist"));
  std::vector<IndexNode> nodes;
  for (int64_t i = 0; i < rows.size(); ++i) {
    nodes.push_back({.table_oid = static_cast<uint32_t>(rows.Int(i, 0)),
                     .schema = rows.Text(i, 1),
                     .table = rows.Text(i, 2),
                     .kind = rows.Text(i, 3).front(),
                     .level = static_cast<int>(rows.Int(i, 4)),
                     .index = rows.Text(i, 5),
                     .valid = rows.Bool(i, 6),
                     .parent_index = rows.Text(i, 7)});
  }
  return nodes;
}

absl::Status CheckIndexable(const std::vector<IndexNode>& nodes) {
  const std::string& table = nodes.front().table;
  if (!nodes.front().partitioned())
    return absl::FailedPreconditionError(absl::StrCat("table ", table, " is not partitioned"));
  for (const IndexNode& node : nodes) {
    if (node.kind == 'p' || node.kind == 'r') continue;
    return base::WithDetail(
        absl::FailedPreconditionError(absl::StrCat(
            node.table, ", a partition of ", table, ", is no ordinary table (relkind ",
            std::string(1, node.kind), "): an index of all partitions could never become valid")),
        base::kHint, "detach it first, or give the other partitions an index each");
  }
  return absl::OkStatus();
}

std::string PartName(const std::string& index, const IndexNode& node) {
  const absl::StatusOr<sql::TableName> parsed = sql::ParseTableName(index);
  std::string name = parsed.ok() ? parsed->name : "index";
  if (name.size() > kNameBytes) {
    size_t end = kNameBytes;
    // Not within a character of UTF-8.
    while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
    name.resize(end);
  }
  return sql::HashedName(absl::StrCat(name, "_"), {index, node.table});
}

std::string QualifiedPartName(const std::string& index, const IndexNode& node) {
  return sql::TableName{node.schema, PartName(index, node)}.Quoted();
}

}  // namespace curlew::agent
