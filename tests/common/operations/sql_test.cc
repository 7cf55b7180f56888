#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;

class SqlTest : public ::curlew::testing::OperationTest {};

TEST_F(SqlTest, RunsAndIsUndoneByItsDown) {
  ExpectLife(R"yaml(
  - sql:
      up: |
        CREATE TYPE mood AS ENUM ('good; bad');
        COMMENT ON TYPE mood IS 'x';
      down: DROP TYPE mood
)yaml",
             "CREATE TYPE public.mood");
}

TEST_F(SqlTest, RefusesAHazardThatNobodyAccepted) {
  EXPECT_THAT(Refusal("  - sql: {up: 'CREATE INDEX i ON \"Peo ple\" (age)', down: DROP INDEX i}\n"),
              HasSubstr("blocks-writes"));
}

}  // namespace
}  // namespace curlew::operations
