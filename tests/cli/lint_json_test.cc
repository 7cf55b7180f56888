#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/cli/lint_findings.h"

namespace curlew::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

TEST(LintJsonTest, HasEveryKeyAlsoOfAStatementWithoutHazards) {
  const json list = json::parse(Print(MakeLintJson, {Harmless()}));
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0],
            json::parse(R"({"file": "db/42.sql", "line": 1, "column": 1, "statement": "SELECT 1", "locks": [],
      "blocks_reads": false, "blocks_writes": false, "rewrites": false, "scans": false, "transactional": true,
      "hazards": []})"));
}

TEST(LintJsonTest, TellsLocksAndHazardsWithTheirPlaces) {
  const json list = json::parse(Print(MakeLintJson, {TypeChange()}));
  EXPECT_EQ(list[0]["line"], 12);
  EXPECT_EQ(list[0]["locks"],
            json::parse(R"([{"relation": "orders", "mode": "AccessExclusiveLock", "held_before": false},
      {"relation": "\"Order Lines\"", "mode": "ShareRowExclusiveLock", "held_before": true}])"));
  EXPECT_EQ(list[0]["rewrites"], true);
  const json hazard = list[0]["hazards"][0];
  EXPECT_EQ(hazard["code"], "rewrites-table");
  EXPECT_EQ(hazard["severity"], "error");
  EXPECT_EQ(hazard["safe_sql"], "ALTER TABLE orders ADD x numeric;\n-- then fill it");
  EXPECT_EQ(hazard["operation"], "- change_type: {table: orders}");
  EXPECT_EQ(hazard["line"], 13);
  EXPECT_EQ(hazard["column"], 14);
  EXPECT_FALSE(hazard.contains("allowed"));
}

TEST(LintJsonTest, WhatIsAllowedHasItsReason) {
  lint::Finding finding = TypeChange();
  finding.allowed = {{"rewrites-table", "it is small"}};
  EXPECT_EQ(json::parse(Print(MakeLintJson, {finding}))[0]["hazards"][0]["allowed"], "it is small");
}

TEST(LintJsonTest, IsValidWhateverBytesTheFileHolds) {
  const json list = json::parse(Print(MakeLintJson, {Unread(), Harmless(), Unread()}));
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0]["hazards"][0]["code"], "syntax-error");
  EXPECT_EQ(list[0]["column"], 15);
  EXPECT_EQ(json::parse(Print(MakeLintJson, {})), json::array());
}

}  // namespace
}  // namespace curlew::cli
