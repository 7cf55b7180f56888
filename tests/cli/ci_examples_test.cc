// The pipelines in examples/ci are what people copy: they are YAML, and each `curlew` line in them is one
// that this program understands.
#include <fstream>
#include <functional>
#include <map>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/app.h"
#include "cli/errors.h"
#include "cli/exit_code.h"
#include "cli/verb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "yaml-cpp/yaml.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Content(const std::string& name) {
  std::ostringstream content;
  content << std::ifstream(absl::StrCat(CURLEW_SOURCE_DIR "/examples/ci/", name)).rdbuf();
  return content.str();
}

// The texts below keys `run` and `script`, each as one script.
void Scripts(const YAML::Node& node, std::vector<std::string>& scripts) {
  if (node.IsSequence()) {
    for (const YAML::Node& child : node) Scripts(child, scripts);
  }
  if (!node.IsMap()) return;
  for (const auto& entry : node) {
    const std::string key = entry.first.as<std::string>();
    if (key != "run" && key != "script") {
      Scripts(entry.second, scripts);
    } else if (entry.second.IsSequence()) {
      for (const YAML::Node& line : entry.second) scripts.push_back(line.as<std::string>());
    } else {
      scripts.push_back(entry.second.as<std::string>());
    }
  }
}

// The words of each command of a shell script that begins with `curlew`, without that word. Quotes are taken
// away; what a variable or $(…) would give stays as it is written.
std::vector<std::vector<std::string>> CurlewCommands(const std::string& script) {
  std::vector<std::vector<std::string>> commands;
  std::vector<std::string> words;
  std::string word;
  bool in_word = false, comment = false;
  char quote = '\0';
  int depth = 0;
  bool redirects = false;
  const auto end_word = [&] {
    if (in_word && !redirects) words.push_back(word);
    if (in_word) redirects = false;
    word.clear();
    in_word = false;
  };
  const auto end_command = [&] {
    end_word();
    redirects = false;
    if (!words.empty() && words[0] == "curlew") commands.push_back({words.begin() + 1, words.end()});
    words.clear();
  };
  for (size_t i = 0; i <= script.size(); ++i) {
    const char c = i < script.size() ? script[i] : '\n';
    if (comment) {
      comment = c != '\n';
      if (comment) continue;
    }
    if (c == '\\' && quote != '\'' && i + 1 < script.size()) {
      if (script[++i] != '\n') word += script[i];
      continue;
    }
    if (c == '$' && i + 1 < script.size() && script[i + 1] == '(') ++depth;
    if (depth > 0) {
      word += c;
      in_word = true;
      if (c == ')') --depth;
    } else if (quote != '\0') {
      if (c == quote)
        quote = '\0';
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      in_word = true;
    } else if (c == '#' && !in_word) {
      comment = true;
    } else if (c == '\n' || c == ';' || c == '|' || c == '&') {
      end_command();
    } else if (c == '>' || c == '<') {
      end_word();
      redirects = true;
    } else if (c == ' ') {
      end_word();
    } else {
      word += c;
      in_word = true;
    }
  }
  return commands;
}

// What is wrong with a command line; "" where nothing is.
std::string Problem(std::vector<std::string> arguments) {
  std::ostringstream out, err;
  Context context(out, err);
  const auto app = BuildApp(context);
  std::reverse(arguments.begin(), arguments.end());
  try {
    app->parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return error.what();
  }
  return "";
}

std::vector<std::vector<std::string>> CommandsOf(const std::string& file) {
  std::vector<std::string> scripts;
  Scripts(YAML::Load(Content(file)), scripts);
  std::vector<std::vector<std::string>> commands;
  for (const std::string& script : scripts) {
    for (auto& command : CurlewCommands(script)) commands.push_back(std::move(command));
  }
  return commands;
}

TEST(CiExamplesTest, TheReaderOfScriptsKnowsQuotesContinuationsAndRedirections) {
  EXPECT_THAT(
      CurlewCommands("# curlew no\nif x; then\ncurlew a \"b c\" --d 'e' \\\n  -f > out.txt || exit 1\nfi\n"
                     "true && curlew x \"$(basename \"$y\" .yaml)-1\" 2>&1 | tee z; xcurlew y"),
      ElementsAre(ElementsAre("a", "b c", "--d", "e", "-f"),
                  ElementsAre("x", "$(basename \"$y\" .yaml)-1", "2")));
}

TEST(CiExamplesTest, EveryCommandIsUnderstood) {
  for (const char* file : {"github-actions.yml", "gitlab-ci.yml"}) {
    const auto commands = CommandsOf(file);
    EXPECT_GE(commands.size(), 5u) << file;
    for (const auto& command : commands) {
      EXPECT_EQ(Problem(command), "") << file << ": curlew " << absl::StrJoin(command, " ");
    }
  }
  EXPECT_NE(Problem({"rollout", "start", "x", "--waits"}), "") << "the test would notice";
}

TEST(CiExamplesTest, EachDoesWhatAPipelineNeeds) {
  for (const char* file : {"github-actions.yml", "gitlab-ci.yml"}) {
    std::string all;
    for (const auto& command : CommandsOf(file)) absl::StrAppend(&all, absl::StrJoin(command, " "), "\n");
    EXPECT_THAT(all,
                AllOf(HasSubstr("lint plans/*.yaml"), HasSubstr("--dry-run"), HasSubstr("--id $id --wait"),
                      HasSubstr("--timeout"), HasSubstr("--label commit="), HasSubstr("rollout report $id")))
        << file;
  }
}

TEST(CiExamplesTest, TheTableOfExitStatusesIsThatOfTheProgram) {
  std::vector<std::string> rows;
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(Content("README.md"), '\n'))) {
    if (line.size() > 2 && line[0] == '|' && absl::ascii_isdigit(static_cast<unsigned char>(line[2]))) {
      rows.push_back(line);
    }
  }
  std::vector<std::string> expected;
  for (const ExitCodeMeaning& code : ExitCodeMeanings()) {
    expected.push_back(absl::StrCat("| ", static_cast<int>(code.code), " | ", code.meaning, " |"));
  }
  EXPECT_EQ(rows, expected);
}

}  // namespace
}  // namespace curlew::cli
