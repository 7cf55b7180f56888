// SQL for people to read: wrapped without changing what it means.
#ifndef CURLEW_CLI_SQL_VIEW_H_
#define CURLEW_CLI_SQL_VIEW_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "curlew/v1/step.pb.h"

namespace curlew::cli {

// `sql` in lines of at most `width` columns where that is possible by breaking at spaces outside of strings,
// quoted names and comments; its own line ends stay. Continued lines stand four columns in; a comment that is
// a whole line goes on as one.
std::vector<std::string> WrapSql(absl::string_view sql, int width);

// What an action executes, statement by statement, each with its semicolon; for kinds that are no plain SQL,
// the SQL that the agent makes of them, with the variable parts in <angle brackets>, or words.
std::vector<std::string> ActionSql(const v1::Action& action);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_SQL_VIEW_H_
