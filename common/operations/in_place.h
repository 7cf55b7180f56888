// Columns of rows that exist get other values, each row once: changes in place.
#ifndef CURLEW_COMMON_OPERATIONS_IN_PLACE_H_
#define CURLEW_COMMON_OPERATIONS_IN_PLACE_H_

#include <optional>
#include <string>
#include <vector>

#include "common/operations/step_list.h"
#include "common/sql/expression.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

// One change: the columns, and the values that they get, computed from the row as it is.
struct InPlaceChange {
  struct Set {
    std::string column;
    sql::Expression value;
  };
  std::vector<Set> sets;
  std::optional<sql::Expression> where;  // absent for all rows
};

// Steps of DROP that make the change, behind the gate, because nothing brings the values of before back. A
// marker column tells the rows that are still to be changed, so that each is changed exactly once, whatever
// the applications write meanwhile: a write to such a row changes it too, after the application's own values
// and where `where` still holds for them; rows that are inserted stay as they are.
void AppendInPlaceChange(const v1::Table& table, const InPlaceChange& change, StepList* steps);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_IN_PLACE_H_
