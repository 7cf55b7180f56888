// Row-level security: what set_row_security, create_policy and drop_policy share.
#ifndef CURLEW_COMMON_OPERATIONS_POLICY_H_
#define CURLEW_COMMON_OPERATIONS_POLICY_H_

#include "absl/strings/string_view.h"
#include "common/operations/step_list.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

// The policy, or nullptr.
const v1::Policy* FindPolicy(const v1::Table& table, absl::string_view name);

// Whether a policy of the table permits rows: without one, row-level security hides all rows.
bool HasPermissivePolicy(const v1::Table& table);

// Preflight, for whatever fills, checks or deletes rows: row-level security hides none from the agent, whose
// work would leave them out unseen. Nothing where the table has none.
void AppendSeesAllRowsPreflight(const v1::Table& table, StepList* steps);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_POLICY_H_
