#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;

class DropColumnTest : public ::curlew::testing::OperationTest {};

TEST_F(DropColumnTest, GivesRowsAValueUntilTheColumnGoes) {
  ExpectLife(R"yaml(
  - drop_column: {table: '"Peo ple"', column: Ph one, down: "'-'"}
)yaml",
             "tenant integer NOT NULL");
}

TEST_F(DropColumnTest, TakesADiscardedIndexAlong) {
  ExpectLife(R"yaml(
  - drop_column: {table: '"Peo ple"', column: note, discard: [people_tenant]}
)yaml",
             "age integer");
}

TEST_F(DropColumnTest, RefusesWhatWouldGoUnseen) {
  EXPECT_THAT(Refusal("  - drop_column: {table: '\"Peo ple\"', column: note}\n"), HasSubstr("people_tenant"));
  EXPECT_THAT(Refusal("  - drop_column: {table: '\"Peo ple\"', column: tenant, discard: [people_tenant]}\n"),
              HasSubstr("`down`"));
  EXPECT_THAT(Refusal("  - drop_column: {table: '\"Peo ple\"', column: id, down: '0'}\n"),
              HasSubstr("primary key"));
}

}  // namespace
}  // namespace curlew::operations
