// Trigger functions of a table whose columns change their types.
#ifndef CURLEW_COMMON_OPERATIONS_TRIGGER_FUNCTIONS_H_
#define CURLEW_COMMON_OPERATIONS_TRIGGER_FUNCTIONS_H_

#include <vector>

#include "common/operations/step_list.h"
#include "common/sql/sql_text.h"
#include "curlew/v1/schema.pb.h"

namespace curlew::operations {

// A session that has run a PL/pgSQL trigger function keeps the types of the fields of NEW and OLD: after a
// change each further row fails there with "type of parameter does not match that when preparing the plan".
// The statement, to be run with the change, writes the functions' catalogue rows anew as they are, so that
// every session compiles them again. None where the table has no triggers.
std::vector<sql::SqlText> RecompileTriggerFunctions(const v1::Table& table);

// Preflight: the agent may do that. Nothing where the table has no triggers.
void AppendTriggerFunctionsPreflight(const v1::Table& table, StepList* steps);

}  // namespace curlew::operations

#endif  // CURLEW_COMMON_OPERATIONS_TRIGGER_FUNCTIONS_H_
