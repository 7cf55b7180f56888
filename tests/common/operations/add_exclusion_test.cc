#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AddExclusionTest : public ::curlew::testing::OperationTest {
 protected:
  AddExclusionTest() {
    setup_ =
        "CREATE EXTENSION btree_gist; CREATE TABLE stay (id int PRIMARY KEY, \"ro om\" int, during "
        "int4range, x "
        "int); INSERT INTO stay SELECT g, 1, int4range(g, g + 1), g FROM generate_series(1, 20) AS g;";
  }
};

TEST_F(AddExclusionTest, IsRefusedUnlessTheLockIsAccepted) {
  const std::string key =
      "  - add_exclusion: {table: stay, name: ex, elements: [{column: ro om, operator: '='}, {column: "
      "during, "
      "operator: '&&'}, {expression: x + 1, operator: '<>'}], where: id > 0, deferral: initially_deferred}\n";
  EXPECT_THAT(Refusal(key),
              HasSubstr("exclusion constraint ex of public.stay: PostgreSQL can neither build its "
                        "index concurrently"));
  EXPECT_THAT(Refusal(key), HasSubstr("acknowledge: [blocks-writes]"));
  ExpectLife(
      key + "settings: {acknowledge: [blocks-writes]}\n",
      "ADD CONSTRAINT ex EXCLUDE USING gist (\"ro om\" WITH =, during WITH &&, ((x + 1)) WITH <>) WHERE "
      "((id > 0)) DEFERRABLE INITIALLY DEFERRED;");
  EXPECT_THAT(compiled_.warnings(), Contains(HasSubstr("can neither be read nor written")));
}

TEST_F(AddExclusionTest, ThePromiseHolds) {
  EXPECT_EQ(
      RunError("  - add_exclusion: {table: stay, name: ex, elements: [{column: during, opclass: range_ops, "
               "operator: '&&'}, {column: id, operator: '='}], where: id > 0}\n"
               "settings: {acknowledge: [blocks-writes]}\n"),
      "");
  EXPECT_EQ(Query(conninfo_, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ex'"),
            "EXCLUDE USING gist (during WITH &&, id WITH =) WHERE ((id > 0))");
}

TEST_F(AddExclusionTest, WhatCannotBeIsRefusedWithTheWayOut) {
  EXPECT_THAT(
      Refusal(
          "  - add_exclusion: {table: stay, name: ex, elements: [{column: id, operator: '= 1); DROP'}]}\n"),
      HasSubstr("is no operator"));
  EXPECT_THAT(
      Refusal("  - add_exclusion: {table: stay, name: ex, elements: [{column: id, operator: '--'}]}\n"),
      HasSubstr("is no operator"));
  EXPECT_THAT(Refusal("  - add_exclusion: {table: stay, name: ex, elements: [{operator: '='}]}\n"),
              HasSubstr("exactly one of `column` and `expression`"));
  EXPECT_THAT(
      Refusal("  - add_exclusion: {table: stay, name: ex, elements: [{column: no, operator: '='}]}\n"),
      HasSubstr("column no of table"));
  setup_ += "CREATE TABLE part (k int) PARTITION BY LIST (k);";
  EXPECT_THAT(Refusal("  - add_exclusion: {table: part, name: ex, elements: [{column: k, operator: '='}]}\n"
                      "settings: {acknowledge: [blocks-writes]}\n"),
              HasSubstr("PostgreSQL 15 has none on partitioned tables"));
}

}  // namespace
}  // namespace curlew::operations
