// `curlew-agent bootstrap-sql`.
#ifndef CURLEW_AGENT_BOOTSTRAP_COMMAND_H_
#define CURLEW_AGENT_BOOTSTRAP_COMMAND_H_

#include <iosfwd>

namespace curlew::agent {

// The word by which it is asked for.
inline constexpr char kBootstrapSql[] = "bootstrap-sql";

// Whether the command line asks for it.
bool IsBootstrapSql(int argc, const char* const* argv);

// Prints the SQL that the command line asks for (bootstrap_sql.h) to `out`, or what is wrong with it to
// `error`. Connects to nothing. Returns the program's exit code: 0, or 2.
int RunBootstrapSql(int argc, const char* const* argv, std::ostream& out, std::ostream& error);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_BOOTSTRAP_COMMAND_H_
