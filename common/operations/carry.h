// A column takes the place of another one of its table, with all that stands on it.
#ifndef CURLEW_COMMON_OPERATIONS_CARRY_H_
#define CURLEW_COMMON_OPERATIONS_CARRY_H_

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/operations/operation.h"
#include "common/operations/twins.h"

namespace curlew::operations {

// What takes the place of a column.
struct Successor {
  std::string to;    // name while the stage runs
  std::string name;  // name in the end; where it is the old one's, applications do not know `to`
  std::string type;
  std::string collation;  // quoted; empty where it is the type's
  bool has_equality = true;
  sql::Expression up;    // over the old column
  sql::Expression down;  // over `to`
  NewValues values = NewValues::kSame;
  // Whether the operation itself makes the type, so that nothing can be computed beforehand.
  bool makes_type = false;
  std::string default_value;  // in the end; empty where there is none
  std::set<std::string> discard;
  // What to do about an object that cannot be carried.
  std::string way_out;
};

// Whether a type has a default equality operator: json, point and the like have none, and their changes are
// seen in their bytes.
bool HasEquality(absl::string_view type);

// The default of `from` as it reads for values that `up` gives.
absl::StatusOr<std::string> CarryDefault(const v1::Column& from, const sql::Expression& up);

// Everything from the preflights to the finishing transaction: the new column with the old one's comment,
// grants and statistics target; dual write and backfill; NOT NULL, indexes, constraints and statistics; in
// the end default, owned or identity sequence, and the name. FAILED_PRECONDITION, naming what stands in the
// way.
absl::Status AppendCarry(const CompileContext& context, const v1::Table& table, const v1::Column& from,
                         const Successor& successor, StepList* steps);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_CARRY_H_
