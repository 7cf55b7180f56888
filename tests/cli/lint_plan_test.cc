#include "cli/lint_plan.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace curlew::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Every statement has two hazards at its last word.
lint::ScriptJudge FakeJudge() {
  lint::ScriptJudge judge;
  judge.lint = [](const pg_query::Node&, absl::string_view text) {
    lint::Report report;
    report.hazards.resize(2);
    report.hazards[0].code = "blocks-writes";
    report.hazards[0].offset = static_cast<int>(text.find_last_of(" \n") + 1);
    report.hazards[1].code = "no-lock-timeout";
    return report;
  };
  return judge;
}

struct Told {
  std::vector<lint::Finding> findings;
  std::string note;
  std::vector<std::string> Places() const {
    std::vector<std::string> places;
    for (const lint::Finding& finding : findings) {
      for (const lint::Hazard& hazard : finding.report.hazards) {
        const sql::Place place = lint::PlaceOf(finding, hazard);
        places.push_back(absl::StrCat(finding.place.line, ":", finding.place.column, " ", place.line, ":",
                                      place.column, " ", hazard.code));
      }
    }
    return places;
  }
};

Told Lint(absl::string_view yaml) {
  Told told;
  told.note = LintPlan(yaml, "p.yaml", FakeJudge,
                       [&](lint::Finding finding) { told.findings.push_back(std::move(finding)); });
  return told;
}

TEST(LintPlanTest, StatementsOfABlockHaveTheirLinesOfTheFile) {
  const Told told = Lint(R"(name: x
operations:
  - set_not_null: {table: t, column: c}
  - sql:
      up: |
        ALTER TABLE a
          ADD x int;
        ALTER TABLE b ADD y int;
      down: |
        ALTER TABLE b DROP y;
        ALTER TABLE a DROP x
)");
  EXPECT_THAT(told.Places(), ElementsAre("6:9 7:17 blocks-writes", "8:9 8:29 blocks-writes",
                                         "10:9 10:28 blocks-writes", "11:9 11:28 blocks-writes"));
  EXPECT_THAT(told.note, HasSubstr("1 operation is safe by construction"));
}

TEST(LintPlanTest, StatementsOfOtherScalarsToo) {
  const Told told = Lint(R"(name: x
operations:
  - sql: {up: 'ALTER TABLE a ADD x text; ALTER TABLE b ADD y text', down: "ALTER TABLE a DROP x; ALTER TABLE b DROP y"}
  - sql:
      up: >
        ALTER TABLE
        c ADD z text
      down: ALTER TABLE c DROP z
)");
  EXPECT_THAT(told.Places(),
              ElementsAre("3:16 3:36 blocks-writes", "3:42 3:62 blocks-writes", "3:76 3:95 blocks-writes",
                          "3:98 3:117 blocks-writes", "5:7 5:27 blocks-writes", "8:13 8:32 blocks-writes"));
}

TEST(LintPlanTest, WhatThePlanAcknowledgesIsAllowed) {
  const Told told = Lint(R"(name: x
operations:
  - sql: {up: ALTER TABLE a ADD x text, irreversible: true, phase: drop}
settings:
  acknowledge: [blocks-writes]
)");
  ASSERT_THAT(told.findings, SizeIs(1));
  EXPECT_EQ(told.findings[0].allowed.at("blocks-writes"), "acknowledged by the plan");
  EXPECT_EQ(told.note, "");
}

TEST(LintPlanTest, APlanThatIsNotValidIsAnErrorWithItsPlace) {
  EXPECT_THAT(Lint("name: x\noperations:\n  - set_not_null: {table: t, colum: c}\n").Places(),
              ElementsAre("3:30 3:30 invalid-plan"));
  const Told told = Lint("name: x\noperations:\n  - sql: {up: ALTER TABL t, irreversible: true}\n");
  EXPECT_THAT(told.Places(), SizeIs(1));
  EXPECT_EQ(told.findings[0].place.line, 3);
  EXPECT_THAT(Lint("{").findings, SizeIs(1));
}

TEST(LintPlanTest, PlansAreToldFromScripts) {
  EXPECT_TRUE(IsPlan("a.yaml", ""));
  EXPECT_TRUE(IsPlan("-", "name: x\noperations:\n"));
  EXPECT_TRUE(IsPlan("-", "{\"name\": \"x\", \"operations\": []}"));
  EXPECT_FALSE(IsPlan("a.sql", "-- \noperations:"));
  EXPECT_FALSE(IsPlan("-", "SELECT '{\"operations\"}'"));
  EXPECT_FALSE(IsPlan("-", ""));
}

}  // namespace
}  // namespace curlew::cli
