#include "agent/executor/leaves.h"

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"

namespace curlew::agent {

absl::StatusOr<std::vector<Leaf>> ListLeaves(pg::Connection* connection, const std::string& table) {
  ASSIGN_OR_RETURN(const pg::Result rows,
                   connection->Execute(
                       "WITH RECURSIVE tree AS (SELECT to_regclass($1)::oid AS oid"
                       " UNION SELECT i.inhrelid FROM tree JOIN pg_inherits i ON i.inhparent = tree.oid)"
                       " SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind"
                       " FROM tree JOIN pg_class c USING (oid) JOIN pg_namespace n ON n.oid = c.relnamespace"
                       " ORDER BY c.oid",
                       {table}));
  if (rows.empty()) return absl::NotFoundError(absl::StrCat("table ", table, " does not exist"));
  std::vector<Leaf> leaves;
  for (int64_t i = 0; i < rows.size(); ++i) {
    const std::string kind = rows.Text(i, 2);
    if (kind == "p") continue;
    if (kind != "r") {
      return base::WithDetail(absl::FailedPreconditionError(absl::StrCat(
                                  rows.Text(i, 1), ", a part of ", table, ", is no ordinary table (relkind ",
                                  kind, "): it cannot be walked")),
                              base::kHint, "detach it first, and migrate it where its rows live");
    }
    leaves.push_back({.oid = static_cast<uint32_t>(rows.Int(i, 0)), .name = rows.Text(i, 1)});
  }
  return leaves;
}

}  // namespace curlew::agent
