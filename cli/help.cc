#include "cli/help.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/exit_code.h"
#include "cli/text.h"
#include "cli/verb.h"

namespace curlew::cli {
namespace {

constexpr int kWidth = 100;

// A name and what it means.
struct Entry {
  std::string name;
  std::string meaning;
};

std::string Section(const std::string& title, const std::vector<Entry>& entries) {
  if (entries.empty()) return "";
  int widest = 0;
  for (const Entry& entry : entries) widest = std::max(widest, DisplayWidth(entry.name));
  const int column = std::min(widest, 34) + 4;
  std::string out = absl::StrCat("\n", title, ":\n");
  for (const Entry& entry : entries) {
    std::string line = absl::StrCat("  ", entry.name);
    if (DisplayWidth(line) + 2 > column) {
      absl::StrAppend(&out, line, "\n");
      line.clear();
    }
    for (const std::string& text : Wrap(entry.meaning, kWidth - column)) {
      absl::StrAppend(&out, PadRight(line, column), text, "\n");
      line.clear();
    }
  }
  return out;
}

bool IsFlagOnly(const CLI::Option& option) { return option.get_items_expected_max() == 0; }

std::string OptionName(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back(absl::StrCat("-", name));
  for (const std::string& name : option.get_lnames()) names.push_back(absl::StrCat("--", name));
  std::string text = absl::StrJoin(names, ", ");
  if (option.get_snames().empty()) text = absl::StrCat("    ", text);
  if (!IsFlagOnly(option)) absl::StrAppend(&text, " ", option.get_type_name());
  return text;
}

std::string Meaning(const CLI::Option& option) {
  std::string text = option.get_description();
  if (!IsFlagOnly(option) && !option.get_default_str().empty()) {
    absl::StrAppend(&text, " (default ", option.get_default_str(), ")");
  }
  return text;
}

std::vector<Entry> Flags(const CLI::App& app) {
  std::vector<Entry> entries;
  for (const CLI::Option* option : app.get_options()) {
    if (option->nonpositional()) entries.push_back({OptionName(*option), Meaning(*option)});
  }
  return entries;
}

std::vector<Entry> Arguments(const CLI::App& app) {
  std::vector<Entry> entries;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) entries.push_back({option->get_name(true, false), Meaning(*option)});
  }
  return entries;
}

std::string Usage(const CLI::App& app) {
  std::string usage = absl::StrCat("\nUsage:\n  ", CommandPath(app));
  if (!app.get_subcommands({}).empty()) absl::StrAppend(&usage, " COMMAND");
  for (const CLI::Option* option : app.get_options()) {
    if (!option->get_positional()) continue;
    std::string name = option->get_name(true, false);
    if (option->get_items_expected_max() > 1) absl::StrAppend(&name, "...");
    absl::StrAppend(&usage, " ", option->get_required() ? name : absl::StrCat("[", name, "]"));
  }
  return absl::StrCat(usage, " [flags]\n");
}

}  // namespace

std::string Help(const CLI::App& app) {
  std::string out;
  for (const std::string& line : Wrap(app.get_description(), kWidth)) absl::StrAppend(&out, line, "\n");
  absl::StrAppend(&out, Usage(app));

  std::vector<Entry> commands;
  for (const CLI::App* command : app.get_subcommands({})) {
    const std::string about = command->get_description();
    commands.push_back({command->get_name(), about.substr(0, about.find('\n'))});
  }
  absl::StrAppend(&out, Section("Commands", commands), Section("Arguments", Arguments(app)));
  const bool is_root = app.get_parent() == nullptr;
  absl::StrAppend(&out, Section(is_root ? "Global flags" : "Flags", Flags(app)));
  if (!is_root) {
    std::vector<Entry> global = Flags(Root(app));
    // What the verb has under the same name hides the global one.
    const std::vector<Entry> own = Flags(app);
    std::erase_if(global, [&](const Entry& entry) {
      return std::any_of(own.begin(), own.end(), [&](const Entry& o) { return o.name == entry.name; });
    });
    absl::StrAppend(&out, Section("Global flags", global));
  }
  if (!app.get_footer().empty()) {
    absl::StrAppend(&out, "\nExamples:\n", Indent(app.get_footer(), 2), "\n");
  }
  if (is_root) {
    absl::StrAppend(&out,
                    Section("Environment", {{"CURLEW_CONTROLLER", "Default of --controller"},
                                            {"CURLEW_ACTOR", "Default of --actor"},
                                            {"CURLEW_TLS_CERT, ...",
                                             "Defaults of --tls-cert and the others that begin with --tls-"},
                                            {"CURLEW_INSECURE", "Set to 1: as --insecure"},
                                            {"NO_COLOR", "Set to anything: no colours"},
                                            {"TZ", "Time zone of the times that are shown"}}));
    std::vector<Entry> codes;
    for (const ExitCodeMeaning& code : ExitCodeMeanings()) {
      codes.push_back({absl::StrCat(static_cast<int>(code.code)), std::string(code.meaning)});
    }
    absl::StrAppend(&out, Section("Exit status", codes));
  } else {
    absl::StrAppend(&out, "\nExit statuses: curlew --help\n");
  }
  return out;
}

}  // namespace curlew::cli
