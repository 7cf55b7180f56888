// Completion scripts, made from the tree of commands.
#ifndef CURLEW_CLI_COMPLETION_H_
#define CURLEW_CLI_COMPLETION_H_

#include <string>

#include "CLI/CLI.hpp"

namespace curlew::cli {

// A script for bash (zsh) that completes verbs, flags, their values, files, and names of plans, rollouts and
// targets, which it asks the controller for.
std::string BashCompletion(const CLI::App& root);
std::string ZshCompletion(const CLI::App& root);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_COMPLETION_H_
