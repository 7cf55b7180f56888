// What a plan's backups and verifications, and the dual write itself, add to the steps of its operations. Of
// this folder alone.
#ifndef CURLEW_COMMON_COMPILER_SAFETY_H_
#define CURLEW_COMMON_COMPILER_SAFETY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/compiler/stage.h"
#include "common/operations/operation.h"
#include "curlew/v1/plan.pb.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::compiler {

// Adds steps that have neither keys nor a stage yet to `stages`, of which first_of[i] is the first operation
// of stage i:
//   after the looks of the first: the backups; then one Measure of what verifications compare
//   after the last step of the last that comes before DROP: the plan's verifications
//   at the beginning of DROP, in each stage that has one: that the triggers fire and every row is in step, as
//   before CONSTRAIN; what was measured; in the last stage, what queries have to answer
// FAILED_PRECONDITION where a table or column that they name is not there, or not any more when it is looked
// at; the message names the way out, and base::kField the field. Warnings go to the first stage.
absl::Status AddSafety(const v1::Plan& plan, const std::vector<std::unique_ptr<operations::Operation>>& all,
                       const std::vector<int>& first_of, const v1::Schema& schema,
                       std::vector<Stage>* stages);

// That the triggers of the stage still fire: to be looked at after a wait. Without an action where there are
// none.
v1::Step TriggersFire(const Stage& stage);

// The tables that backups and verifications name, as the plan writes them.
std::vector<std::string> SafetyTables(const v1::Plan& plan);

}  // namespace curlew::compiler

#endif  // CURLEW_COMMON_COMPILER_SAFETY_H_
