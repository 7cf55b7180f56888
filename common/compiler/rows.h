// Rows that an operation changes in BACKFILL or DROP, and operations after it that look at rows before. Of
// this folder alone.
#ifndef CURLEW_COMMON_COMPILER_ROWS_H_
#define CURLEW_COMMON_COMPILER_ROWS_H_

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "common/operations/operation.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::compiler {

// NeedsLaterStage where operation `number` looks at rows (a constraint, a value for a new column) of a table
// of which an operation of the stage before it, from `first` on, changes rows in DROP (backfill of columns
// that are there, purge, irreversible sql) or in BACKFILL (transform): it would see them as they were. `now`
// is the schema before the stage.
absl::Status CheckRows(const v1::Plan& plan, const std::vector<std::unique_ptr<operations::Operation>>& all,
                       int first, int number, const v1::Schema& now);

}  // namespace curlew::compiler

#endif  // CURLEW_COMMON_COMPILER_ROWS_H_
