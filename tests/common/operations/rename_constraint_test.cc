#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RenameConstraintTest : public ::curlew::testing::OperationTest {
 protected:
  RenameConstraintTest() {
    setup_ =
        "CREATE TABLE r (id int PRIMARY KEY); INSERT INTO r SELECT generate_series(0, 100);"
        "ALTER TABLE \"Peo ple\" ADD CONSTRAINT ch CHECK (age < 100), ADD CONSTRAINT fk FOREIGN KEY (age) "
        "REFERENCES "
        "r, ADD CONSTRAINT uq UNIQUE (id, tenant), ADD CONSTRAINT ex EXCLUDE USING btree (id WITH =);"
        "ALTER TABLE \"Peo ple\" REPLICA IDENTITY USING INDEX uq;";
  }
  static std::string Rename(absl::string_view from, absl::string_view to) {
    return absl::StrCat("  - rename_constraint: {table: '\"Peo ple\"', name: ", from, ", to: ", to, "}\n");
  }
};

TEST_F(RenameConstraintTest, EachKindGetsItsNameAndLosesItInTheUndo) {
  for (const char* name : {"ch", "fk", "uq", "ex", "Peo ple_pkey"}) {
    SCOPED_TRACE(name);
    ExpectLife(Rename(name, "'It''s \\ \"new\" $body$'"), "CONSTRAINT \"It's \\ \"\"new\"\" $body$\"");
  }
}

TEST_F(RenameConstraintTest, ThePromiseHoldsForTheIndexAndTheReplicaIdentity) {
  EXPECT_EQ(RunError(Rename("uq", "uq2") + Rename("ch", "ch2") + Rename("fk", "fk2") + Rename("ex", "ex2") +
                     "  - drop_constraint: {table: '\"Peo ple\"', name: ex2}\n"),
            "");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(RenameConstraintTest, TheUndoOfAStepThatDidNothingDoesNothing) {
  for (const char* name : {"ch", "uq"}) {
    EXPECT_EQ(RunError(Rename(name, "other")), "");
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(Undo(), "");
      EXPECT_EQ(
          Query(conninfo_, absl::StrCat("SELECT count(*) FROM pg_constraint WHERE conname = '", name, "'")),
          "1");
    }
  }
}

TEST_F(RenameConstraintTest, OfAPartitionedTableTheChecksOfThePartitionsFollow) {
  setup_ =
      "CREATE TABLE part (k int CONSTRAINT c CHECK (k > 0)) PARTITION BY LIST (k); CREATE TABLE part1 "
      "PARTITION OF "
      "part FOR VALUES IN (1); ALTER TABLE part1 ADD CONSTRAINT own CHECK (k < 5);";
  ExpectLife("  - rename_constraint: {table: part, name: c, to: d}\n", "CONSTRAINT d CHECK ((k > 0))");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_THAT(RunError("  - rename_constraint: {table: part, name: c, to: own}\n"),
              HasSubstr("no partition of public.part has a constraint named own"));
}

TEST_F(RenameConstraintTest, WhatCannotBeIsRefusedWithTheWayOut) {
  EXPECT_THAT(Refusal(Rename("ch", "fk")), HasSubstr("choose another name"));
  EXPECT_THAT(Refusal(Rename("ch", "ch")), HasSubstr("are the same"));
  EXPECT_THAT(Refusal(Rename("no", "x")), HasSubstr("there are: \"Peo ple_pkey\", ch, ex, fk, uq"));
  EXPECT_THAT(RunError(Rename("uq", "r")), HasSubstr("is named r"));
}

}  // namespace
}  // namespace curlew::operations
