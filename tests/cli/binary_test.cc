// The built program, as people and scripts run it.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "cli/app.h"
#include "cli/verb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// CURLEW_BINARY and CURLEW_SOURCE_DIR come from CMake.
constexpr char kExample[] = CURLEW_SOURCE_DIR "/examples/plans/rename-contact-phone.yaml";
constexpr char kSchema[] = CURLEW_SOURCE_DIR "/tests/cli/testdata/contacts.json";

struct Outcome {
  int exit = -1;
  std::string out, err;
};

class BinaryTest : public ::testing::Test {
 protected:
  BinaryTest() : dir_(absl::StrCat(::testing::TempDir(), "curlew_cli_", getpid())) {
    std::filesystem::create_directories(dir_);
  }
  ~BinaryTest() override { std::filesystem::remove_all(dir_); }

  // Runs a line of a shell in which `curlew` is the program.
  Outcome Shell(const std::string& line, const std::string& input = "") {
    testing::ProcessOptions options;
    const std::string err = absl::StrCat(dir_, "/stderr");
    options.argv = {"bash", "-c",
                    absl::StrCat("curlew() { '" CURLEW_BINARY "' \"$@\"; }; { ", line, "\n} 2>'", err, "'")};
    options.env = {{"CURLEW_CONTROLLER", "127.0.0.1:1"}, {"CURLEW_INSECURE", "1"}, {"LC_ALL", "C"}};
    options.input = input;
    auto process = testing::Process::Start(std::move(options));
    Outcome outcome;
    EXPECT_OK(process);
    if (!process.ok()) return outcome;
    const auto exit = (*process)->Wait(absl::Seconds(60));
    EXPECT_OK(exit);
    outcome.exit = exit.value_or(-1);
    outcome.out = (*process)->output();
    std::stringstream text;
    text << std::ifstream(err).rdbuf();
    outcome.err = text.str();
    return outcome;
  }

  std::string Write(const std::string& name, const std::string& text) {
    const std::string path = absl::StrCat(dir_, "/", name);
    std::ofstream(path) << text;
    return path;
  }

  const std::string dir_;
};

void Verbs(const CLI::App& app, std::vector<std::string>& paths) {
  if (app.get_subcommands({}).empty()) paths.push_back(CommandPath(app));
  for (const CLI::App* child : app.get_subcommands({})) Verbs(*child, paths);
}

TEST_F(BinaryTest, HelpOfEveryVerbHasExamples) {
  std::ostringstream nowhere;
  Context context(nowhere, nowhere);
  std::vector<std::string> verbs;
  Verbs(*BuildApp(context), verbs);
  ASSERT_FALSE(verbs.empty());
  for (const std::string& verb : verbs) {
    const Outcome outcome = Shell(verb + " --help");
    EXPECT_EQ(outcome.exit, 0) << verb;
    EXPECT_THAT(outcome.out, AllOf(HasSubstr("Examples:"), HasSubstr(verb))) << verb;
    EXPECT_THAT(outcome.err, IsEmpty()) << verb;
  }
}

TEST_F(BinaryTest, EveryExamplePlanIsValid) {
  int plans = 0;
  for (const auto& entry : std::filesystem::directory_iterator(CURLEW_SOURCE_DIR "/examples/plans")) {
    if (entry.path().extension() != ".yaml") continue;  // what plans need beside the CRM
    ++plans;
    const Outcome outcome = Shell(absl::StrCat("curlew plan validate '", entry.path().string(), "'"));
    EXPECT_EQ(outcome.exit, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("digest "));
  }
  EXPECT_GT(plans, 0);
}

TEST_F(BinaryTest, MalformedYamlIsRefusedWithItsPlace) {
  const std::string path = Write("bad.yaml", "name: x\noperations: [\n");
  const Outcome outcome = Shell(absl::StrCat("curlew plan validate ", path));
  EXPECT_EQ(outcome.exit, 4);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr(absl::StrCat("error: ", path, ":")), HasSubstr("\n  what to do: ")));
}

TEST_F(BinaryTest, AnUnknownOperationIsRefusedByName) {
  const std::string path =
      Write("bad.yaml", "name: x\noperations:\n  - rename_colum: {table: t, from: a, to: b}\n");
  const Outcome outcome = Shell(absl::StrCat("curlew plan validate ", path));
  EXPECT_EQ(outcome.exit, 4);
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("bad.yaml:3:"), HasSubstr("rename_colum"), HasSubstr("rename_column")));
}

TEST_F(BinaryTest, ValidatesAllFilesAlsoAfterAnError) {
  const Outcome outcome = Shell(absl::StrCat("curlew plan validate /nowhere.yaml '", kExample, "'"));
  EXPECT_EQ(outcome.exit, 3);
  EXPECT_THAT(outcome.err, HasSubstr("/nowhere.yaml"));
  EXPECT_THAT(outcome.out, HasSubstr("rename-contact-phone, 5 operations"));
}

TEST_F(BinaryTest, ReadsAPlanFromAPipe) {
  const Outcome outcome = Shell(absl::StrCat("cat '", kExample, "' | curlew plan validate -"));
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
}

TEST_F(BinaryTest, TurnsSqlIntoAPlanThatValidates) {
  const std::string path =
      Write("0042_tags.sql", "ALTER TABLE posts ADD COLUMN tag text;\nCREATE INDEX ON posts (tag);\n");
  const Outcome plan = Shell(absl::StrCat("curlew plan from-sql ", path, " | curlew plan validate -"));
  EXPECT_EQ(plan.exit, 0) << plan.err;
  EXPECT_THAT(plan.out, HasSubstr("0042-tags, 2 operations"));
  const Outcome piped = Shell("curlew plan from-sql - --name tags", "ALTER TABLE posts RENAME TO notes;");
  EXPECT_EQ(piped.exit, 0) << piped.err;
  EXPECT_THAT(piped.out, AllOf(HasSubstr("name: tags\n"), HasSubstr("    - breaks-applications\n")));
}

TEST_F(BinaryTest, GivesNoPlanForSqlThatCannotBeRead) {
  const Outcome outcome =
      Shell("curlew plan from-sql -", "ALTER TABLE t ADD a int;\nALTER TABEL t ADD b int;\n\\d t\n");
  EXPECT_EQ(outcome.exit, 4);
  EXPECT_THAT(outcome.out, IsEmpty());
  EXPECT_THAT(outcome.err,
              AllOf(HasSubstr("standard-input.sql:2:7: "), HasSubstr("standard-input.sql:3:1: ")));
}

TEST_F(BinaryTest, SaysThatNoControllerAnswers) {
  for (const char* line :
       {"curlew rollout list", "curlew target list", "curlew rollout watch x", "curlew env list"}) {
    const Outcome outcome = Shell(line);
    EXPECT_EQ(outcome.exit, 6) << line;
    EXPECT_THAT(outcome.out, IsEmpty());
    EXPECT_THAT(outcome.err, AllOf(HasSubstr("error: the controller at 127.0.0.1:1 cannot be reached"),
                                   HasSubstr("what to do: check that curlew-controller runs")));
  }
}

TEST_F(BinaryTest, AWrongCommandLineIsAUsageError) {
  const Outcome outcome = Shell("curlew rollout strat");
  EXPECT_EQ(outcome.exit, 2);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean \"start\"?"));
}

TEST_F(BinaryTest, ExplainsTheExampleAgainstAFileOfASchema) {
  const Outcome outcome =
      Shell(absl::StrCat("curlew plan explain '", kExample, "' --schema '", kSchema, "'"));
  EXPECT_EQ(outcome.exit, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("Plan rename-contact-phone: "), HasSubstr("\nADD: "),
                                 HasSubstr("\nDUAL_WRITE: "), HasSubstr("\nBACKFILL: "),
                                 HasSubstr("\nCONSTRAIN: "), HasSubstr("\nDROP: "),
                                 HasSubstr("UPDATE public.contacts AS t"), HasSubstr("CONCURRENTLY"),
                                 HasSubstr("ACCESS EXCLUSIVE"), HasSubstr("none: this cannot be undone")));
  EXPECT_THAT(outcome.out, Not(HasSubstr("\033"))) << "no colours on a pipe";
}

TEST_F(BinaryTest, AnExplanationIsTheSameFromItsOwnJson) {
  const std::string kept = absl::StrCat(dir_, "/kept.json");
  ASSERT_EQ(
      Shell(absl::StrCat("curlew plan explain '", kExample, "' --schema '", kSchema, "' -o json > ", kept))
          .exit,
      0);
  const std::string first =
      Shell(absl::StrCat("curlew plan explain '", kExample, "' --schema '", kSchema, "' -o yaml")).out;
  const std::string second =
      Shell(absl::StrCat("curlew plan explain '", kExample, "' --schema ", kept, " -o yaml")).out;
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(first, second);
}

TEST_F(BinaryTest, APlanThatDoesNotFitTheSchemaIsRefused) {
  const std::string path =
      Write("plan.yaml", "name: x\noperations:\n  - set_not_null: {table: contacts, column: fone}\n");
  const Outcome outcome = Shell(absl::StrCat("curlew plan explain ", path, " --schema '", kSchema, "'"));
  EXPECT_THAT(outcome.exit, ::testing::AnyOf(4, 5)) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("fone"));
}

TEST_F(BinaryTest, ADatabaseThatRefusesConnectionsIsNamedWithoutItsPassword) {
  const Outcome outcome = Shell(absl::StrCat(
      "curlew plan explain '", kExample, "' --database 'host=127.0.0.1 port=1 dbname=crm password=secret1'"));
  EXPECT_EQ(outcome.exit, 5) << outcome.err;
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("127.0.0.1"), Not(HasSubstr("secret1"))));
}

TEST_F(BinaryTest, CompletionScriptsAreScripts) {
  EXPECT_EQ(Shell("curlew completion bash | bash -n").exit, 0);
  const Outcome zsh = Shell("curlew completion zsh | zsh -n");
  EXPECT_EQ(zsh.exit, 0) << zsh.err;
}

TEST_F(BinaryTest, BashCompletesVerbsFlagsAndValues) {
  const auto complete = [&](const std::string& words) {
    return Shell(absl::StrCat("source <(curlew completion bash); COMP_WORDS=(", words,
                              "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _curlew; echo \"${COMPREPLY[*]}\""))
        .out;
  };
  EXPECT_EQ(complete("curlew ro"), "rollout\n");
  EXPECT_EQ(complete("curlew rollout res"), "resume restore-hint\n");
  EXPECT_EQ(complete("curlew --timeout 5s plan va"), "validate\n");
  EXPECT_EQ(complete("curlew rollout watch x --unt"), "--until\n");
  EXPECT_EQ(complete("curlew rollout watch x --until ''"), "end gate decision\n");
  EXPECT_EQ(complete("curlew plan list -o = y"), "yaml\n");
  EXPECT_THAT(complete("curlew plan validate " CURLEW_SOURCE_DIR "/examples/plans/rename-c"),
              HasSubstr("phone.yaml"));
}

TEST_F(BinaryTest, PrintsItsVersion) {
  const Outcome outcome = Shell("curlew version");
  EXPECT_EQ(outcome.exit, 0);
  EXPECT_THAT(outcome.out, HasSubstr("curlew 0."));
}

}  // namespace
}  // namespace curlew::cli
