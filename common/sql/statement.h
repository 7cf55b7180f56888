// Statements that people write: split, classified, with their hazards.
#ifndef CURLEW_COMMON_SQL_STATEMENT_H_
#define CURLEW_COMMON_SQL_STATEMENT_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/sql/identifier.h"

namespace curlew::sql {

// How a statement has to be run.
enum class StatementKind {
  kTransactional,
  kCreateIndexConcurrently,
  kDropIndexConcurrently,
};

// A lock on a table that exists.
struct StatementLock {
  TableName table;
  std::string mode;  // PostgreSQL's name: "AccessExclusiveLock"
};

// One statement.
struct Statement {
  std::string text;  // without semicolon and white space around it
  int line = 1;      // where it begins, counted from 1
  StatementKind kind = StatementKind::kTransactional;
  TableName index;  // of the two CONCURRENTLY kinds; schema is "" where none is written
  std::vector<StatementLock> locks;
  // By name, each of which a plan has to acknowledge: "rewrites-table", "scans-under-lock", "blocks-writes",
  // "unbatched-data" (rows are written in one go), "breaks-applications" (something that they use goes or
  // gets another name), "unknown-effect" (the statement alone does not tell). Judged on the safe side.
  std::vector<std::string> hazards;
};

// Splits and classifies `text`. INVALID_ARGUMENT with the place for what does not parse, for transaction
// control and SET (the agent owns both), and for statements that cannot run in a transaction and are no
// CREATE or DROP INDEX CONCURRENTLY of one named index. Thread-safe.
absl::StatusOr<std::vector<Statement>> ParseStatements(absl::string_view text);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_STATEMENT_H_
