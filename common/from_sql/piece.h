// The smallest things that a script asks for: one statement gives one or several. Of this folder alone.
#ifndef CURLEW_COMMON_FROM_SQL_PIECE_H_
#define CURLEW_COMMON_FROM_SQL_PIECE_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "curlew/v1/plan.pb.h"
#include "pg_query.pb.h"

namespace curlew::from_sql {

// An object that statements depend on each other by: "relation public.users" (tables, views, sequences and
// indexes share their names), "type public.mood", "function public.f" (of any arguments), "schema crm",
// "extension citext".
using Keys = std::set<std::string>;

// A piece. It has an operation where there may be one, and the same as SQL for when that does not do.
struct Piece {
  int statement = 0;  // which one of the script it comes from
  std::optional<v1::Operation> operation;
  std::string sql;
  // The statement that undoes `sql`, where one does so exactly; else empty.
  std::string down;
  // Why it is (or became) no operation; empty while it is one.
  std::string why;
  // What a person should know; stands above the operation.
  std::vector<std::string> notes;

  Keys touches;  // what it names or reaches
  Keys changes;  // what of that is another thing, or gone, afterwards; all that `sql` may change
  // Whether it may reach anything: a DO block with dynamic SQL, a function that nobody knows.
  bool reaches_all = false;
  // Whether it is about an index of a table that is not known: it may be one that another operation carries
  // over to a new column.
  bool of_unknown_table = false;
  // Whether it changes rows only, and names their columns.
  bool data_only = false;
  // Whether its rows are gone when the plan is undone: those of a table, or of columns, that the plan makes.
  bool own_rows = false;
  // The first and the last phase in which the operation does something to what it touches.
  v1::Phase first = v1::PHASE_ADD, last = v1::PHASE_ADD;
  // Whether all pieces of its statement go into `sql` with it.
  bool leads = false;
  // Whether it only completes operations of the same statement (OWNED BY of a serial column).
  bool completes = false;
  // Hazards that the operation itself has to have acknowledged.
  std::vector<std::string> acknowledge;
  // Whether another piece says it too: the one of that number, or none at all (-1).
  std::optional<int> merged_into;
  // Pieces of one group are operations together or not at all; -1 for none.
  int group = -1;
  // The piece that it comes right after, where that is not the one before it; -1 for the place that it has.
  int after = -1;
  // Whether it stands for no part of the script, and has a sense only while its group is operations.
  bool extra = false;

  // The phase of `sql`; set when pieces are put in order.
  v1::Phase phase = v1::PHASE_ADD;

  bool is_operation() const { return operation.has_value() && why.empty(); }
};

inline std::string RelationKey(absl::string_view quoted) { return "relation " + std::string(quoted); }
inline std::string TypeKey(absl::string_view quoted) { return "type " + std::string(quoted); }
inline std::string FunctionKey(absl::string_view quoted) { return "function " + std::string(quoted); }

}  // namespace curlew::from_sql

#endif  // CURLEW_COMMON_FROM_SQL_PIECE_H_
