#include "agent/attempt/leaves.h"

#include <algorithm>
#include <set>

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

RunContext AboutPart(const RunContext& context, const std::string& table, const std::string& part,
                     const std::string& mode) {
  RunContext about = context;
  bool found = false;
  for (v1::TableLock& lock : about.locks) {
    if (lock.table() != table) continue;
    found = true;
    lock.set_table(part);
    if (!mode.empty()) lock.set_mode(mode);
  }
  if (!found && !mode.empty()) {
    v1::TableLock& lock = about.locks.emplace_back();
    lock.set_table(part);
    lock.set_mode(mode);
  }
  return about;
}

absl::Status ForEachLeaf(const RunContext& context, const std::string& table,
                         const std::function<absl::Status(const RunContext&, const Leaf&)>& work) {
  const auto list = [&]() -> absl::StatusOr<std::vector<Leaf>> {
    RETURN_IF_ERROR(context.cancel->Check());
    ASSIGN_OR_RETURN(const auto connection, context.pool->Acquire());
    return ListLeaves(connection.get(), table);
  };
  std::set<uint32_t> done;
  while (true) {
    ASSIGN_OR_RETURN(std::vector<Leaf> leaves, list());
    std::erase_if(leaves, [&](const Leaf& leaf) { return done.contains(leaf.oid); });
    if (leaves.empty()) return absl::OkStatus();
    std::sort(leaves.begin(), leaves.end(),
              [](const Leaf& left, const Leaf& right) { return left.name < right.name; });
    for (const Leaf& leaf : leaves) {
      done.insert(leaf.oid);
      const absl::Status status = work(AboutPart(context, table, leaf.name), leaf);
      if (status.ok()) continue;
      if (absl::IsCancelled(status)) return status;
      const absl::StatusOr<std::vector<Leaf>> now = list();
      if (!now.ok()) return status;
      const auto still =
          std::find_if(now->begin(), now->end(), [&](const Leaf& other) { return other.oid == leaf.oid; });
      if (still == now->end()) continue;
      // Renamed meanwhile: it comes again under its new name.
      if (still->name == leaf.name) return status;
      done.erase(leaf.oid);
    }
  }
}

}  // namespace curlew::agent
