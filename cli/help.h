// Help texts, made from the tree of commands.
#ifndef CURLEW_CLI_HELP_H_
#define CURLEW_CLI_HELP_H_

#include <string>

#include "CLI/CLI.hpp"

namespace curlew::cli {

// The help of a verb, a group or the whole program: what it does, usage, arguments, flags, examples; that of
// the program also has the environment and the exit statuses. Lines fit 100 columns.
std::string Help(const CLI::App& app);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_HELP_H_
