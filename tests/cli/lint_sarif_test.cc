#include "common/lint/hazards.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/cli/lint_findings.h"

namespace curlew::cli {
namespace {

using nlohmann::json;

json SarifRun(const std::vector<lint::Finding>& findings) {
  const json sarif = json::parse(Print(MakeLintSarif, findings));
  EXPECT_EQ(sarif["version"], "2.1.0");
  EXPECT_EQ(sarif["runs"].size(), 1u);
  return sarif["runs"][0];
}

TEST(LintSarifTest, ListsEveryRuleWithItsHelp) {
  const json driver = SarifRun({})["tool"]["driver"];
  EXPECT_EQ(driver["name"], "curlew");
  ASSERT_EQ(driver["rules"].size(), lint::HazardInfos().size());
  for (const json& rule : driver["rules"]) {
    for (const char* key : {"shortDescription", "fullDescription", "help"}) {
      EXPECT_FALSE(rule[key]["text"].get<std::string>().empty()) << rule;
    }
    EXPECT_TRUE(rule["id"].is_string());
  }
}

TEST(LintSarifTest, ResultsNameTheirRuleAndRegion) {
  const json run = SarifRun({Harmless(), TypeChange()});
  ASSERT_EQ(run["results"].size(), 1u);
  const json result = run["results"][0];
  EXPECT_EQ(run["tool"]["driver"]["rules"][result["ruleIndex"].get<int>()]["id"], result["ruleId"]);
  EXPECT_EQ(result["level"], "error");
  EXPECT_EQ(result["suppressions"], json::array());
  const json place = result["locations"][0]["physicalLocation"];
  EXPECT_EQ(place["artifactLocation"]["uri"], "db/42.sql");
  EXPECT_EQ(place["region"],
            json::parse(R"({"startLine": 13, "startColumn": 14, "endLine": 13, "endColumn": 26})"));
}

TEST(LintSarifTest, WhatIsAllowedIsSuppressedInItsSource) {
  lint::Finding finding = TypeChange();
  finding.allowed = {{"rewrites-table", "it is small"}};
  EXPECT_EQ(SarifRun({finding})["results"][0]["suppressions"],
            json::parse(R"([{"kind": "inSource", "justification": "it is small"}])"));
}

TEST(LintSarifTest, PathsAreUrisAndBytesValid) {
  const json result = SarifRun({Unread()})["results"][0];
  EXPECT_EQ(result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], "a%20b,c%3Ad%25.sql");
  EXPECT_EQ(result["ruleId"], "syntax-error");
}

}  // namespace
}  // namespace curlew::cli
