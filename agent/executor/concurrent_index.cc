#include "agent/executor/concurrent_index.h"

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/status_macros.h"

namespace curlew::agent {

absl::StatusOr<IndexState> ReadIndexState(pg::Connection* connection, const std::string& index,
                                          const std::string& table) {
  ASSIGN_OR_RETURN(const pg::Result row,
                   connection->Execute("SELECT i.indisvalid AND i.indisready,"
                                       " $2 = '' OR i.indrelid = to_regclass(NULLIF($2, ''))"
                                       " FROM pg_index i WHERE i.indexrelid = to_regclass($1)",
                                       {index, table}));
  if (row.empty()) return IndexState::kAbsent;
  if (!row.Bool(0, 1)) return IndexState::kOnOtherTable;
  return row.Bool(0, 0) ? IndexState::kValid : IndexState::kInvalid;
}

absl::Status NotOurs(const std::string& index) {
  return base::WithDetail(
      absl::AlreadyExistsError(absl::StrCat("index ", index, " exists already, and is not Curlew's")),
      base::kHint, "drop it, rename it, or give the plan's index another name");
}

absl::Status BuildIndex(ConcurrentSession& session, const std::string& index, const std::string& table,
                        const std::string& statement) {
  const std::string drop = absl::StrCat("DROP INDEX CONCURRENTLY IF EXISTS ", index);
  ASSIGN_OR_RETURN(const IndexState found, ReadIndexState(session.connection(), index, table));
  switch (found) {
    case IndexState::kOnOtherTable:
      return NotOurs(index);
    case IndexState::kValid:
      return absl::OkStatus();
    case IndexState::kInvalid:
      RETURN_IF_ERROR(session.Execute(drop));
      break;
    case IndexState::kAbsent:
      break;
  }
  absl::Status status = session.Execute(statement);
  if (status.ok()) {
    ASSIGN_OR_RETURN(const IndexState made, ReadIndexState(session.connection(), index, table));
    if (made == IndexState::kValid) return absl::OkStatus();
    status = absl::AbortedError(absl::StrCat("index ", index, " is not valid after it was built"));
  }
  session.CleanUp([&](pg::Connection* connection) {
    const absl::StatusOr<IndexState> left = ReadIndexState(connection, index, table);
    if (left.ok() && *left == IndexState::kInvalid) connection->Execute(drop).IgnoreError();
  });
  return status;
}

absl::Status DropIndex(ConcurrentSession& session, const std::string& index, const std::string& table,
                       const std::string& statement) {
  ASSIGN_OR_RETURN(const IndexState found, ReadIndexState(session.connection(), index, table));
  if (found == IndexState::kAbsent || found == IndexState::kOnOtherTable) return absl::OkStatus();
  RETURN_IF_ERROR(session.Execute(statement));
  ASSIGN_OR_RETURN(const IndexState left, ReadIndexState(session.connection(), index, table));
  if (left == IndexState::kAbsent) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("index ", index, " is still there after it was dropped"));
}

}  // namespace curlew::agent
