#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;

class SetNotNullTest : public ::curlew::testing::OperationTest {};

TEST_F(SetNotNullTest, ProvesItByACheckFirst) {
  ExpectLife(R"yaml(
  - set_not_null: {table: '"Peo ple"', column: note}
)yaml",
             "note text NOT NULL");
}

TEST_F(SetNotNullTest, LooksForNullsBeforeAnythingChanges) {
  conninfo_ = NewDatabase();
  EXPECT_THAT(Refusal("  - set_not_null: {table: nowhere, column: x}\n"),
              HasSubstr("public.nowhere does not exist"));
  EXPECT_THAT(Refusal("  - set_not_null: {table: '\"Peo ple\"', column: x}\n"),
              HasSubstr("there are: id, \"Ph one\""));
}

}  // namespace
}  // namespace curlew::operations
