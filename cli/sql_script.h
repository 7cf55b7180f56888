// A compiled plan as an SQL script, for those who must hand it over. Pure functions.
#ifndef CURLEW_CLI_SQL_SCRIPT_H_
#define CURLEW_CLI_SQL_SCRIPT_H_

#include <string>

#include "curlew/v1/step.pb.h"

namespace curlew::cli {

// Which way.
enum class ScriptDirection { kDo, kUndo };

// A script for psql (11 or later) that does what the steps of `compiled` do, in their order, with comments.
//
// It has parts, of which one run of the script does one: up to DROP, and DROP, for each stage of the plan;
// the variable curlew_part says which (1 without it), so that nothing is dropped unasked. DDL runs in
// transactions under the plan's lock time-out; what cannot run in a transaction stands by itself, and says
// so; rows are written in batches by DO blocks that commit each, with the setting that the plan's triggers
// know the backfill by; verifications raise errors. What SQL cannot do (waits for sessions, dumps, commands
// of an agent) is said in comments, and listed at the top. Notes are kept in table curlew.script, which the
// last part drops.
//
// kUndo gives the undo of all steps before the first DROP, the last first. `against` says in words what the
// plan was compiled against. Names and texts from elsewhere cannot end a comment or a literal.
std::string SqlScript(const v1::CompiledPlan& compiled, const std::string& against,
                      ScriptDirection direction);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_SQL_SCRIPT_H_
