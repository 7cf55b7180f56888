// What has to hold of a link of columns before anything is changed.
#ifndef CURLEW_COMMON_OPERATIONS_LINK_PREFLIGHT_H_
#define CURLEW_COMMON_OPERATIONS_LINK_PREFLIGHT_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/operations/operation.h"
#include "common/operations/step_list.h"
#include "common/operations/table_work.h"
#include "common/sql/expression.h"

namespace curlew::operations {

// The cast from one type to another that never loses a part unseen: where an explicit cast would cut a text
// off, the length is left to the assignment, which refuses. The column itself where no cast is needed.
sql::Expression Cast(absl::string_view column, absl::string_view from, absl::string_view to);

// Whether values of the two types are written and compared alike, so that expressions over the one work for
// the other too: the integers and numeric, or the texts of any length.
bool SameFamily(absl::string_view from, absl::string_view to);

// OK unless a BEFORE trigger of the table would run after Curlew's, which must see what it writes.
absl::Status CheckTriggersSortFirst(const v1::Table& table);

// OK unless `expression`, the plan's field `which`, names a column other than `allowed`: only their changes
// are followed.
absl::Status CheckOnlyNames(const sql::Expression& expression, absl::string_view which,
                            const std::vector<std::string>& allowed);

// Preflight: for each row `up` can be computed and gives each new column a value that it takes, also as far
// as it is NOT NULL because the old column was, and `down` works on that. Nothing for what is a bare column
// of the same type.
void AppendLinkPreflight(const CompileContext& context, const v1::Table& table, const Link& link,
                         StepList* steps);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_LINK_PREFLIGHT_H_
