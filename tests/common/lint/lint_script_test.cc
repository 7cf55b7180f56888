#include "common/lint/lint_script.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace curlew::lint {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Finds in each statement the hazards that it names: SELECT 'rewrites-table'.
Report FakeLint(const pg_query::Node&, absl::string_view text) {
  Report report;
  for (const char* code : {"rewrites-table", "blocks-writes"}) {
    const size_t at = text.find(code);
    if (at == absl::string_view::npos) continue;
    Hazard hazard;
    hazard.code = code;
    hazard.severity = Severity::kError;
    hazard.offset = static_cast<int>(at);
    report.hazards.push_back(hazard);
  }
  return report;
}

std::vector<Finding> Lint(absl::string_view text,
                          std::function<std::string(absl::string_view)> operation = nullptr) {
  std::vector<Finding> findings;
  LintScript(text, "a.sql", {.lint = FakeLint, .operation = std::move(operation)},
             [&](Finding finding) { findings.push_back(std::move(finding)); });
  return findings;
}

// "LINE:COLUMN CODE[ allowed]" of every hazard.
std::vector<std::string> Told(const std::vector<Finding>& findings) {
  std::vector<std::string> told;
  for (const Finding& finding : findings) {
    for (const Hazard& hazard : finding.report.hazards) {
      const sql::Place place = PlaceOf(finding, hazard);
      told.push_back(absl::StrCat(place.line, ":", place.column, " ", hazard.code,
                                  finding.allowed.count(hazard.code) > 0 ? " allowed" : ""));
    }
  }
  return told;
}

TEST(LintScriptTest, TellsEveryStatementWithTheLinesOfItsHazards) {
  const auto findings = Lint("SELECT 1;\n  SELECT 'ä',\n 'rewrites-table';");
  ASSERT_THAT(findings, SizeIs(2));
  EXPECT_EQ(findings[0].statement, "SELECT 1");
  EXPECT_EQ(findings[0].file, "a.sql");
  EXPECT_EQ(findings[1].place.line, 2);
  EXPECT_EQ(findings[1].place.column, 3);
  EXPECT_THAT(Told(findings), ElementsAre("3:3 rewrites-table"));
}

TEST(LintScriptTest, WhatCannotBeReadIsAHazardAndTheRestIsJudged) {
  const auto findings = Lint("SELECT 1;\nALTER TABLE t FOO;\n\\d t\n\\i x.sql\nSELECT 'blocks-writes';");
  EXPECT_THAT(Told(findings),
              ElementsAre("2:15 syntax-error", "3:1 psql-command", "4:1 psql-command", "5:9 blocks-writes"));
  EXPECT_EQ(findings[1].kind, Finding::Kind::kUnread);
  EXPECT_EQ(findings[1].statement, "ALTER TABLE t FOO");
  EXPECT_EQ(PlaceOf(findings[1]).column, 15);
  EXPECT_EQ(findings[2].report.hazards[0].severity, Severity::kWarning);
  EXPECT_EQ(findings[3].report.hazards[0].severity, Severity::kError);
}

TEST(LintScriptTest, AnAllowHoldsForTheStatementThatFollows) {
  const auto findings =
      Lint("-- curlew:allow rewrites-table it is small\nSELECT 'rewrites-table';\nSELECT 'rewrites-table';");
  EXPECT_THAT(Told(findings), ElementsAre("2:9 rewrites-table allowed", "3:9 rewrites-table"));
  EXPECT_EQ(findings[0].allowed.at("rewrites-table"), "it is small");
}

TEST(LintScriptTest, AnAllowHoldsForTheStatementInWhoseLinesItStands) {
  for (const char* script :
       {"SELECT 1; SELECT 'rewrites-table'; -- curlew:allow rewrites-table why\nSELECT 2",
        "SELECT\n'rewrites-table'; -- curlew:allow rewrites-table why",
        "SELECT -- curlew:allow rewrites-table why\n'rewrites-table'",
        "SELECT 1;\nSELECT 1; SELECT /* curlew:allow rewrites-table why */ 'rewrites-table'"}) {
    const auto told = Told(Lint(script));
    ASSERT_THAT(told, SizeIs(1)) << script;
    EXPECT_THAT(told[0], HasSubstr(" allowed")) << script;
  }
}

TEST(LintScriptTest, AnAllowMayNameSeveralAndHoldForTheFile) {
  EXPECT_THAT(
      Told(Lint("-- curlew:allow rewrites-table, blocks-writes why\nSELECT 'rewrites-table blocks-writes'")),
      ElementsAre("2:9 rewrites-table allowed", "2:24 blocks-writes allowed"));
  EXPECT_THAT(
      Told(Lint("SELECT 'blocks-writes';-- curlew:allow-file blocks-writes why\nSELECT 'blocks-writes';"
                "SELECT 1;SELECT 'blocks-writes'")),
      ElementsAre("1:9 blocks-writes", "2:9 blocks-writes allowed", "2:41 blocks-writes allowed"));
}

TEST(LintScriptTest, AllowsThatAreWrongAreTold) {
  EXPECT_THAT(Told(Lint("-- curlew:allow rewrites-table\nSELECT 'rewrites-table'")),
              ElementsAre("1:1 allow-without-reason", "2:9 rewrites-table"));
  EXPECT_THAT(Told(Lint("-- curlew:allow rewrite-table, rewrites-table why\nSELECT 'rewrites-table'")),
              ElementsAre("1:1 allow-unknown", "2:9 rewrites-table allowed"));
  EXPECT_THAT(Told(Lint("SELECT 1;\n-- curlew:allow rewrites-table why\nSELECT 2;\nSELECT 'rewrites-table'")),
              ElementsAre("2:1 allow-unused", "4:9 rewrites-table"));
  EXPECT_THAT(Told(Lint("SELECT 1;\n-- curlew:allow rewrites-table why\n")), ElementsAre("2:1 allow-unused"));
  EXPECT_THAT(Told(Lint("-- curlew:allow-file fails why\nSELECT 1")), ElementsAre("1:1 allow-unused"));
  EXPECT_THAT(Told(Lint("-- curlew:allow\nSELECT 1")), ElementsAre("1:1 allow-unknown"));
}

TEST(LintScriptTest, CommandsOfPsqlMayBeAllowed) {
  const auto findings =
      Lint("-- curlew:allow psql-command, rewrites-table known\n\\echo hi\nSELECT 'rewrites-table'");
  EXPECT_THAT(Told(findings), ElementsAre("2:1 psql-command allowed", "3:9 rewrites-table allowed"));
}

TEST(LintScriptTest, AnOperationIsAskedForWhereThereIsAHazard) {
  const auto findings = Lint("SELECT 1; SELECT 'blocks-writes'",
                             [](absl::string_view text) { return absl::StrCat("- sql: {up: ", text, "}"); });
  EXPECT_EQ(findings[1].report.hazards[0].operation, "- sql: {up: SELECT 'blocks-writes'}");
}

TEST(LintScriptTest, DataAndEncodingsAreToldWithTheirPlace) {
  EXPECT_THAT(Lint("COPY t FROM STDIN;\n'\n\\.\nSELECT 1;"), SizeIs(2));
  const auto findings = Lint("SELECT 1;\nSELECT '\xE4 blocks-writes';");
  EXPECT_THAT(Told(findings), ElementsAre("2:9 encoding", "2:11 blocks-writes"));
}

TEST(LintScriptTest, AMistakeInTheWordBehindAPieceIsToldAtThePiecesEnd) {
  const auto findings = Lint("CREATE TABLE t (a int)\n\nCREATE TABLE u (a int);");
  ASSERT_THAT(findings, SizeIs(2));
  ASSERT_THAT(findings[0].report.hazards, SizeIs(1));
  EXPECT_LE(findings[0].report.hazards[0].offset, findings[0].statement.size());
  EXPECT_EQ(PlaceOf(findings[0]).line, 1);
}

TEST(LintScriptTest, FiftyMegabytesTakeSeconds) {
  std::string script = "SELECT 'rewrites-table';\n";
  while (script.size() < 50'000'000)
    script += "INSERT INTO t VALUES (1, 'some text that is a little long', now()); -- and a comment\n";
  script += "ALTER TABLE t FOO;\nSELECT 'blocks-writes'";
  int findings = 0;
  std::vector<Finding> told;
  const absl::Time start = absl::Now();
  LintScript(script, "a.sql", {.lint = FakeLint, .operation = nullptr}, [&](Finding finding) {
    ++findings;
    if (!finding.report.hazards.empty()) told.push_back(std::move(finding));
  });
  EXPECT_GT(findings, 500'000);
  EXPECT_THAT(told, SizeIs(3));
  EXPECT_LT(absl::Now() - start, absl::Seconds(100));
}

}  // namespace
}  // namespace curlew::lint
