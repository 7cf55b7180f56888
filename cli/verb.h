// How verbs are put into the tree of commands.
#ifndef CURLEW_CLI_VERB_H_
#define CURLEW_CLI_VERB_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "cli/context.h"
#include "cli/exit_code.h"

namespace curlew::cli {

// What a verb, or a group of them, says about itself.
struct VerbInfo {
  // The word on the command line.
  std::string name;
  // One line, without a full stop.
  std::string summary;
  // More, in whole sentences. May be empty.
  std::string description;
  // Lines of a shell: "# what for", then the command. At least one command for a verb; empty for a group.
  std::string examples;
};

// Names of arguments that completion knows: values come from the controller, or are files.
inline constexpr char kFileType[] = "FILE";
inline constexpr char kPlanType[] = "PLAN";
inline constexpr char kPlanOrFileType[] = "PLAN|FILE";
inline constexpr char kRolloutType[] = "ROLLOUT";
inline constexpr char kTargetType[] = "TARGET";
inline constexpr char kEnvironmentType[] = "ENVIRONMENT";
inline constexpr char kRunStateType[] = "STATE";
inline constexpr char kTargetOrEnvironmentType[] = "ENVIRONMENT|TARGET";

// Adds a group of verbs, or a verb that runs `action`.
CLI::App* AddGroup(CLI::App& parent, const VerbInfo& info);
CLI::App* AddVerb(CLI::App& parent, Context& context, const VerbInfo& info,
                  std::function<absl::StatusOr<ExitCode>()> action);

// Adds a required argument of a type that completion knows.
CLI::Option* AddArgument(CLI::App& verb, absl::string_view type, std::string& value, std::string description);

// Adds an option with one of a few values; another one is a usage error.
CLI::Option* AddChoice(CLI::App& verb, std::string names, std::vector<std::string> choices,
                       std::string& value, std::string description);

// Adds an option with a duration such as "10s" or "30d", above zero.
CLI::Option* AddDuration(CLI::App& verb, std::string names, absl::Duration& value, std::string description);

// The same without a default: `value` stays as it is where the option is not given.
CLI::Option* AddOptionalDuration(CLI::App& verb, std::string names, absl::Duration& value,
                                 std::string description);

// Adds an option with a whole number in a range; another one is a usage error. `value` holds the default,
// which help shows unless it is below the range.
CLI::Option* AddNumber(CLI::App& verb, std::string names, int32_t least, int32_t most, int32_t& value,
                       std::string description);

// Adds an option that may be given several times, with one value each time.
CLI::Option* AddRepeated(CLI::App& verb, std::string names, std::string type,
                         std::vector<std::string>& values, std::string description);

// Adds `--label KEY=VALUE`, which may be given several times; another form is a usage error.
CLI::Option* AddLabels(CLI::App& verb, std::vector<std::string>& values, std::string description);

// Adds `-o, --output` with `formats`; `value` holds the default.
CLI::Option* AddOutput(CLI::App& verb, std::vector<std::string> formats, std::string& value);

// The command line of a verb up to its name: "curlew plan list".
std::string CommandPath(const CLI::App& app);

// The verb or group that the command line named, as deep as it was understood.
const CLI::App& ChosenApp(const CLI::App& root);

// The global flags' owner.
const CLI::App& Root(const CLI::App& app);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_VERB_H_
