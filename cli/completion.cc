#include "cli/completion.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "cli/names.h"
#include "cli/verb.h"

namespace curlew::cli {
namespace {

// A word that can be completed, and what it means.
struct Word {
  std::string text;
  std::string meaning;
};

std::vector<const CLI::App*> AllApps(const CLI::App& app) {
  std::vector<const CLI::App*> apps = {&app};
  for (const CLI::App* child : app.get_subcommands({})) {
    const auto below = AllApps(*child);
    apps.insert(apps.end(), below.begin(), below.end());
  }
  return apps;
}

std::vector<std::string> Names(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back(absl::StrCat("-", name));
  for (const std::string& name : option.get_lnames()) names.push_back(absl::StrCat("--", name));
  return names;
}

std::vector<const CLI::Option*> OwnAndGlobalOptions(const CLI::App& app) {
  std::vector<const CLI::Option*> options = app.get_options();
  if (app.get_parent() == nullptr) return options;
  for (const CLI::Option* option : Root(app).get_options()) {
    if (option != Root(app).get_help_ptr()) options.push_back(option);
  }
  return options;
}

std::vector<Word> Commands(const CLI::App& app) {
  std::vector<Word> words;
  for (const CLI::App* child : app.get_subcommands({})) {
    const std::string about = child->get_description();
    words.push_back({child->get_name(), about.substr(0, about.find('\n'))});
  }
  return words;
}

std::vector<Word> Flags(const CLI::App& app) {
  std::vector<Word> words;
  for (const CLI::Option* option : OwnAndGlobalOptions(app)) {
    for (const std::string& name : Names(*option)) words.push_back({name, option->get_description()});
  }
  return words;
}

// The shell function that completes a value of that type, with its arguments; "" for a type that has none.
std::string ValueCompleter(const std::string& type) {
  if (type == kFileType) return "_curlew_files";
  if (type == kPlanOrFileType) return "_curlew_names plan; _curlew_files";
  if (type == kPlanType) return "_curlew_names plan";
  if (type == kRolloutType) return "_curlew_names rollout";
  if (type == kTargetType) return "_curlew_names target";
  if (type == kRunStateType) return absl::StrCat("_curlew_words ", absl::StrJoin(RunStateWords(), " "));
  if (type == kEnvironmentType) return "_curlew_names env";
  if (type == kTargetOrEnvironmentType) return "_curlew_names env; _curlew_names target";
  for (char c : type) {
    if (!absl::ascii_islower(static_cast<unsigned char>(c)) && c != '|') return "";
  }
  return type.empty() ? "" : absl::StrCat("_curlew_words ", absl::StrReplaceAll(type, {{"|", " "}}));
}

// Cases of "command so far, next word": which words lead to which command.
std::string WalkCases(const CLI::App& root) {
  std::string cases;
  for (const CLI::App* app : AllApps(root)) {
    for (const CLI::App* child : app->get_subcommands({})) {
      absl::StrAppend(&cases, "      \"", CommandPath(*child), "\") cmd=\"", CommandPath(*child), "\" ;;\n");
    }
  }
  return cases;
}

// Cases of "command, word before": what may follow an option.
std::string ValueCases(const CLI::App& root) {
  std::string cases;
  for (const CLI::App* app : AllApps(root)) {
    for (const CLI::Option* option : OwnAndGlobalOptions(*app)) {
      if (option->get_items_expected_max() == 0 || Names(*option).empty()) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : Names(*option)) {
        patterns.push_back(absl::StrCat("\"", CommandPath(*app), " ", name, "\""));
      }
      const std::string completer = ValueCompleter(option->get_type_name());
      absl::StrAppend(&cases, "    ", absl::StrJoin(patterns, " | "), ") ",
                      completer.empty() ? ":" : completer, "; return ;;\n");
    }
  }
  return cases;
}

std::string ArgumentCompleter(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) return ValueCompleter(option->get_type_name());
  }
  return "";
}

std::string ShellQuoted(const std::string& text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// zsh shows "word:meaning"; bash has words alone.
enum class Shell { kBash, kZsh };
std::string WordList(const std::vector<Word>& words, Shell shell) {
  return absl::StrJoin(words, " ", [shell](std::string* out, const Word& word) {
    if (shell == Shell::kBash) {
      out->append(word.text);
    } else {
      out->append(
          ShellQuoted(absl::StrCat(word.text, ":", absl::StrReplaceAll(word.meaning, {{":", "\\:"}}))));
    }
  });
}

// Cases of the command: its flags, and its commands or argument.
std::string CommandCases(const CLI::App& root, Shell shell) {
  const char* describe = shell == Shell::kBash ? "_curlew_words " : "_curlew_described ";
  std::string cases;
  for (const CLI::App* app : AllApps(root)) {
    const std::vector<Word> commands = Commands(*app);
    std::string arguments =
        commands.empty() ? ArgumentCompleter(*app) : absl::StrCat(describe, WordList(commands, shell));
    absl::StrAppend(&cases, "    \"", CommandPath(*app), "\")\n      if [[ $cur == -* ]]; then ", describe,
                    WordList(Flags(*app), shell), "; else ", arguments.empty() ? ":" : arguments,
                    "; fi ;;\n");
  }
  return cases;
}

// clang-format off
constexpr char kBashHead[] = R"sh(# bash completion for curlew; load it with: source <(curlew completion bash)
_curlew_words() { COMPREPLY+=($(compgen -W "$*" -- "$cur")); }
_curlew_files() {
  compopt -o filenames 2>/dev/null
  local IFS=$'\n'
  COMPREPLY+=($(compgen -f -- "$cur"))
}
_curlew_names() {
  _curlew_words "$(curlew "$1" list -o name --timeout 2s ${controller:+--controller "$controller"} 2>/dev/null)"
}
_curlew() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd=curlew controller= i
  COMPREPLY=()
  # bash makes "=" a word of its own.
  if [[ $cur == "=" ]]; then
    cur=
  elif [[ $prev == "=" ]]; then
    prev=${COMP_WORDS[COMP_CWORD-2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} == --controller ]]; then
      controller=${COMP_WORDS[i+1]}
      [[ $controller == "=" ]] && controller=${COMP_WORDS[i+2]}
    fi
    case "$cmd ${COMP_WORDS[i]}" in
)sh";

constexpr char kZshHead[] = R"sh(#compdef curlew
# zsh completion for curlew; load it with: source <(curlew completion zsh)
_curlew_words() { compadd -- "$@" }
_curlew_described() {
  local -a described
  described=("$@")
  _describe -V curlew described
}
_curlew_files() { _files }
_curlew_names() {
  local -a names
  names=(${(f)"$(curlew "$1" list -o name --timeout 2s ${controller:+--controller} $controller 2>/dev/null)"})
  compadd -- $names
}
_curlew() {
  local cur=${words[CURRENT]} prev=${words[CURRENT-1]} cmd=curlew controller= i
  if [[ $cur == --*=* ]]; then
    prev=${cur%%=*}
    compset -P '*='
    cur=
  fi
  for ((i = 2; i < CURRENT; i++)); do
    case ${words[i]} in
      --controller) controller=${words[i+1]} ;;
      --controller=*) controller=${words[i]#*=} ;;
    esac
    case "$cmd ${words[i]}" in
)sh";
// clang-format on

std::string Body(const CLI::App& root, Shell shell) {
  return absl::StrCat(WalkCases(root), "    esac\n  done\n  case \"$cmd $prev\" in\n", ValueCases(root),
                      "  esac\n  case \"$cmd\" in\n", CommandCases(root, shell), "  esac\n}\n");
}

}  // namespace

std::string BashCompletion(const CLI::App& root) {
  return absl::StrCat(kBashHead, Body(root, Shell::kBash), "complete -F _curlew curlew\n");
}

std::string ZshCompletion(const CLI::App& root) {
  return absl::StrCat(
      kZshHead, Body(root, Shell::kZsh),
      "if [[ ${funcstack[1]} == _curlew ]]; then _curlew \"$@\"; else compdef _curlew curlew; fi\n");
}

}  // namespace curlew::cli
