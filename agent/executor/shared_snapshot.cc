#include "agent/executor/shared_snapshot.h"

#include "absl/strings/str_cat.h"
#include "agent/attempt/leaves.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/pg/error.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

constexpr char kLockTimeout[] = "SET LOCAL lock_timeout = '1s'";

absl::Status Changed(const std::string& table) {
  return base::WithDetail(
      absl::AbortedError(absl::StrCat("table ", table, " was rewritten while it was looked at")),
      base::kReason, kTableChanged);
}

pg::Param Oids(const std::vector<Leaf>& leaves) {
  std::vector<std::string> oids;
  for (const Leaf& leaf : leaves) oids.push_back(absl::StrCat(leaf.oid));
  return pg::ArrayParam(oids);
}

}  // namespace

bool IsTableChanged(const absl::Status& status) {
  return base::Detail(status, base::kReason) == kTableChanged;
}

absl::StatusOr<std::map<uint32_t, std::string>> SharedSnapshot::Files(pg::Connection* connection,
                                                                      const std::string& table) {
  ASSIGN_OR_RETURN(const std::vector<Leaf> leaves, ListLeaves(connection, table));
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      connection->Execute("SELECT oid, pg_relation_filenode(oid) FROM unnest($1::oid[]) AS o (oid)",
                          {Oids(leaves)}));
  std::map<uint32_t, std::string> files;
  for (int64_t i = 0; i < rows.size(); ++i) {
    files.emplace(static_cast<uint32_t>(rows.Int(i, 0)), rows.Text(i, 1));
  }
  return files;
}

absl::StatusOr<std::unique_ptr<SharedSnapshot>> SharedSnapshot::Take(pg::Connection* connection,
                                                                     const std::string& search_path) {
  ASSIGN_OR_RETURN(auto transaction,
                   pg::Transaction::Begin(connection, pg::Transaction::Mode::kReadOnlySnapshot));
  // A policy that hides rows is an error, not an empty answer.
  std::string settings = "SET LOCAL statement_timeout = 0; SET LOCAL row_security = off";
  if (!search_path.empty()) absl::StrAppend(&settings, "; SET LOCAL search_path = ", search_path);
  RETURN_IF_ERROR(transaction->Execute(settings).status());
  ASSIGN_OR_RETURN(const pg::Result id, transaction->Execute("SELECT pg_export_snapshot()"));
  // Each range is one scan of known cost: compiling it, or sharing it out again, would cost more.
  absl::StrAppend(&settings, "; ", kLockTimeout,
                  "; SET LOCAL jit = off; SET LOCAL enable_seqscan = off;"
                  " SET LOCAL max_parallel_workers_per_gather = 0");
  return std::unique_ptr<SharedSnapshot>(
      new SharedSnapshot(connection, std::move(transaction), id.Text(0, 0), std::move(settings)));
}

absl::StatusOr<std::vector<Heap>> SharedSnapshot::Heaps(const std::string& table,
                                                        const std::map<uint32_t, std::string>& before) {
  const absl::StatusOr<std::vector<Leaf>> listed = ListLeaves(connection_, table);
  // Another table has the name, one that the snapshot does not know.
  if (absl::IsNotFound(listed.status())) return Changed(table);
  RETURN_IF_ERROR(listed.status());
  const std::vector<Leaf>& leaves = *listed;
  // After the snapshot: what it sees lies within. Both functions tell how it is now, whatever the snapshot;
  // pg_relation_size takes a lock for a moment.
  RETURN_IF_ERROR(connection_->Execute(kLockTimeout).status());
  ASSIGN_OR_RETURN(
      const pg::Result rows,
      connection_->Execute(
          "SELECT o.oid, pg_relation_filenode(o.oid),"
          " COALESCE(pg_relation_size(o.oid), 0) / current_setting('block_size')::bigint,"
          " COALESCE(greatest(c.reltuples, 0), 0)::bigint"
          " FROM unnest($1::oid[]) WITH ORDINALITY AS o (oid, place) LEFT JOIN pg_class c ON c.oid = o.oid"
          " ORDER BY o.place",
          {Oids(leaves)}));
  std::vector<Heap> heaps;
  for (size_t i = 0; i < leaves.size(); ++i) {
    const int64_t row = static_cast<int64_t>(i);
    const auto noted = before.find(leaves[i].oid);
    if (noted == before.end() || rows.IsNull(row, 1) || noted->second != rows.Text(row, 1))
      return Changed(leaves[i].name);
    heaps.push_back({.leaf = leaves[i],
                     .file = rows.Text(row, 1),
                     .blocks = rows.Int(row, 2),
                     .rows_estimate = rows.Int(row, 3),
                     .accepted = ""});
  }
  return heaps;
}

absl::Status SharedSnapshot::Hold() { return connection_->Execute("SELECT 1").status(); }

absl::StatusOr<std::unique_ptr<pg::Transaction>> SharedSnapshot::Join(pg::Connection* connection) const {
  ASSIGN_OR_RETURN(auto transaction,
                   pg::Transaction::Begin(connection, pg::Transaction::Mode::kReadOnlySnapshot));
  const absl::Status joined =
      transaction->Execute(absl::StrCat("SET TRANSACTION SNAPSHOT ", sql::Literal(id_), "; ", settings_))
          .status();
  if (joined.ok()) return transaction;
  if (absl::IsCancelled(joined) || pg::BlameFor(joined) == pg::Blame::kWorld) return joined;
  return absl::UnavailableError(
      absl::StrCat("the snapshot that is looked at has gone: ", std::string(joined.message())));
}

}  // namespace curlew::agent
