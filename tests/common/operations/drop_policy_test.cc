#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class DropPolicyTest : public ::curlew::testing::OperationTest {
 protected:
  static std::string Drop(const std::string& name) {
    return "  - drop_policy: {table: '\"Peo ple\"', name: " + name + "}\n";
  }
};

TEST_F(DropPolicyTest, GoesWithTheColumnThatItUsesInOneTransaction) {
  setup_ = "CREATE POLICY \"It's\" ON \"Peo ple\" USING (age > 1);";
  ExpectLife(Drop("It's") + "  - drop_column: {table: '\"Peo ple\"', column: age}\n", "CREATE TABLE");
  EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("POLICY")));
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_FALSE(compiled_.steps(compiled_.steps_size() - 1).has_undo());
}

TEST_F(DropPolicyTest, RefusesTheLastOneThatPermitsRows) {
  setup_ = "CREATE POLICY p ON \"Peo ple\" USING (true); ALTER TABLE \"Peo ple\" ENABLE ROW LEVEL SECURITY;";
  EXPECT_THAT(Refusal(Drop("p")), HasSubstr("the last one of public.\"Peo ple\" that permits rows"));
  EXPECT_EQ(Refusal(Drop("p") + "  - set_row_security: {table: '\"Peo ple\"', state: disabled}\n"), "");
  EXPECT_EQ(Refusal(Drop("p") + "  - create_policy: {table: '\"Peo ple\"', name: q, using: 'true'}\n"), "");
  EXPECT_EQ(Refusal(Drop("p") + "settings: {acknowledge: [breaks-applications]}\n"), "");
  EXPECT_THAT(Refusal(Drop("q")), HasSubstr("there are p"));
}

TEST_F(DropPolicyTest, TellsWhenARestrictionGoes) {
  setup_ = "CREATE POLICY p ON \"Peo ple\" AS RESTRICTIVE USING (true);";
  ExpectLife(Drop("p"), "");
  EXPECT_THAT(compiled_.warnings(0), HasSubstr("see rows"));
}

}  // namespace
}  // namespace curlew::operations
