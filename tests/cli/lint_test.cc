// The verb, with files as people have them.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "cli/app.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace curlew::cli {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class LintTest : public ::testing::Test {
 protected:
  LintTest() : context_(out_, err_), dir_(absl::StrCat(::testing::TempDir(), "curlew_lint_", getpid())) {
    std::filesystem::create_directories(dir_);
  }
  ~LintTest() override { std::filesystem::remove_all(dir_); }

  std::string Write(const std::string& name, absl::string_view text) {
    const std::string path = absl::StrCat(dir_, "/", name);
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }

  ExitCode Lint(std::vector<std::string> arguments) {
    out_.str("");
    err_.str("");
    arguments.insert(arguments.begin(), "lint");
    return cli::Run(context_, std::move(arguments));
  }

  std::ostringstream out_, err_;
  Context context_;
  std::string dir_;
};

TEST_F(LintTest, AFileThatDoesNotParseIsToldWithItsPlaceAndTheRestIsJudged) {
  const std::string file = Write("a.sql", "SELECT 1;\nALTER TABLE t\n  ADD COLUM c FOO int;\nSELECT 2;\n");
  EXPECT_EQ(Lint({file}), ExitCode::kError);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr(absl::StrCat(file, ":3:15\n")), HasSubstr("syntax error at or near \"FOO\""),
                    HasSubstr("2 statements in 1 file, 1 piece not read: 1 error")));
  EXPECT_EQ(Lint({file, "-o", "json"}), ExitCode::kError);
  const json list = json::parse(out_.str());
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[1]["hazards"][0]["code"], "syntax-error");
  EXPECT_EQ(list[1]["locks"], json::array());
}

TEST_F(LintTest, CommandsOfPsqlAndDataOfCopyAreNoTrouble) {
  const std::string file =
      Write("a.sql", "\\d t\nCOPY t FROM STDIN;\n1\tDROP 'x\n\\.\n\\copy t from 'x.csv'\nSELECT 2;\n");
  EXPECT_EQ(Lint({file}), ExitCode::kError);
  EXPECT_THAT(out_.str(),
              AllOf(HasSubstr(absl::StrCat(file, ":1:1\n")), HasSubstr(absl::StrCat(file, ":5:1\n")),
                    HasSubstr("2 statements in 1 file, 2 pieces not read")));
}

TEST_F(LintTest, OtherEncodingsAreToldAndRead) {
  const std::string latin1 = Write("l.sql", "SELECT 1;\nSELECT 'gr\xFC\xDF';\n");
  EXPECT_EQ(Lint({latin1, "-o", "github"}), ExitCode::kError);
  EXPECT_THAT(out_.str(), HasSubstr(",line=2,col=11,title=encoding::the file is not in UTF-8"));
  const std::string binary = Write("b.sql", std::string(1000, '\1'));
  EXPECT_EQ(Lint({binary}), ExitCode::kError);
  EXPECT_THAT(out_.str(), HasSubstr("binary data"));
}

TEST_F(LintTest, FailsBySeverity) {
  const std::string file = Write("a.sql", "\\echo hi\nSELECT 1;");
  EXPECT_EQ(Lint({file}), ExitCode::kOk);
  EXPECT_EQ(Lint({file, "--fail-on", "warning"}), ExitCode::kError);
  EXPECT_EQ(Lint({file, "--fail-on", "notice"}), ExitCode::kError);
  EXPECT_EQ(Lint({Write("b.sql", "SELEC"), "--fail-on", "never"}), ExitCode::kOk);
  EXPECT_EQ(Lint({file, "--fail-on", "nothing"}), ExitCode::kUsage);
}

TEST_F(LintTest, WhatIsAllowedDoesNotFail) {
  const std::string file = Write("a.sql", "-- curlew:allow psql-command known\n\\i other.sql\nSELECT 1;");
  EXPECT_EQ(Lint({file}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), HasSubstr("0 errors, 0 warnings, 0 notices, 1 allowed"));
}

TEST_F(LintTest, AFileThatIsNotThereDoesNotStopTheOthers) {
  const std::string file = Write("a.sql", "SELECT 1;");
  EXPECT_EQ(Lint({"/nonexistent.sql", file, "-o", "json"}), ExitCode::kNotFound);
  EXPECT_THAT(err_.str(), HasSubstr("cannot read /nonexistent.sql"));
  EXPECT_EQ(json::parse(out_.str()).size(), 1u);
}

TEST_F(LintTest, PlansAndScriptsGoTogether) {
  const std::string plan = Write("p.yaml", "name: x\noperations:\n  - set_not_null: {table: t, column: c}\n");
  const std::string bad = Write("q.yaml", "name: x\noperations:\n  - set_nt_null: {table: t}\n");
  EXPECT_EQ(Lint({plan, Write("a.sql", "SELECT 1;")}), ExitCode::kOk);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("p.yaml: 1 operation is safe by construction"),
                                HasSubstr("1 statement in 2 files")));
  EXPECT_EQ(Lint({bad}), ExitCode::kError);
  EXPECT_THAT(out_.str(), AllOf(HasSubstr("q.yaml:3:5\n"), HasSubstr("error: invalid-plan")));
}

TEST_F(LintTest, EmptyFilesHoldNothing) {
  EXPECT_EQ(Lint({Write("a.sql", ""), Write("b.sql", "-- nothing\n;;\n")}), ExitCode::kOk);
  EXPECT_EQ(out_.str(), "0 statements in 2 files: 0 errors, 0 warnings, 0 notices\n");
}

}  // namespace
}  // namespace curlew::cli
