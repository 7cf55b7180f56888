// Actions as pieces of an SQL script.
#ifndef CURLEW_CLI_SQL_SCRIPT_ACTIONS_H_
#define CURLEW_CLI_SQL_SCRIPT_ACTIONS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "curlew/v1/step.pb.h"

namespace curlew::cli {

// What a piece of the script is written for.
struct ScriptContext {
  // The plan's settings, with defaults filled in.
  v1::PlanSettings settings;
  // Unique for the plan and what it was compiled against: notes in curlew.script are kept under it.
  std::string id;
  // Name of the plan.
  std::string plan;
  // Key of the step.
  std::string step;
};

// The statements of an action, each with its semicolon, and comments; "" for an action that is empty.
std::string ScriptAction(const v1::Action& action, const ScriptContext& context);

// What a person has to do for an action, in one line; "" where SQL does it all.
std::string ByHand(const v1::Action& action);

// Whether an action needs table curlew.script.
bool NeedsNotes(const v1::Action& action);

// `code` as the body of a DO block, in a dollar quote that it does not hold.
std::string DoBlock(absl::string_view code);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_SQL_SCRIPT_ACTIONS_H_
