#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/lint_snippet.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/lint_findings.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Text(const std::vector<lint::Finding>& findings,
                 LintVerbosity verbosity = LintVerbosity::kHazards) {
  return Print([&](std::ostream& out) { return MakeLintText(out, Style(), verbosity); }, findings);
}

TEST(LintTextTest, ShowsAHazardUnderItsStatement) {
  EXPECT_EQ(Text({Harmless(), TypeChange()}), R"(db/42.sql:12:3
  12 | ALTER TABLE orders
  13 |  ALTER größe TYPE numeric
     |              ^
  locks orders         AccessExclusiveLock
  locks "Order Lines"  ShareRowExclusiveLock  held since an earlier statement
  reads and writes wait for it; rewrites a table
  error: rewrites-table
    orders is written anew, 100% of it: nobody reads or writes
    safe way:
      ALTER TABLE orders ADD x numeric;
      -- then fill it
  as an operation of a plan:
    - change_type: {table: orders}

2 statements in 1 file: 1 error, 0 warnings, 0 notices
)");
}

TEST(LintTextTest, StatementsWithoutHazardsAreShownOnlyWhenAsked) {
  EXPECT_EQ(Text({Harmless()}), "1 statement in 1 file: 0 errors, 0 warnings, 0 notices\n");
  EXPECT_EQ(Text({Harmless()}, LintVerbosity::kAll),
            "db/42.sql:1:1\n  1 | SELECT 1\n  nobody waits for it\n\n"
            "1 statement in 1 file: 0 errors, 0 warnings, 0 notices\n");
}

TEST(LintTextTest, WhatIsAllowedIsCountedAndQuiet) {
  lint::Finding finding = TypeChange();
  finding.allowed = {{"rewrites-table", "it is small"}};
  EXPECT_EQ(Text({finding}), "1 statement in 1 file: 0 errors, 0 warnings, 0 notices, 1 allowed\n");
  EXPECT_THAT(Text({finding}, LintVerbosity::kAll),
              HasSubstr("  allowed: rewrites-table\n    it is small\n"));
}

TEST(LintTextTest, AFilesBytesCannotSteerTheTerminal) {
  const std::string text = Text({Unread()});
  EXPECT_THAT(text, AllOf(HasSubstr("a b,c:d%.sql:2:15\n"), Not(HasSubstr("\x1B")), Not(HasSubstr("\xFF")),
                          HasSubstr("1 piece not read: 1 error")));
}

TEST(LintTextTest, LinesFitAHundredColumns) {
  lint::Finding finding = TypeChange();
  finding.statement =
      absl::StrCat("SELECT '", std::string(500, 'x'), "', 漢字漢字 FROM t, ", std::string(300, 'y'));
  finding.report.hazards[0].offset = static_cast<int>(finding.statement.find("FROM"));
  finding.report.hazards[0].message = absl::StrCat(std::string(50, 'a'), " ", std::string(60, 'b'), " c");
  for (absl::string_view line : absl::StrSplit(Text({finding}), '\n'))
    EXPECT_LE(DisplayWidth(line), 100) << line;
}

TEST(LintSnippetTest, CaretsStandUnderWideCharactersAndTabs) {
  lint::Finding finding = Harmless();
  finding.statement = "\t漢字 x";
  finding.report.hazards.resize(1);
  finding.report.hazards[0].offset = 8;
  EXPECT_EQ(LintSnippet(finding, 80, Style()), "1 |  漢字 x\n  |       ^\n");
}

TEST(LintSnippetTest, ShowsTheFirstLinesAndThoseOfHazards) {
  lint::Finding finding = Harmless();
  finding.statement = "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk";
  finding.report.hazards.resize(3);
  finding.report.hazards[0].offset = 10;
  finding.report.hazards[1].offset = 0;
  finding.report.hazards[2].offset = 18;
  EXPECT_EQ(LintSnippet(finding, 80, Style()),
            " 1 | a\n   | ^\n 2 | b\n 3 | c\n..\n 6 | f\n   | ^\n..\n10 | j\n   | ^\n");
}

TEST(LintSnippetTest, APlaceBehindTheTextIsAtItsEnd) {
  lint::Finding finding = Harmless();
  finding.statement = absl::StrCat(std::string(100, 'x'), std::string(50, ' '));
  finding.report.hazards.resize(2);
  finding.report.hazards[0].offset = 150;
  finding.report.hazards[1].offset = 1000;
  EXPECT_THAT(LintSnippet(finding, 60, Style()), HasSubstr("^"));
}

TEST(LintSnippetTest, ALongLineShowsThePlace) {
  lint::Finding finding = Harmless();
  finding.statement = absl::StrCat(std::string(200, 'x'), " HERE ", std::string(200, 'y'));
  finding.report.hazards.resize(1);
  finding.report.hazards[0].offset = 201;
  const std::vector<std::string> lines = absl::StrSplit(LintSnippet(finding, 60, Style()), '\n');
  EXPECT_EQ(lines[0].find("HERE"), lines[1].find('^'));
  EXPECT_NE(lines[1].find('^'), std::string::npos);
}

}  // namespace
}  // namespace curlew::cli
