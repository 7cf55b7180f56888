#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DropTableTest : public ::curlew::testing::OperationTest {};

TEST_F(DropTableTest, WaitsUntilNobodyNamesItAndLocksWhatItReferences) {
  setup_ = R"sql(
    CREATE TABLE child (id bigint PRIMARY KEY, person bigint REFERENCES "Peo ple", parent bigint REFERENCES child,
                        twice bigint GENERATED ALWAYS AS (id * 2) STORED, CHECK (id > 0));
    ALTER TABLE child ADD COLUMN s serial;
    CREATE POLICY p ON child USING (id > 0);)sql";
  ExpectLife("  - drop_table: {table: child}\n", "CREATE TABLE public.\"Peo ple\"");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_class WHERE relname LIKE 'child%'"), "0");
  EXPECT_THAT(Unpromised(), IsEmpty());
  const v1::Step& wait = compiled_.steps(compiled_.steps_size() - 2);
  EXPECT_EQ(wait.action().wait().shape_unused().uses(0).table(), "public.child");
  const v1::Step& drop = compiled_.steps(compiled_.steps_size() - 1);
  ASSERT_EQ(drop.locks_size(), 2);
  EXPECT_EQ(drop.locks(1).table(), "public.\"Peo ple\"");
  EXPECT_EQ(drop.locks(1).mode(), "AccessExclusiveLock");
  EXPECT_FALSE(drop.has_undo());
}

TEST_F(DropTableTest, DropsAPartitionedTableWithItsPartitions) {
  setup_ = R"sql(
    CREATE TABLE parts (id int) PARTITION BY LIST (id);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
    CREATE INDEX ON parts (id);)sql";
  ExpectLife("  - drop_table: {table: parts}\n", "CREATE TABLE public.\"Peo ple\"");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_class WHERE relname LIKE 'parts%'"), "0");
}

TEST_F(DropTableTest, DropsWhatReferencesItBefore) {
  setup_ = R"sql(CREATE TABLE child (person bigint REFERENCES "Peo ple");)sql";
  ExpectLife("  - drop_table: {table: child}\n  - drop_table: {table: '\"Peo ple\"'}\n", "");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"),
            "0");
}

TEST_F(DropTableTest, NamesWhatStandsOnIt) {
  const std::string plan = "  - drop_table: {table: '\"Peo ple\"'}\n";
  setup_ = R"sql(CREATE TABLE child (person bigint REFERENCES "Peo ple");)sql";
  EXPECT_THAT(Refusal(plan), HasSubstr("foreign key child_person_fkey of public.child references it"));
  setup_ = R"sql(CREATE VIEW "V iew" AS SELECT age FROM "Peo ple";)sql";
  EXPECT_THAT(Refusal(plan), HasSubstr("view public.\"V iew\" depends on it"));
  EXPECT_THAT(Refusal("  - drop_table: {table: nowhere}\n"), HasSubstr("does not exist"));
  EXPECT_THAT(
      Refusal("  - create_table: {table: n, columns: [{name: a, type: int}]}\n  - drop_table: {table: n}\n"),
      HasSubstr("created by this very plan"));
}

TEST_F(DropTableTest, LooksForWhatTheSnapshotDoesNotHold) {
  const std::string plan = "  - drop_table: {table: '\"Peo ple\"'}\n";
  for (const char* user :
       {"CREATE VIEW v AS SELECT p FROM \"Peo ple\" p;",
        "CREATE FUNCTION f(\"Peo ple\") RETURNS int LANGUAGE sql AS 'SELECT 1';",
        "CREATE TABLE kept (row \"Peo ple\"[]);", "CREATE TABLE heir () INHERITS (\"Peo ple\");"}) {
    setup_ = user;
    EXPECT_THAT(RunError(plan), HasSubstr("nothing uses table public.\"Peo ple\"")) << user;
  }
}

}  // namespace
}  // namespace curlew::operations
