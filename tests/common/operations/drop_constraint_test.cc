#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class DropConstraintTest : public ::curlew::testing::OperationTest {
 protected:
  DropConstraintTest() {
    setup_ =
        "CREATE TABLE r (id int PRIMARY KEY, code int CONSTRAINT code_key UNIQUE, up int CONSTRAINT tree "
        "REFERENCES "
        "r (code)); INSERT INTO r SELECT g, g, 1 FROM generate_series(0, 100) AS g;"
        "ALTER TABLE \"Peo ple\" ADD CONSTRAINT \"ch ck\" CHECK (age < 100), ADD CONSTRAINT fk FOREIGN KEY "
        "(age) "
        "REFERENCES r (code), ADD CONSTRAINT uq UNIQUE (id, tenant), ADD CONSTRAINT ex EXCLUDE USING btree "
        "(id "
        "WITH =);";
  }
};

TEST_F(DropConstraintTest, EachKindGoesInTheLastPhase) {
  for (const char* name : {"ch ck", "fk", "uq", "ex"}) {
    SCOPED_TRACE(name);
    ExpectLife(absl::StrCat("  - drop_constraint: {table: '\"Peo ple\"', name: ", name, "}\n"),
               "people_tenant");
    EXPECT_THAT(Unpromised(), IsEmpty());
    EXPECT_EQ(
        Query(conninfo_, absl::StrCat("SELECT count(*) FROM pg_constraint WHERE conname = '", name, "'")),
        "0");
    const v1::Step& last = compiled_.steps(compiled_.steps_size() - 1);
    EXPECT_EQ(last.phase(), v1::PHASE_DROP);
    EXPECT_EQ(last.locks_size(), std::string(name) == "fk" ? 2 : 1);
  }
}

TEST_F(DropConstraintTest, WhatStandsOnItKeepsIt) {
  EXPECT_THAT(Refusal("  - drop_constraint: {table: r, name: r_pkey}\n"), HasSubstr("is the primary key"));
  EXPECT_THAT(Refusal("  - drop_constraint: {table: r, name: code_key}\n"),
              HasSubstr("foreign key fk of public.\"Peo ple\" stands on it"));
  EXPECT_THAT(Refusal("  - drop_constraint: {table: r, name: no}\n"),
              HasSubstr("there are: code_key, r_pkey, tree"));
  setup_ += "ALTER TABLE \"Peo ple\" REPLICA IDENTITY USING INDEX uq;";
  EXPECT_THAT(Refusal("  - drop_constraint: {table: '\"Peo ple\"', name: uq}\n"),
              HasSubstr("set_replica_identity"));
  EXPECT_THAT(Refusal("  - drop_constraint: {table: '\"Peo ple\"', name: fk}\n"
                      "  - drop_constraint: {table: r, name: code_key}\n"),
              HasSubstr("foreign key tree of public.r stands on it"));
  EXPECT_EQ(RunError("  - drop_constraint: {table: '\"Peo ple\"', name: fk}\n"
                     "  - drop_constraint: {table: r, name: tree}\n"
                     "  - drop_constraint: {table: r, name: code_key}\n"),
            "");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(DropConstraintTest, AnotherOneOfThatNameComesInALaterStage) {
  EXPECT_EQ(RunError("  - drop_constraint: {table: '\"Peo ple\"', name: ch ck}\n"
                     "  - add_check: {table: '\"Peo ple\"', name: ch ck, expression: age < 300}\n"),
            "");
  EXPECT_EQ(compiled_.steps(compiled_.steps_size() - 1).stage(), 1);
  EXPECT_THAT(PgDump(conninfo_), HasSubstr("CONSTRAINT \"ch ck\" CHECK ((age < 300))"));
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(DropConstraintTest, OfAPartitionedTableItGoesFromEachPartition) {
  setup_ =
      "CREATE TABLE r (id int PRIMARY KEY); CREATE TABLE part (k int CONSTRAINT c CHECK (k > 0) CONSTRAINT "
      "fk "
      "REFERENCES r CONSTRAINT u UNIQUE) PARTITION BY LIST (k); CREATE TABLE part1 PARTITION OF part FOR "
      "VALUES IN "
      "(1);";
  EXPECT_EQ(RunError("  - drop_constraint: {table: part, name: c}\n"
                     "  - drop_constraint: {table: part, name: fk}\n"
                     "  - drop_constraint: {table: part, name: u}\n"),
            "");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_EQ(
      Query(conninfo_, "SELECT count(*) FROM pg_constraint WHERE conrelid::regclass::text LIKE 'part%'"),
      "0");
}

}  // namespace
}  // namespace curlew::operations
