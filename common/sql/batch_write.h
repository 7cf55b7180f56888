// Statements that people write to be run over rows, batch by batch.
#ifndef CURLEW_COMMON_SQL_BATCH_WRITE_H_
#define CURLEW_COMMON_SQL_BATCH_WRITE_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/sql/identifier.h"

namespace curlew::sql {

// The relation from which such a statement reads the rows of its batch.
inline constexpr char kBatch[] = "batch";

// One INSERT, UPDATE, DELETE or MERGE over `batch`.
struct BatchWrite {
  std::string text;  // without semicolon, and white space and comments around it
  TableName target;  // the table that it writes; the schema is public where none is written
  // The other tables and views that it names, sorted; schemas as of Query::tables. Without the target, unless
  // it is read too, and without `batch`.
  std::vector<TableName> reads;
  // Columns of the target that it gives values in rows that are new, and in rows that are there; sorted. Of
  // an INSERT without a list of columns there are none.
  std::set<std::string> inserts_columns, updates_columns;
  // What it may do to rows of the target.
  bool inserts = false;
  bool updates = false;
  bool deletes = false;
  // Whether it takes rows as a whole somewhere (`*`, NATURAL, a table's name as a value): then the columns
  // that tables have just then count.
  bool whole_rows = false;
  // Its words, as identifiers: what it does not hold, it does not name.
  std::set<std::string> words;
};

// Reads exactly one INSERT, UPDATE, DELETE or MERGE that reads from `batch`. INVALID_ARGUMENT, with the place
// or the way out, for what does not parse, for several statements and other kinds, where `batch` is not read
// or written, for a WITH before it (one is put there), WITH that writes, RETURNING, FOR UPDATE and the like,
// and parameters. Thread-safe.
absl::StatusOr<BatchWrite> ParseBatchWrite(absl::string_view text);

}  // namespace curlew::sql

#endif  // CURLEW_COMMON_SQL_BATCH_WRITE_H_
