#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SetRowSecurityTest : public ::curlew::testing::OperationTest {
 protected:
  static std::string Set(const std::string& state) {
    return "  - set_row_security: {table: '\"Peo ple\"', state: " + state + "}\n";
  }
  static constexpr char kPolicy[] = "CREATE POLICY p ON \"Peo ple\" USING (tenant = 1);";
};

TEST_F(SetRowSecurityTest, IsSwitchedOnWhereAPolicyPermitsRows) {
  setup_ = kPolicy;
  ExpectLife(Set("enabled"), "ENABLE ROW LEVEL SECURITY");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_EQ(compiled_.steps(compiled_.steps_size() - 1).locks(0).mode(), "AccessExclusiveLock");
}

TEST_F(SetRowSecurityTest, GoesBetweenAllStates) {
  const std::string enable = "ALTER TABLE \"Peo ple\" ENABLE ROW LEVEL SECURITY;";
  const std::string force = "ALTER TABLE \"Peo ple\" FORCE ROW LEVEL SECURITY;";
  for (const std::string& from : {std::string(), enable, enable + force}) {
    for (const char* to : {"disabled", "enabled", "forced"}) {
      setup_ = absl::StrCat(kPolicy, from);
      ExpectLife(Set(to), to == std::string("forced") ? "FORCE ROW LEVEL SECURITY" : "");
      EXPECT_THAT(Unpromised(), IsEmpty()) << from << to;
    }
  }
}

TEST_F(SetRowSecurityTest, FollowsThePolicyThatThePlanCreates) {
  ExpectLife("  - create_policy: {table: '\"Peo ple\"', name: mine, using: tenant = 1}\n" + Set("forced"),
             "CREATE POLICY mine");
}

TEST_F(SetRowSecurityTest, RefusesToHideAllRows) {
  EXPECT_THAT(Refusal(Set("enabled")), HasSubstr("no policy that permits rows"));
  setup_ = "CREATE POLICY p ON \"Peo ple\" AS RESTRICTIVE USING (true);";
  EXPECT_THAT(Refusal(Set("enabled")), HasSubstr("Put create_policy before"));
  EXPECT_EQ(Refusal(Set("enabled") + "settings: {acknowledge: [breaks-applications]}\n"), "");
  EXPECT_THAT(Refusal(Set("unspecified")), HasSubstr("state"));
}

// The agent's backfill would leave out the rows that it cannot see.
TEST_F(SetRowSecurityTest, RowsThatAreFilledMustNotBeHiddenFromTheAgent) {
  setup_ = absl::StrCat(kPolicy, "ALTER TABLE \"Peo ple\" ENABLE ROW LEVEL SECURITY;");
  for (const char* plan : {"  - add_column: {table: '\"Peo ple\"', column: c, type: text, up: note}\n",
                           "  - backfill: {table: '\"Peo ple\"', set: [{column: age, value: age + 1}]}\n",
                           "  - purge: {table: '\"Peo ple\"', where: age > 1}\n"}) {
    ASSERT_EQ(RunError(plan), "");
    std::string count;
    for (const v1::Check& check : compiled_.steps(0).action().verify().checks()) {
      if (check.description().find("hides no row") != std::string::npos) count = check.count_query();
    }
    ASSERT_NE(count, "") << plan;
    EXPECT_EQ(Query(conninfo_, count), "0");
    EXPECT_EQ(Query(conninfo_, absl::StrCat("SET ROLE pg_monitor; ", count)), "1");
  }
}

TEST_F(SetRowSecurityTest, LooksForAForceThatMeansNothing) {
  setup_ = absl::StrCat(kPolicy, "ALTER TABLE \"Peo ple\" FORCE ROW LEVEL SECURITY;");
  EXPECT_THAT(RunError(Set("enabled")), HasSubstr("is not forced while it is disabled"));
}

}  // namespace
}  // namespace curlew::operations
