#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DropTriggerTest : public ::curlew::testing::OperationTest {};

constexpr char kTriggers[] = R"(
  CREATE FUNCTION t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE TRIGGER "Old tr" BEFORE UPDATE OF age ON "Peo ple" FOR EACH ROW EXECUTE FUNCTION t();)";

TEST_F(DropTriggerTest, DropsBehindTheGate) {
  setup_ = kTriggers;
  ExpectLife("  - drop_trigger: {table: '\"Peo ple\"', name: Old tr}", "CREATE FUNCTION public.t()");
  EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("Old tr")));
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(DropTriggerTest, FreesTheColumnsThatItNamed) {
  setup_ = kTriggers;
  EXPECT_THAT(Refusal("  - drop_column: {table: '\"Peo ple\"', column: age}"),
              HasSubstr("trigger \"Old tr\""));
  EXPECT_EQ(RunError("  - drop_trigger: {table: '\"Peo ple\"', name: Old tr}\n"
                     "  - drop_column: {table: '\"Peo ple\"', column: age}"),
            "");
}

TEST_F(DropTriggerTest, ComesBeforeANewOneOfItsName) {
  setup_ = kTriggers;
  EXPECT_EQ(RunError(R"yaml(
  - drop_trigger: {table: '"Peo ple"', name: Old tr}
  - create_trigger:
      table: '"Peo ple"'
      definition: CREATE CONSTRAINT TRIGGER "Old tr" AFTER INSERT ON "Peo ple" FOR EACH ROW EXECUTE FUNCTION t()
)yaml"),
            "");
  EXPECT_THAT(PgDump(conninfo_), HasSubstr("CREATE CONSTRAINT TRIGGER \"Old tr\""));
}

TEST_F(DropTriggerTest, RefusesOneThatIsNotThere) {
  setup_ = kTriggers;
  EXPECT_THAT(Refusal("  - drop_trigger: {table: '\"Peo ple\"', name: old tr}"),
              AllOf(HasSubstr("drop_trigger"), HasSubstr("no trigger \"old tr\""),
                    HasSubstr("there are: \"Old tr\"")));
}

}  // namespace
}  // namespace curlew::operations
