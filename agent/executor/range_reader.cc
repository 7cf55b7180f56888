#include "agent/executor/range_reader.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "agent/executor/finding.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"
#include "common/sql/identifier.h"

namespace curlew::agent {
namespace {

// OID and file of the table that has the heap's name, once a lock is held on it.
std::string WhichHeap(const Heap& heap) {
  const std::string name = absl::StrCat(sql::Literal(heap.leaf.name), "::pg_catalog.regclass");
  return absl::StrCat(name, "::pg_catalog.oid, pg_catalog.pg_relation_filenode(", name, ")");
}

absl::Status CheckHeap(const Heap& heap, const pg::Result& row) {
  if (!row.IsNull(0, 1) && row.Text(0, 0) == absl::StrCat(heap.leaf.oid) && row.Text(0, 1) == heap.file)
    return absl::OkStatus();
  return base::WithDetail(
      absl::AbortedError(absl::StrCat("table ", heap.leaf.name, " was rewritten while it was looked at")),
      base::kReason, kTableChanged);
}

}  // namespace

std::string RangeReader::Violation(const Heap& heap, int check) const {
  std::vector<std::string> pending;
  for (const v1::RowCheck& other : scan_.checks()) {
    if (other.pending()) pending.push_back(absl::StrCat("(", other.violation(), ")"));
  }
  std::string violation = scan_.checks(check).violation();
  // CASE fixes the order: what a row that is accepted, or pending, would make of the rest may be an error.
  if (!scan_.checks(check).pending() && !pending.empty())
    violation =
        absl::StrCat("CASE WHEN ", absl::StrJoin(pending, " OR "), " THEN false ELSE ", violation, " END");
  if (!heap.accepted.empty())
    violation = absl::StrCat("CASE WHEN ", heap.accepted, " THEN false ELSE ", violation, " END");
  return violation;
}

absl::StatusOr<RangeCount> RangeReader::Count(const Heap& heap, TidNumber from, TidNumber to,
                                              const CheckSet& active, const CheckSet& keyed) {
  ASSIGN_OR_RETURN(const auto transaction, snapshot_.Join(connection_));
  std::string select = absl::StrCat("SELECT ", WhichHeap(heap), ", pg_catalog.count(*)");
  for (int i = 0; i < scan_.checks_size(); ++i) {
    if (active[i]) absl::StrAppend(&select, ", pg_catalog.count(*) FILTER (WHERE ", Violation(heap, i), ")");
  }
  const std::string rows = absl::StrCat(" FROM ONLY ", heap.leaf.name, " AS t WHERE ", TidRangeSql(from, to));
  ASSIGN_OR_RETURN(const pg::Result counts, transaction->Execute(absl::StrCat(select, rows)));
  RETURN_IF_ERROR(CheckHeap(heap, counts));
  RangeCount count{.rows = counts.Int(0, 2),
                   .violations = std::vector<int64_t>(active.size()),
                   .keys = std::vector<std::vector<std::string>>(active.size())};
  int column = 3;
  for (int i = 0; i < scan_.checks_size(); ++i) {
    if (!active[i]) continue;
    count.violations[i] = counts.Int(0, column++);
    if (count.violations[i] == 0 || !keyed[i] || scan_.key().empty()) continue;
    ASSIGN_OR_RETURN(const pg::Result keys,
                     transaction->Execute(absl::StrCat("SELECT ", scan_.key(), rows, " AND (",
                                                       Violation(heap, i), ") LIMIT ", kMostKeys)));
    for (int64_t row = 0; row < keys.size(); ++row) count.keys[i].push_back(keys.Text(row, 0));
  }
  return count;
}

absl::StatusOr<std::string> RangeReader::Key(const Heap& heap, TidNumber place) {
  ASSIGN_OR_RETURN(const auto transaction, snapshot_.Join(connection_));
  ASSIGN_OR_RETURN(const pg::Result key,
                   transaction->Execute(absl::StrCat("SELECT ", scan_.key().empty() ? "t.ctid" : scan_.key(),
                                                     " FROM ONLY ", heap.leaf.name, " AS t WHERE ",
                                                     TidRangeSql(place, place + 1))));
  return key.empty() ? TidText(place) : key.Text(0, 0);
}

absl::Status RangeReader::CheckUnchanged(const Heap& heap) {
  ASSIGN_OR_RETURN(const pg::Result row,
                   connection_->Execute("SELECT to_regclass($1)::oid, pg_relation_filenode(to_regclass($1))",
                                        {heap.leaf.name}));
  return CheckHeap(heap, row);
}

}  // namespace curlew::agent
