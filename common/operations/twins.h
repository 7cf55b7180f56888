// Indexes, constraints and statistics of a column, built again for the column that takes its place.
#ifndef CURLEW_COMMON_OPERATIONS_TWINS_H_
#define CURLEW_COMMON_OPERATIONS_TWINS_H_

#include <set>
#include <string>

#include "absl/status/status.h"
#include "common/operations/operation.h"

namespace curlew::operations {

// How the values of the new column come about: decides what can be carried along.
enum class NewValues {
  kSame,  // they are the old ones, of the same type
  kCast,  // the old ones, cast to another type
  kOther,
};

// A column and the one that takes its place.
struct Succession {
  const v1::Table& table;  // before the operation
  const v1::Column& from;
  std::string to;    // while the stage runs
  std::string name;  // in the end
  std::string type;  // of `to`, as in SQL
  bool has_equality = true;
  NewValues values = NewValues::kSame;
  std::set<std::string> discard;  // what goes with the old column instead
};

// OK where every object on the column can be built for the new one. FAILED_PRECONDITION, naming the first
// that cannot and the way out, which is `way_out` where the object has to go first.
absl::Status CheckTwins(const CompileContext& context, const Succession& column, absl::string_view way_out);

// Steps of CONSTRAIN that build the twins, and what gives them their names in the finishing transaction,
// after the old column has gone and the new one has its name. An object that a later operation of the stage
// carries on is left to that.
absl::Status AppendTwins(const CompileContext& context, const Succession& column, StepList* steps);

// Whether the definition of an index, or of statistics, names the column in an expression or predicate.
bool UsesInExpression(absl::string_view definition, absl::string_view column);

// Puts `to` in the place of `from` in all definitions of `table`, and takes out what `discard` names. What
// cannot be written again stays as it is: CheckTwins refuses it.
void RenameInDefinitions(absl::string_view from, absl::string_view to, const std::set<std::string>& discard,
                         v1::Table* table);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_TWINS_H_
