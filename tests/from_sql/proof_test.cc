// Each case: psql with the script on one database, the plan made of it on another, and both end alike.
#include "tests/from_sql/proof.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <iostream>

#include "absl/strings/str_join.h"
#include "tests/support/plan_runner.h"
#include "tests/support/status_matchers.h"

namespace curlew::from_sql {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::RunPhases;

class MigrationTest : public ProofTest, public ::testing::WithParamInterface<Case> {
 protected:
  // Runs the plan through DROP and compares.
  void ExpectSame(const Conversion& conversion, const v1::CompiledPlan& compiled, const std::string& conninfo,
                  const std::string& expected) {
    const auto connection = Connect(conninfo);
    ASSERT_THAT(RunPhases(connection.get(), compiled, v1::PHASE_DROP), IsOk()) << ToYaml(conversion);
    EXPECT_EQ(Dump(GetParam(), conninfo), expected) << ToYaml(conversion);
  }
};

TEST_P(MigrationTest, EndsAsPsqlDoes) {
  const Case& c = GetParam();
  const std::string by_psql = Before(c);
  ASSERT_NO_FATAL_FAILURE(Psql(by_psql, c.migration));
  const std::string expected = Dump(c, by_psql);

  const std::string by_plan = Before(c);
  ASSERT_OK_AND_ASSIGN(const Conversion conversion, ConvertFor(c, by_plan));
  if (std::getenv("CURLEW_SHOW_PLANS") != nullptr) std::cout << ToYaml(conversion);
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan compiled, Compile(conversion, by_plan));
  ExpectSame(conversion, compiled, by_plan, expected);
  const std::vector<std::string> names = OperationNames(conversion.plan);
  for (const std::string& name : c.expect) {
    EXPECT_THAT(names, ::testing::Contains(name)) << ToYaml(conversion);
  }
  if (c.hazards != "*") {
    EXPECT_EQ(absl::StrJoin(conversion.plan.settings().acknowledge(), ","), c.hazards) << ToYaml(conversion);
  }
}

TEST_P(MigrationTest, EndsAsPsqlDoesByTheTextAloneOrIsRefused) {
  const Case& c = GetParam();
  const std::string by_plan = Before(c);
  ASSERT_OK_AND_ASSIGN(const Conversion conversion, ConvertText(c));
  const absl::StatusOr<v1::CompiledPlan> compiled = Compile(conversion, by_plan);
  if (c.offline_differs) return;
  if (c.offline_refused) {
    const std::string before = Dump(c, by_plan);
    if (compiled.ok()) {
      EXPECT_FALSE(RunPhases(Connect(by_plan).get(), *compiled, v1::PHASE_DROP).ok());
    }
    EXPECT_EQ(Dump(c, by_plan), before);
    return;
  }
  ASSERT_THAT(compiled, IsOk()) << ToYaml(conversion);
  const std::string by_psql = Before(c);
  ASSERT_NO_FATAL_FAILURE(Psql(by_psql, c.migration));
  ExpectSame(conversion, *compiled, by_plan, Dump(c, by_psql));
}

INSTANTIATE_TEST_SUITE_P(Cases, MigrationTest, ::testing::ValuesIn(AllCases()),
                         [](const auto& info) { return TestName(info.param.name); });

}  // namespace
}  // namespace curlew::from_sql
