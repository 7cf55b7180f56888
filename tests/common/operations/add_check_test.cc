#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AddCheckTest : public ::curlew::testing::OperationTest {};

TEST_F(AddCheckTest, IsValidatedWithoutAStrongLock) {
  ExpectLife(R"yaml(
  - add_check: {table: '"Peo ple"', name: adult, expression: age < 200}
)yaml",
             "CONSTRAINT adult CHECK ((age < 200))");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(AddCheckTest, RowsThatBreakItStopBeforeAnythingChanges) {
  const std::string found =
      RunError("  - add_check: {table: '\"Peo ple\"', name: adult, expression: age < 89 OR note IS NULL}\n");
  EXPECT_THAT(found, HasSubstr("satisfies adult: age < 89 OR note IS NULL: 11"));
  EXPECT_THAT(found, HasSubstr("(id)=(89)"));
}

TEST_F(AddCheckTest, AColumnThatNothingFillsBreaksNothing) {
  ExpectLife(R"yaml(
  - add_column: {table: '"Peo ple"', column: size, type: 'numeric(5,2)'}
  - add_check: {table: '"Peo ple"', name: positive, expression: size > 0 OR age > 1000}
)yaml",
             "CONSTRAINT positive CHECK (((size > (0)::numeric) OR (age > 1000)))");
}

TEST_F(AddCheckTest, OfAPartitionedTableItHoldsForEachPartition) {
  setup_ =
      "CREATE TABLE part (k int) PARTITION BY LIST (k); CREATE TABLE part1 PARTITION OF part FOR VALUES IN "
      "(1);"
      "ALTER TABLE part1 ADD CONSTRAINT own CHECK (k > 0);";
  ExpectLife("  - add_check: {table: part, name: c, expression: k < 10}\n", "CONSTRAINT c CHECK ((k < 10))");
  EXPECT_THAT(RunError("  - add_check: {table: part, name: own, expression: k > 0}\n"),
              HasSubstr("no partition of public.part has a constraint named own: 1"));
}

}  // namespace
}  // namespace curlew::operations
