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
  // A statement that notes the step as begun, run before an action that may stop half-way; may be empty.
  std::string begun;
  // A statement that notes it as done (or undone), run in the action's transaction where it has one, right
  // after it where it has none; may be empty.
  std::string done;
};

// The statements of an action and its notes, each with its semicolon, and comments.
std::string ScriptAction(const v1::Action& action, const ScriptContext& context);

// What a person has to do for an action, in one line; "" where SQL does it all.
std::string ByHand(const v1::Action& action);

// Key of a note in curlew.script, as a literal: of what kind, and about which step or measurement.
std::string NoteKey(const ScriptContext& context, absl::string_view what, absl::string_view name);

// Whether an action only looks, and may be repeated until something after it changes what it looks at.
bool Looks(const v1::Action& action);

// Whether an action changes something: it neither looks, nor measures, nor makes a way back.
bool Changes(const v1::Action& action);

// `code` as the body of a DO block, in a dollar quote that it does not hold.
std::string DoBlock(absl::string_view code);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_SQL_SCRIPT_ACTIONS_H_
