#include "agent/executor/reindex.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/executor/concurrent_index.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"

namespace curlew::agent {
namespace {

// An index with pages. Names are qualified and quoted.
struct HeapIndex {
  std::string name;
  std::string table;
  bool excludes = false;
};

// Those below the relation $1, itself included: of an index its parts; of a table (kind 't') those of all of
// its partitions.
constexpr char kIndexes[] = R"sql(
WITH RECURSIVE tree AS (
  SELECT $1::oid AS oid
  UNION
  SELECT h.inhrelid FROM tree JOIN pg_inherits h ON h.inhparent = tree.oid
)
SELECT format('%I.%I', n.nspname, c.relname), format('%I.%I', tn.nspname, t.relname), i.indisexclusion
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace tn ON tn.oid = t.relnamespace
WHERE c.relkind = 'i' AND (i.indexrelid IN (SELECT oid FROM tree) OR i.indrelid IN (SELECT oid FROM tree))
ORDER BY tn.nspname, t.relname, c.relname
)sql";

// What REINDEX CONCURRENTLY of the index $1 leaves on its table when it is interrupted. It cuts the name to
// make room for its suffix, within 3 bytes of the limit, and may add a number.
constexpr char kLeftovers[] = R"sql(
SELECT format('%I.%I', n.nspname, l.relname)
FROM pg_index i
JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_index li ON li.indrelid = i.indrelid AND NOT li.indisvalid AND li.indexrelid <> i.indexrelid
JOIN pg_class l ON l.oid = li.indexrelid AND l.relkind = 'i'
JOIN pg_namespace n ON n.oid = l.relnamespace
CROSS JOIN regexp_replace(l.relname, '_cc(new|old)[0-9]*$', '') AS base
WHERE i.indexrelid = to_regclass($1) AND base <> l.relname
  AND (base = c.relname OR (octet_length(l.relname) >= 60 AND starts_with(c.relname, base)))
ORDER BY l.relname
)sql";

absl::StatusOr<std::vector<HeapIndex>> List(pg::Connection* connection,
                                            const v1::ExecuteSqlConcurrently& action) {
  const std::string& root = action.index().empty() ? action.table() : action.index();
  ASSIGN_OR_RETURN(const pg::Result oid, connection->Execute("SELECT to_regclass($1)::oid", {root}));
  if (oid.IsNull(0, 0)) {
    return absl::NotFoundError(
        absl::StrCat(action.index().empty() ? "table " : "index ", root, " does not exist"));
  }
  ASSIGN_OR_RETURN(const pg::Result rows, connection->Execute(kIndexes, {oid.Text(0, 0)}));
  std::vector<HeapIndex> indexes;
  for (int64_t i = 0; i < rows.size(); ++i) {
    indexes.push_back({.name = rows.Text(i, 0), .table = rows.Text(i, 1), .excludes = rows.Bool(i, 2)});
  }
  return indexes;
}

absl::Status DropLeftovers(ConcurrentSession& session, const HeapIndex& index) {
  ASSIGN_OR_RETURN(const pg::Result rows, session.connection()->Execute(kLeftovers, {index.name}));
  for (int64_t i = 0; i < rows.size(); ++i) {
    RETURN_IF_ERROR(session.Execute(absl::StrCat("DROP INDEX CONCURRENTLY IF EXISTS ", rows.Text(i, 0))));
  }
  return absl::OkStatus();
}

absl::Status BuildAnew(ConcurrentSession& session, const HeapIndex& index) {
  absl::Status status = session.Execute(absl::StrCat("REINDEX INDEX CONCURRENTLY ", index.name));
  if (status.ok()) {
    ASSIGN_OR_RETURN(const IndexState made, ReadIndexState(session.connection(), index.name, index.table));
    if (made == IndexState::kValid || made == IndexState::kAbsent) return absl::OkStatus();
    status = absl::AbortedError(absl::StrCat("index ", index.name, " is not valid after it was built anew"));
  }
  session.CleanUp([&](pg::Connection* connection) {
    const absl::StatusOr<pg::Result> left = connection->Execute(kLeftovers, {index.name});
    if (!left.ok()) return;
    for (int64_t i = 0; i < left->size(); ++i)
      connection->Execute(absl::StrCat("DROP INDEX CONCURRENTLY IF EXISTS ", left->Text(i, 0))).IgnoreError();
  });
  return status;
}

absl::Status RefuseExclusion(const HeapIndex& index) {
  return base::WithDetail(
      absl::FailedPreconditionError(absl::StrCat("index ", index.name,
                                                 " belongs to an exclusion constraint:"
                                                 " PostgreSQL cannot reindex it"
                                                 " concurrently")),
      base::kHint,
      "add the same constraint anew under another name and drop this one, or run REINDEX INDEX in a"
      " maintenance window");
}

}  // namespace

absl::Status Reindex(ConcurrentSession& session, const v1::ExecuteSqlConcurrently& action) {
  // An invalid leftover may stand in the list itself: so all of them go first.
  ASSIGN_OR_RETURN(const std::vector<HeapIndex> before, List(session.connection(), action));
  for (const HeapIndex& index : before) RETURN_IF_ERROR(DropLeftovers(session, index));
  ASSIGN_OR_RETURN(std::vector<HeapIndex> indexes, List(session.connection(), action));
  std::vector<std::string> skipped;
  for (const HeapIndex& index : indexes) {
    if (!index.excludes) continue;
    if (!action.index().empty()) return RefuseExclusion(index);
    skipped.push_back(index.name);
  }
  std::erase_if(indexes, [](const HeapIndex& index) { return index.excludes; });
  for (size_t i = 0; i < indexes.size(); ++i) {
    const HeapIndex& index = indexes[i];
    ASSIGN_OR_RETURN(const IndexState found, ReadIndexState(session.connection(), index.name, index.table));
    if (found == IndexState::kAbsent || found == IndexState::kOnOtherTable) continue;
    session.SetSubject(absl::StrCat(index.name, ", ", i + 1, " of ", indexes.size(), ": "));
    RETURN_IF_ERROR(BuildAnew(session, index));
  }
  v1::Progress progress;
  progress.set_fraction(1);
  progress.set_message(absl::StrCat(
      "built ", indexes.size(), indexes.size() == 1 ? " index" : " indexes", " anew",
      skipped.empty() ? ""
                      : absl::StrCat("; left as they are, because they belong to exclusion constraints: ",
                                     absl::StrJoin(skipped, ", "))));
  session.context().progress->Report(progress);
  return absl::OkStatus();
}

}  // namespace curlew::agent
