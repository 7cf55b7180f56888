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
// the variable curlew_part says which (1 without it), so that nothing is dropped unasked; a part does not
// begin before the one before it has come to its end. DDL runs in transactions under the plan's lock
// time-out; what cannot run in a transaction stands by itself, and says so; rows are written in batches by DO
// blocks that commit each, with the setting that the plan's triggers know the backfill by; verifications
// raise errors. What SQL cannot do (waits for sessions, dumps, commands of an agent) is said in comments, and
// listed at the top; nothing is changed before the variable curlew_backup_done says that the dumps and
// commands are made.
//
// Notes are kept in table curlew.script, under the first 12 digits of the digest of the steps: each step as
// it is done, in its transaction where it has one. A script that stopped is run again from the top, and
// passes over what is done; looks (verifications) are repeated until the change that follows them has begun.
// A DROP part first commits a note that stays for good.
//
// kUndo gives the undo of all steps before the first DROP that are noted as begun or done, the last first. It
// raises an error where DROP has begun. `against` says in words what the plan was compiled against. Names and
// texts from elsewhere cannot end a comment or a literal.
std::string SqlScript(const v1::CompiledPlan& compiled, const std::string& against,
                      ScriptDirection direction);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_SQL_SCRIPT_H_
