// Scripts as statements with their places. Of this folder alone.
#ifndef CURLEW_COMMON_FROM_SQL_READ_SCRIPTS_H_
#define CURLEW_COMMON_FROM_SQL_READ_SCRIPTS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/from_sql/from_sql.h"
#include "common/from_sql/known.h"
#include "common/from_sql/piece.h"
#include "pg_query.pb.h"

namespace curlew::from_sql {

// A statement, or several that have to run in one session because a temporary table connects them.
struct Statement {
  std::string file;
  int line = 1, column = 1;
  std::string text;     // without semicolon and comments around it
  pg_query::Node tree;  // of the first, where there are several
  bool in_one_session = false;
  bool changes_rows_only = false;  // of those in one session: apart from the temporary tables
  std::vector<pg_query::Node> others;

  // What all of them name.
  Keys Touches(const Known& known) const;
};

// INVALID_ARGUMENT, a line for each error of all scripts, with file, line and column.
absl::StatusOr<std::vector<Statement>> ReadScripts(const std::vector<Script>& scripts);

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_READ_SCRIPTS_H_
