// Columns that make way for others, one for several or several for one.
#ifndef CURLEW_COMMON_OPERATIONS_RESHAPE_H_
#define CURLEW_COMMON_OPERATIONS_RESHAPE_H_

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/operations/operation.h"

namespace curlew::operations {

// What becomes of the columns of a table. Nothing that stands on the old ones is carried along.
struct Reshape {
  struct New {
    std::string name;
    std::string type;
    std::string collation;  // as in SQL; empty where it is the type's
    sql::Expression up;     // over the old columns
    bool not_null = false;
    std::string comment;
  };
  struct Old {
    std::string name;
    sql::Expression down;  // over the new columns
  };
  std::string table;  // as the plan writes it
  std::vector<New> to = {};
  std::vector<Old> from = {};
  std::set<std::string> discard = {};
};

// The operation that does it. INVALID_ARGUMENT where a name is given twice or a type is none.
absl::StatusOr<std::unique_ptr<Operation>> MakeReshape(Reshape reshape);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_RESHAPE_H_
