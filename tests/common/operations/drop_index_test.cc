#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class DropIndexTest : public ::curlew::testing::OperationTest {};

TEST_F(DropIndexTest, GoesConcurrentlyInTheLastPhase) {
  setup_ = "CREATE INDEX \"go ne\" ON \"Peo ple\" (age);";
  ExpectLife("  - drop_index: {table: '\"Peo ple\"', name: go ne}\n", "people_tenant");
  EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("go ne")));
  EXPECT_THAT(Unpromised(), IsEmpty());
  ASSERT_EQ(compiled_.steps_size(), 1);
  EXPECT_EQ(compiled_.steps(0).phase(), v1::PHASE_DROP);
  EXPECT_EQ(compiled_.steps(0).action().execute_sql_concurrently().statement(),
            "DROP INDEX CONCURRENTLY IF EXISTS public.\"go ne\"");
  EXPECT_FALSE(compiled_.steps(0).has_undo());
}

TEST_F(DropIndexTest, OfAPartitionedTableItGoesWithItsParts) {
  setup_ =
      "CREATE TABLE part (k int) PARTITION BY LIST (k); CREATE TABLE part1 PARTITION OF part FOR VALUES IN "
      "(1);"
      "CREATE INDEX pi ON part (k);";
  EXPECT_EQ(RunError("  - drop_index: {table: part, name: pi}\n"), "");
  EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("INDEX pi")));
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_EQ(compiled_.steps(0).locks(0).mode(), "AccessExclusiveLock");
}

TEST_F(DropIndexTest, WhatStandsOnItKeepsIt) {
  setup_ =
      "CREATE TABLE ref (id int PRIMARY KEY, code int NOT NULL, far int); CREATE UNIQUE INDEX code ON ref "
      "(code);"
      "CREATE UNIQUE INDEX ident ON ref (code, id); ALTER TABLE ref REPLICA IDENTITY USING INDEX ident;"
      "ALTER TABLE \"Peo ple\" ADD CONSTRAINT fk FOREIGN KEY (age) REFERENCES ref (code) NOT VALID;"
      "ALTER TABLE ref ALTER id SET NOT NULL;";
  EXPECT_THAT(Refusal("  - drop_index: {table: ref, name: ref_pkey}\n"),
              HasSubstr("belongs to the primary key"));
  EXPECT_THAT(Refusal("  - drop_index: {table: ref, name: ident}\n"), HasSubstr("set_replica_identity"));
  EXPECT_THAT(Refusal("  - drop_index: {table: ref, name: code}\n"),
              HasSubstr("foreign key fk of public.\"Peo ple\" stands on it; drop that foreign key first"));
  EXPECT_THAT(Refusal("  - drop_index: {table: ref, name: none}\n"), HasSubstr("there are: code, ident"));
  EXPECT_EQ(RunError("  - drop_constraint: {table: '\"Peo ple\"', name: fk}\n"
                     "  - drop_index: {table: ref, name: code}\n"),
            "");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_THAT(compiled_.warnings(), ElementsAre(HasSubstr("nothing keeps the rows")));
}

// Of two indexes over the same columns a foreign key stands on one, and only the catalogue knows which.
TEST_F(DropIndexTest, OfTwoThatAreAlikeTheOneThatIsNotNeededGoes) {
  setup_ =
      "CREATE TABLE ref (code int); CREATE UNIQUE INDEX a ON ref (code); "
      "ALTER TABLE \"Peo ple\" ADD CONSTRAINT fk FOREIGN KEY (age) REFERENCES ref (code) NOT VALID;"
      "CREATE UNIQUE INDEX b ON ref (code);";
  EXPECT_THAT(RunError("  - drop_index: {table: ref, name: a}\n"),
              HasSubstr("no foreign key stands on index a of public.ref: 1"));
  EXPECT_EQ(RunError("  - drop_index: {table: ref, name: b}\n"), "");
}

TEST_F(DropIndexTest, WhatThePlanMakesGoesInALaterStage) {
  EXPECT_EQ(RunError("  - create_index: {table: '\"Peo ple\"', name: i, columns: [age]}\n"
                     "  - drop_index: {table: '\"Peo ple\"', name: i}\n"),
            "");
  EXPECT_EQ(compiled_.steps(compiled_.steps_size() - 1).stage(), 1);
  EXPECT_THAT(Unpromised(), IsEmpty());
}

}  // namespace
}  // namespace curlew::operations
