#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;

class AddColumnTest : public ::curlew::testing::OperationTest {};

TEST_F(AddColumnTest, AConstantDefaultNeedsNoBackfill) {
  ExpectLife(R"yaml(
  - add_column: {table: '"Peo ple"', column: st ate, type: text, default: "'new'", not_null: true, comment: it's new}
)yaml",
             "\"st ate\" text DEFAULT 'new'::text NOT NULL");
}

TEST_F(AddColumnTest, IsFilledByUpAndGetsItsDefaultAtTheEnd) {
  ExpectLife(R"yaml(
  - add_column: {table: '"Peo ple"', column: label, type: text, up: '"Ph one" || tenant', default: "'none'", not_null: true}
)yaml",
             "label text DEFAULT 'none'::text NOT NULL");
}

TEST_F(AddColumnTest, ANullableColumnMayBeFilledByAVolatileExpression) {
  ExpectLife(R"yaml(
  - add_column: {table: '"Peo ple"', column: token, type: uuid, up: gen_random_uuid()}
)yaml",
             "token uuid");
}

TEST_F(AddColumnTest, RefusesWhatWouldRewriteTheTable) {
  EXPECT_THAT(
      Refusal("  - add_column: {table: '\"Peo ple\"', column: c, type: uuid, default: gen_random_uuid()}\n"),
      HasSubstr("rewrites the table"));
  EXPECT_THAT(Refusal("  - add_column: {table: '\"Peo ple\"', column: age, type: int}\n"),
              HasSubstr("exists already"));
  EXPECT_THAT(Refusal("  - add_column: {table: '\"Peo ple\"', column: c, type: int, up: nope + 1}\n"),
              HasSubstr("nope"));
}

}  // namespace
}  // namespace curlew::operations
