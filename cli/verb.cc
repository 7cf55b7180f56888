#include "cli/verb.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/units.h"

namespace curlew::cli {

CLI::App* AddGroup(CLI::App& parent, const VerbInfo& info) {
  const std::string about =
      info.description.empty() ? info.summary : absl::StrCat(info.summary, "\n\n", info.description);
  CLI::App* app = parent.add_subcommand(info.name, about);
  app->footer(info.examples);
  // Global flags may stand behind the verb.
  app->fallthrough();
  app->require_subcommand(info.examples.empty() ? 1 : 0);
  return app;
}

CLI::App* AddVerb(CLI::App& parent, Context& context, const VerbInfo& info,
                  std::function<absl::StatusOr<ExitCode>()> action) {
  CLI::App* verb = AddGroup(parent, info);
  verb->callback([&context, action = std::move(action)] { context.action = action; });
  return verb;
}

CLI::Option* AddArgument(CLI::App& verb, absl::string_view type, std::string& value,
                         std::string description) {
  return verb.add_option(std::string(type), value, std::move(description))
      ->type_name(std::string(type))
      ->required();
}

CLI::Option* AddChoice(CLI::App& verb, std::string names, std::vector<std::string> choices,
                       std::string& value, std::string description) {
  const std::string type = absl::StrJoin(choices, "|");
  return verb.add_option(std::move(names), value, std::move(description))
      ->type_name(type)
      ->default_str(value)
      ->check([choices = std::move(choices)](const std::string& text) -> std::string {
        if (std::find(choices.begin(), choices.end(), text) != choices.end()) return "";
        return absl::StrCat("\"", text, "\" is none of ", absl::StrJoin(choices, ", "));
      });
}

CLI::Option* AddDuration(CLI::App& verb, std::string names, absl::Duration& value, std::string description) {
  return AddOptionalDuration(verb, std::move(names), value, std::move(description))
      ->default_str(ShortDuration(value));
}

namespace {

// "500ms", "10s", "5m", and whole days: "30d".
bool ReadDuration(const std::string& text, absl::Duration* duration) {
  int32_t days = 0;
  if (absl::EndsWith(text, "d") && absl::SimpleAtoi(text.substr(0, text.size() - 1), &days)) {
    *duration = days * absl::Hours(24);
    return true;
  }
  return absl::ParseDuration(text, duration);
}

}  // namespace

CLI::Option* AddOptionalDuration(CLI::App& verb, std::string names, absl::Duration& value,
                                 std::string description) {
  return verb
      .add_option_function<std::string>(
          std::move(names),
          [&value](const std::string& text) {
            // Valid: the check below comes first.
            ReadDuration(text, &value);
          },
          std::move(description))
      ->type_name("DURATION")
      ->check([](const std::string& text) -> std::string {
        absl::Duration duration;
        if (ReadDuration(text, &duration) && duration > absl::ZeroDuration()) return "";
        return absl::StrCat("\"", text, "\" is no duration above zero; write 500ms, 10s, 5m or 30d");
      });
}

CLI::Option* AddNumber(CLI::App& verb, std::string names, int32_t least, int32_t most, int32_t& value,
                       std::string description) {
  CLI::Option* option = verb.add_option(std::move(names), value, std::move(description))
                            ->type_name("NUMBER")
                            ->check([least, most](const std::string& text) -> std::string {
                              int32_t number = 0;
                              if (absl::SimpleAtoi(text, &number) && number >= least && number <= most)
                                return "";
                              return absl::StrCat("\"", text, "\" is no number from ", least, " to ", most);
                            });
  return value < least ? option : option->default_str(absl::StrCat(value));
}

CLI::Option* AddRepeated(CLI::App& verb, std::string names, std::string type,
                         std::vector<std::string>& values, std::string description) {
  return verb.add_option(std::move(names), values, std::move(description))
      ->type_name(std::move(type))
      ->allow_extra_args(false);
}

CLI::Option* AddLabels(CLI::App& verb, std::vector<std::string>& values, std::string description) {
  return AddRepeated(verb, "--label", "KEY=VALUE", values, std::move(description))
      ->check([](const std::string& text) -> std::string {
        const size_t at = text.find('=');
        if (at != 0 && at != text.npos) return "";
        return absl::StrCat("\"", text, "\" is no label; write commit=4f2a9c1");
      });
}

CLI::Option* AddOutput(CLI::App& verb, std::vector<std::string> formats, std::string& value) {
  return AddChoice(verb, "-o,--output", std::move(formats), value, "How to print the answer");
}

std::string CommandPath(const CLI::App& app) {
  if (app.get_parent() == nullptr) return app.get_name();
  return absl::StrCat(CommandPath(*app.get_parent()), " ", app.get_name());
}

const CLI::App& ChosenApp(const CLI::App& root) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().back();
  return *app;
}

const CLI::App& Root(const CLI::App& app) {
  return app.get_parent() == nullptr ? app : Root(*app.get_parent());
}

}  // namespace curlew::cli
