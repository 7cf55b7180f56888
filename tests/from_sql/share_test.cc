// How much of what people write becomes operations, over all cases, by the text alone.
#include <gtest/gtest.h>

#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/from_sql/from_sql.h"
#include "common/plan/plan_reader.h"
#include "tests/from_sql/case.h"

namespace curlew::from_sql {
namespace {

TEST(ShareTest, MostStatementsBecomeOperations) {
  int statements = 0, became = 0;
  const std::vector<Case> cases = AllCases();
  EXPECT_GE(cases.size(), 60u);
  for (const Case& c : cases) {
    const auto conversion = Convert({{c.name + ".sql", c.migration}}, {});
    ASSERT_TRUE(conversion.ok()) << c.name << ": " << conversion.status();
    statements += conversion->statements;
    became += conversion->became_operations;
    const auto plan = plan::ReadPlan(ToYaml(*conversion), c.name);
    ASSERT_TRUE(plan.ok()) << c.name << ": " << plan.status();
  }
  std::cout << cases.size() << " migrations, " << statements << " statements, " << became
            << " of them became operations: " << 100 * became / statements << " %\n";
  RecordProperty("statements", statements);
  RecordProperty("became_operations", became);
  EXPECT_GE(became * 100, statements * 70);
}

// The table of docs/from-sql.md that says what stays SQL has a statement of each kind, and none of them is an
// operation.
TEST(ShareTest, TheDocsSayWhatStaysSql) {
  std::ifstream file(CURLEW_SOURCE "/docs/from-sql.md");
  std::ostringstream content;
  content << file.rdbuf();
  std::istringstream lines(content.str());
  std::string line;
  bool in_table = false;
  int rows = 0;
  while (std::getline(lines, line)) {
    if (line.find("stays `sql`") != std::string::npos) in_table = true;
    if (in_table && line.rfind("##", 0) == 0) in_table = rows == 0;
    if (!in_table || line.rfind("| `", 0) != 0) continue;
    const std::string statement = line.substr(3, line.find('`', 3) - 3);
    ++rows;
    const auto conversion = Convert({{"docs.sql", statement}}, {});
    ASSERT_TRUE(conversion.ok()) << statement << ": " << conversion.status();
    EXPECT_EQ(conversion->became_operations, 0) << statement;
    for (const auto& [hazard, operations] : conversion->hazards) {
      EXPECT_NE(line.find(hazard), std::string::npos) << statement << " has the hazard " << hazard;
    }
  }
  EXPECT_GE(rows, 20);
}

}  // namespace
}  // namespace curlew::from_sql
