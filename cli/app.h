// The program `curlew`: the tree of its commands, and a run of one.
#ifndef CURLEW_CLI_APP_H_
#define CURLEW_CLI_APP_H_

#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "cli/context.h"
#include "cli/exit_code.h"

namespace curlew::cli {

// The tree of commands. Reading a command line sets `context.flags` and `context.action`. The context must
// outlive the app.
std::unique_ptr<CLI::App> BuildApp(Context& context);

// Reads a command line (without the program's name) and runs it. Answers go to context.out, errors with a
// next step to context.err.
ExitCode Run(Context& context, std::vector<std::string> arguments);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_APP_H_
