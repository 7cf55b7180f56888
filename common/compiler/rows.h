// Rows that an operation changes in BACKFILL or DROP, and operations after it that look at rows before. Of
// this folder alone.
#ifndef CURLEW_COMMON_COMPILER_ROWS_H_
#define CURLEW_COMMON_COMPILER_ROWS_H_

#include <memory>
#include <string>
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

// The tables, as the plan writes them, of whose rows the operation changes some in BACKFILL or DROP; none of
// those that it only adds columns to. `now` is the schema before its stage.
std::vector<std::string> ChangesRows(const v1::Operation& proto, const operations::Operation& operation,
                                     const v1::Schema& now);

// Whether the operation writes rows before DROP when its turn comes in the order of the plan.
bool WritesInTurn(const v1::Operation& operation);

}  // namespace curlew::compiler

#endif  // CURLEW_COMMON_COMPILER_ROWS_H_
