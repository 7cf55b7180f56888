// What the operations of a stage want of one table's dual write, backfill and finishing transaction. All that
// concerns one table is done together: one trigger function, one pass over the rows, one end.
#ifndef CURLEW_COMMON_OPERATIONS_TABLE_WORK_H_
#define CURLEW_COMMON_OPERATIONS_TABLE_WORK_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/sql/expression.h"
#include "common/sql/sql_text.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

// A column that the stage adds and fills.
struct NewColumn {
  std::string name;
  std::string type;       // as in SQL
  std::string collation;  // quoted; empty where it is the type's
  // Whether the type has a default equality operator (json and point have none).
  bool has_equality = true;
  sql::Expression up;  // over the old columns; of a column that is only filled, over any
  // Whether it becomes NOT NULL, so that NULL can only mean that the row has not been filled.
  bool not_null = false;
  // Of a column that is numbered: the sequence, in schema curlew, qualified, quoted; `up` is its nextval, and
  // the link has no other column. It is made with the triggers and goes with them in the undo; in the end
  // `after_finish` drops it. Else empty.
  std::string sequence = {};
};

// A column that goes in the end and is kept in step until then.
struct OldColumn {
  v1::Column column;
  sql::Expression down;  // over the new columns of the link
};

// Columns that say the same in two shapes: a rename is one to one, a split one to many, a merge many to one.
// Without `from` the new columns are only filled.
struct Link {
  std::vector<NewColumn> to;
  std::vector<OldColumn> from;
  // Whether applications know the old columns only, until the new ones take their names in the end: then
  // nobody can tell by writes which shape is in use, and none are counted.
  bool hidden = false;
};

// A column that goes in the end and gets a value in rows that are inserted without one.
struct InsertDefault {
  v1::Column column;
  sql::Expression value;
};

// The work on one table. A value.
struct TableWork {
  v1::Table table;  // before the stage

  // ADD: clauses of one ALTER TABLE ("ADD COLUMN a integer"), and statements after it. `added` are the
  // columns that the undo drops.
  std::vector<sql::SqlText> add_clauses;
  std::vector<sql::SqlText> after_add;
  std::vector<std::string> added;
  std::vector<std::string> add_titles;

  // DUAL_WRITE and BACKFILL.
  std::vector<Link> links;
  std::vector<InsertDefault> insert_defaults;

  // DROP, in one transaction after the triggers are gone: statements, clauses of one ALTER TABLE ("DROP
  // COLUMN a"), statements.
  std::vector<sql::SqlText> before_finish;
  std::vector<sql::SqlText> finish_clauses;
  std::vector<sql::SqlText> after_finish;
  // Other tables that this locks in ACCESS EXCLUSIVE mode; qualified, quoted names.
  std::vector<std::string> finish_locks;
  std::vector<std::string> finish_titles;

  // Adds what an operation wants of DUAL_WRITE, BACKFILL and DROP. FAILED_PRECONDITION where two operations
  // fill the same column, or follow the same column.
  absl::Status Merge(const TableWork& other);
};

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_TABLE_WORK_H_
