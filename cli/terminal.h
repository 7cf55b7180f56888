// What the standard output is, and what it can show.
#ifndef CURLEW_CLI_TERMINAL_H_
#define CURLEW_CLI_TERMINAL_H_

#include <functional>
#include <string>

#include "cli/text.h"

namespace curlew::cli {

// Reads a variable of the environment; "" where it is not set.
using Environment = std::function<std::string(const std::string& name)>;
std::string ReadEnvironment(const std::string& name);

// An output.
struct Terminal {
  enum class Kind { kPipe, kScreen } kind = Kind::kPipe;
  Style style;
};

// Looks at a file descriptor. Colours are on for a screen unless NO_COLOR is set to anything or TERM is
// "dumb"; Unicode glyphs where the locale's encoding (LC_ALL, LC_CTYPE, LANG) is UTF-8.
Terminal DetectTerminal(int fd, const Environment& environment = ReadEnvironment);

// The style that follows from the environment for an output of that kind. Pure.
Style StyleFor(Terminal::Kind kind, const Environment& environment);

// Columns of a screen now; 80 where it does not say, 0 (no limit) for a pipe.
int TerminalWidth(const Terminal& terminal, int fd);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_TERMINAL_H_
