#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CreateIndexTest : public ::curlew::testing::OperationTest {};

TEST_F(CreateIndexTest, IsPartialAndHoldsSeveralColumns) {
  ExpectLife(R"yaml(
  - create_index: {table: '"Peo ple"', name: i, columns: [age, note], method: btree, unique: false, where: age > 3}
)yaml",
             "CREATE INDEX i ON public.\"Peo ple\" USING btree (age, note) WHERE (age > 3)");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(CreateIndexTest, EveryPartOfAKeyIsKept) {
  setup_ = "CREATE SCHEMA extra; CREATE EXTENSION pg_trgm SCHEMA extra;";
  ExpectLife(R"yaml(
  - create_index:
      table: '"Peo ple"'
      name: 'Find "them"'
      unique: true
      keys:
        - {expression: "lower(\"Ph one\")", collation: '"C"', opclass: text_pattern_ops, descending: true, nulls: last}
        - {column: id, nulls: first}
      include: [note]
      options: [{name: fillfactor, value: "70"}, {name: deduplicate_items, value: "off"}]
  - create_index:
      table: '"Peo ple"'
      name: trigrams
      method: gin
      keys: [{column: note, opclass: extra.gin_trgm_ops}]
      options: [{name: fastupdate, value: "false"}]
)yaml",
             "CREATE UNIQUE INDEX \"Find \"\"them\"\"\" ON public.\"Peo ple\" USING btree (lower(\"Ph one\") "
             "COLLATE \"C\" text_pattern_ops DESC NULLS LAST, id NULLS FIRST) INCLUDE (note) WITH "
             "(fillfactor='70', deduplicate_items=off)");
  EXPECT_THAT(PgDump(conninfo_), HasSubstr("CREATE INDEX trigrams ON public.\"Peo ple\" USING gin (note "
                                           "extra.gin_trgm_ops) WITH (fastupdate='false')"));
}

TEST_F(CreateIndexTest, RowsThatCollideStopBeforeAnythingChanges) {
  setup_ =
      "UPDATE \"Peo ple\" SET note = CASE WHEN id IN (4, 9) THEN 'Same' ELSE id::text END;"
      "UPDATE \"Peo ple\" SET note = 'sAME' WHERE id = 9; UPDATE \"Peo ple\" SET age = NULL WHERE id < 3;"
      "UPDATE \"Peo ple\" SET age = id WHERE id > 2;";
  const std::string found = RunError(R"yaml(
  - create_index: {table: '"Peo ple"', name: u, unique: true, keys: [{expression: lower(note)}]}
)yaml");
  EXPECT_THAT(found, HasSubstr("share ((lower(note))), as u demands"));
  EXPECT_THAT(found, HasSubstr("(id)=(4)"));
  EXPECT_THAT(found, HasSubstr("(id)=(9)"));
  EXPECT_EQ(Query(conninfo_, "SELECT to_regclass('u')::text"), "");
  // NULLs collide only where the index says so.
  EXPECT_EQ(RunError("  - create_index: {table: '\"Peo ple\"', name: u, unique: true, columns: [age]}\n"),
            "");
  EXPECT_THAT(RunError("  - create_index: {table: '\"Peo ple\"', name: u, unique: true, columns: [age], "
                       "nulls_not_distinct: true}\n"),
              HasSubstr("(id)=(2)"));
  EXPECT_EQ(RunError("  - create_index: {table: '\"Peo ple\"', name: u, unique: true, columns: [age], "
                     "nulls_not_distinct: true, where: id > 1}\n"),
            "");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(CreateIndexTest, OnWhatThePlanAddsItIsBuiltWhenTheRowsAreFilled) {
  ExpectLife(R"yaml(
  - add_column: {table: '"Peo ple"', column: empty, type: 'varchar(9)'}
  - add_column: {table: '"Peo ple"', column: digits, type: text, up: "substr(\"Ph one\", 6)"}
  - create_index: {table: '"Peo ple"', name: u, unique: true, columns: [digits, empty]}
)yaml",
             "CREATE UNIQUE INDEX u ON public.\"Peo ple\" USING btree (digits, empty)");
  for (const v1::Step& step : compiled_.steps()) {
    if (!step.action().has_execute_sql_concurrently()) continue;
    EXPECT_EQ(step.phase(), v1::PHASE_CONSTRAIN);
  }
}

TEST_F(CreateIndexTest, OfAPartitionedTableItIsBuiltPartitionByPartition) {
  setup_ =
      "CREATE TABLE part (id int, k int, v text) PARTITION BY LIST (k);"
      "CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1);"
      "CREATE TABLE part2 PARTITION OF part FOR VALUES IN (2) PARTITION BY RANGE (id);"
      "CREATE TABLE part21 PARTITION OF part2 DEFAULT; INSERT INTO part SELECT g, 1 + g % 2, g FROM "
      "generate_series(1, 9) AS g;";
  ExpectLife(R"yaml(
  - create_index: {table: part, name: pi, keys: [{expression: (id + 1)}], where: id > 3}
  - create_index: {table: part, name: pu, unique: true, columns: [id, k], include: [v]}
)yaml",
             "CREATE UNIQUE INDEX pu ON ONLY public.part USING btree (id, k) INCLUDE (v)");
  EXPECT_THAT(Unpromised(), IsEmpty());
  for (const v1::Step& step : compiled_.steps()) {
    if (step.preflight()) continue;
    const v1::ExecuteSqlConcurrently& action = step.action().execute_sql_concurrently();
    EXPECT_EQ(action.statement(), "");
    EXPECT_EQ(action.partitioned().definition(), action.partitioned().unique()
                                                     ? "USING btree (id, k) INCLUDE (v)"
                                                     : "USING btree (((id + 1))) WHERE (id > 3)");
    EXPECT_TRUE(step.undo().execute_sql_concurrently().has_partitioned());
    EXPECT_EQ(step.undo().execute_sql_concurrently().table(), "public.part");
  }
  EXPECT_EQ(
      Refusal("  - create_index: {table: part, name: pu, unique: true, columns: [id]}\n"),
      "operations[0].create_index: unique index pu of public.part: the table is partitioned by LIST (k), "
      "and PostgreSQL keeps rows unique within each partition only, so that its columns have to hold k; "
      "add k to the columns");
  EXPECT_THAT(RunError("  - create_index: {table: part, name: pu, unique: true, columns: [k, v]}\n"),
              HasSubstr("hold every partition key below public.part: 1"));
}

TEST_F(CreateIndexTest, AForeignTableAmongThePartitionsStopsBeforeAnythingChanges) {
  setup_ =
      "CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;"
      "CREATE TABLE part (k int) PARTITION BY LIST (k); CREATE FOREIGN TABLE part1 PARTITION OF part FOR "
      "VALUES IN (1) SERVER files OPTIONS (filename '/dev/null');";
  EXPECT_THAT(RunError("  - create_index: {table: part, name: i, columns: [k]}\n"),
              HasSubstr("no partition of public.part is a foreign table"));
}

TEST_F(CreateIndexTest, WhatCannotBeIsRefusedWithTheWayOut) {
  const std::string on = "  - create_index: {table: '\"Peo ple\"', name: i, ";
  EXPECT_THAT(Refusal(on + "columns: [id], keys: [{column: id}]}\n"), HasSubstr("exactly one of `columns`"));
  EXPECT_THAT(Refusal(on + "method: btree}\n"), HasSubstr("exactly one of `columns`"));
  EXPECT_THAT(Refusal(on + "keys: [{column: id, expression: age + 1}]}\n"),
              HasSubstr("keys[0]: give exactly"));
  EXPECT_THAT(Refusal(on + "keys: [{column: id}, {expression: '1 + 1'}]}\n"), HasSubstr("names no column"));
  EXPECT_THAT(Refusal(on + "columns: [id], nulls_not_distinct: true}\n"), HasSubstr("add `unique: true`"));
  EXPECT_THAT(Refusal(on + "columns: [id], method: gin, unique: true}\n"), HasSubstr("cannot be unique"));
  EXPECT_THAT(Refusal(on + "keys: [{column: id, descending: true}], method: hash}\n"), HasSubstr("no order"));
  EXPECT_THAT(Refusal(on + "columns: [id], include: [age], method: brin}\n"), HasSubstr("cannot carry"));
  EXPECT_THAT(Refusal(on + "columns: [id], options: [{name: 'fill factor', value: x}]}\n"),
              HasSubstr("no storage parameter"));
  EXPECT_THAT(Refusal(on + "columns: [nothing]}\n"), HasSubstr("column nothing of table"));
  EXPECT_THAT(Refusal(on + "keys: [{expression: lower(nothing)}]}\n"), HasSubstr("column nothing of table"));
}

TEST_F(CreateIndexTest, ANameOfAnotherTableOfThePlanIsNoticed) {
  setup_ = "CREATE TABLE other (id int); CREATE INDEX taken ON other (id);";
  EXPECT_THAT(Refusal("  - drop_column: {table: other, column: id}\n"
                      "  - create_index: {table: '\"Peo ple\"', name: other, columns: [id]}\n"),
              HasSubstr("the name other is that of the table public.other"));
  // It is free in a later stage.
  EXPECT_EQ(RunError("  - drop_index: {table: other, name: taken}\n"
                     "  - create_index: {table: '\"Peo ple\"', name: taken, columns: [id]}\n"),
            "");
  EXPECT_EQ(compiled_.steps(compiled_.steps_size() - 1).stage(), 1);
  EXPECT_THAT(Unpromised(), IsEmpty());
}

}  // namespace
}  // namespace curlew::operations
