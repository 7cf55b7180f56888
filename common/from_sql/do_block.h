// DO blocks that only wrap plain statements. Of this folder alone.
#ifndef CURLEW_COMMON_FROM_SQL_DO_BLOCK_H_
#define CURLEW_COMMON_FROM_SQL_DO_BLOCK_H_

#include <optional>
#include <string>
#include <vector>

#include "pg_query.pb.h"

namespace curlew::from_sql {

// The statements of a DO block that is nothing but BEGIN, statements of SQL, and maybe EXCEPTION WHEN
// duplicate_... THEN with nothing done: as ORMs write what has no IF NOT EXISTS.
struct PlainBlock {
  std::vector<std::string> statements;
  bool passes_over_duplicates = false;
};

// Absent for a block of another kind, or of another language.
std::optional<PlainBlock> ReadPlainBlock(const pg_query::DoStmt& block);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_DO_BLOCK_H_
