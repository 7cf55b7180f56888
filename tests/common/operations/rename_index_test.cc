#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"
#include "tests/support/plan_runner.h"
#include "tests/support/status_matchers.h"

namespace curlew::operations {
namespace {

using ::curlew::testing::IsOk;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RenameIndexTest : public ::curlew::testing::OperationTest {};

TEST_F(RenameIndexTest, OnlyTheCatalogueChanges) {
  ExpectLife("  - rename_index: {table: '\"Peo ple\"', name: people_tenant, to: 'ON \"it\"'}\n",
             "CREATE INDEX \"ON \"\"it\"\"\" ON public.\"Peo ple\" USING btree (tenant, note)");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(RenameIndexTest, TheUndoOfAStepThatDidNothingDoesNothing) {
  EXPECT_EQ(RunError("  - rename_index: {table: '\"Peo ple\"', name: people_tenant, to: other}\n"), "");
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Undo(), "");
    EXPECT_EQ(Query(conninfo_, "SELECT to_regclass('people_tenant')::text"), "people_tenant");
  }
}

TEST_F(RenameIndexTest, TheReplicaIdentityKeepsItsIndex) {
  setup_ =
      "CREATE UNIQUE INDEX ident ON \"Peo ple\" (id, tenant); ALTER TABLE \"Peo ple\" REPLICA IDENTITY USING "
      "INDEX ident;";
  EXPECT_EQ(RunError("  - rename_index: {table: '\"Peo ple\"', name: ident, to: other}\n"), "");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(RenameIndexTest, AnIndexOfAPartitionedTableIsRenamedAlone) {
  setup_ =
      "CREATE TABLE part (k int) PARTITION BY LIST (k); CREATE TABLE part1 PARTITION OF part FOR VALUES IN "
      "(1);"
      "CREATE INDEX pi ON part (k);";
  ExpectLife("  - rename_index: {table: part, name: pi, to: other}\n",
             "CREATE INDEX other ON ONLY public.part");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(RenameIndexTest, AnIndexThatTheStageChangesIsRenamedAfterIt) {
  EXPECT_EQ(RunError("  - rename_column: {table: '\"Peo ple\"', from: note, to: words}\n"
                     "  - rename_index: {table: '\"Peo ple\"', name: people_tenant, to: other}\n"
                     "  - create_index: {table: '\"Peo ple\"', name: people_tenant, columns: [age]}\n"),
            "");
  EXPECT_EQ(compiled_.steps(compiled_.steps_size() - 1).stage(), 2);
  EXPECT_EQ(Query(conninfo_, "SELECT pg_get_indexdef('other'::regclass)"),
            "CREATE INDEX other ON public.\"Peo ple\" USING btree (tenant, words)");
  EXPECT_EQ(Query(conninfo_, "SELECT pg_get_indexdef('people_tenant'::regclass)"),
            "CREATE INDEX people_tenant ON public.\"Peo ple\" USING btree (age)");
}

TEST_F(RenameIndexTest, WhatCannotBeIsRefusedWithTheWayOut) {
  setup_ = "CREATE TABLE other (id int); CREATE INDEX taken ON other (id);";
  const std::string on = "  - rename_index: {table: '\"Peo ple\"', ";
  EXPECT_THAT(Refusal(on + "name: 'Peo ple_pkey', to: x}\n"), HasSubstr("use rename_constraint"));
  EXPECT_THAT(Refusal(on + "name: people_tenant, to: 'Peo ple_pkey'}\n"), HasSubstr("choose another name"));
  EXPECT_THAT(Refusal(on + "name: people_tenant, to: 'Peo ple'}\n"), HasSubstr("that of the table"));
  EXPECT_THAT(Refusal(on + "name: x, to: y}\n"), HasSubstr("there are: \"Peo ple_pkey\", people_tenant"));
  EXPECT_THAT(Refusal(on + "name: x, to: x}\n"), HasSubstr("are the same"));
  EXPECT_THAT(RunError(on + "name: people_tenant, to: taken}\n"), HasSubstr("is named taken"));
}

}  // namespace
}  // namespace curlew::operations
