#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AddUniqueTest : public ::curlew::testing::OperationTest {};

TEST_F(AddUniqueTest, StandsOnAnIndexBuiltConcurrently) {
  ExpectLife(R"yaml(
  - add_unique: {table: '"Peo ple"', name: u, columns: ["Ph one"]}
)yaml",
             "ADD CONSTRAINT u UNIQUE (\"Ph one\")");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(AddUniqueTest, CarriesColumnsAndWaitsForTheEndOfTheTransaction) {
  ExpectLife(R"yaml(
  - add_unique: {table: '"Peo ple"', name: 'u "1"', columns: [id, age], include: [tenant, note],
                 nulls_not_distinct: true, deferral: initially_deferred}
  - add_unique: {table: '"Peo ple"', name: later, columns: [id], deferral: deferrable}
)yaml",
             "ADD CONSTRAINT \"u \"\"1\"\"\" UNIQUE NULLS NOT DISTINCT (id, age) INCLUDE (tenant, note) "
             "DEFERRABLE INITIALLY DEFERRED");
  EXPECT_THAT(PgDump(conninfo_), HasSubstr("ADD CONSTRAINT later UNIQUE (id) DEFERRABLE;"));
  EXPECT_THAT(Unpromised(), IsEmpty());
  Query(conninfo_, "BEGIN; INSERT INTO \"Peo ple\" (id, \"Ph one\", tenant) VALUES (5000, 'x', 1); COMMIT");
}

// Only all columns together tell rows apart.
TEST_F(AddUniqueTest, ACompositeKeyIsNotTakenByItsFirstColumn) {
  EXPECT_EQ(RunError("  - add_unique: {table: '\"Peo ple\"', name: u, columns: [tenant, id]}\n"), "");
  const std::string found =
      RunError("  - add_unique: {table: '\"Peo ple\"', name: u, columns: [tenant, age]}\n");
  EXPECT_THAT(found, HasSubstr("share (tenant, age), as u demands: 370"));
  EXPECT_EQ(Query(conninfo_, "SELECT to_regclass('u')::text"), "");
}

TEST_F(AddUniqueTest, NullsCollideWhereTheyAreNotDistinct) {
  setup_ = "UPDATE \"Peo ple\" SET age = CASE WHEN id > 2 THEN id END;";
  EXPECT_EQ(RunError("  - add_unique: {table: '\"Peo ple\"', name: u, columns: [age]}\n"), "");
  EXPECT_THAT(
      RunError("  - add_unique: {table: '\"Peo ple\"', name: u, columns: [age], nulls_not_distinct: true}\n"),
      HasSubstr("(id)=(1)"));
}

TEST_F(AddUniqueTest, OfAPartitionedTableOneStepBuildsConstraintAndParts) {
  setup_ =
      "CREATE TABLE part (id int, k int, v text) PARTITION BY LIST (k);"
      "CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1); INSERT INTO part VALUES (1, 1, 'x'), (2, 1, "
      "'y');";
  ExpectLife(
      "  - add_unique: {table: part, name: pu, columns: [k, id], include: [v], deferral: deferrable}\n",
      "ADD CONSTRAINT pu UNIQUE (k, id) INCLUDE (v) DEFERRABLE");
  EXPECT_THAT(Unpromised(), IsEmpty());
  const v1::Step& step = compiled_.steps(compiled_.steps_size() - 1);
  EXPECT_EQ(step.action().execute_sql_concurrently().partitioned().constraint(),
            "UNIQUE (k, id) INCLUDE (v) DEFERRABLE");
  EXPECT_EQ(step.action().execute_sql_concurrently().partitioned().definition(),
            "USING btree (k, id) INCLUDE (v)");
  EXPECT_THAT(Refusal("  - add_unique: {table: part, name: pu, columns: [id]}\n"),
              HasSubstr("have to hold k"));
}

}  // namespace
}  // namespace curlew::operations
