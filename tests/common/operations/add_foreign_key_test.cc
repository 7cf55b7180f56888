#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class AddForeignKeyTest : public ::curlew::testing::OperationTest {
 protected:
  AddForeignKeyTest() {
    setup_ =
        "CREATE SCHEMA far; CREATE TABLE far.\"Ten ants\" (id int PRIMARY KEY, code text, other int, UNIQUE "
        "(id, code)); INSERT INTO far.\"Ten ants\" SELECT g, 'n', g FROM generate_series(0, 100) AS g;";
  }
  // An operation on "Peo ple" that refers to far."Ten ants".
  static std::string Key(absl::string_view rest) {
    return absl::StrCat(
        "  - add_foreign_key: {table: '\"Peo ple\"', name: fk, references: 'far.\"Ten ants\"', ", rest,
        "}\n");
  }
};

TEST_F(AddForeignKeyTest, IsNotValidFirstAndThenValidated) {
  ExpectLife(Key("columns: [tenant]"),
             "ADD CONSTRAINT fk FOREIGN KEY (tenant) REFERENCES far.\"Ten ants\"(id);");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_THAT(compiled_.warnings(), IsEmpty());  // people_tenant begins with the column
  const v1::Step& add = compiled_.steps(compiled_.steps_size() - 2);
  ASSERT_EQ(add.locks_size(), 2);
  for (const v1::TableLock& lock : add.locks()) EXPECT_EQ(lock.mode(), "ShareRowExclusiveLock");
  EXPECT_EQ(add.locks(1).table(), "far.\"Ten ants\"");
}

TEST_F(AddForeignKeyTest, ActionsAndDeferralAreKept) {
  ExpectLife(Key("columns: [tenant, note], referenced_columns: [id, code], on_delete: cascade, on_update: "
                 "restrict, deferral: initially_deferred"),
             "ADD CONSTRAINT fk FOREIGN KEY (tenant, note) REFERENCES far.\"Ten ants\"(id, code) ON UPDATE "
             "RESTRICT ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(AddForeignKeyTest, RowsThatReferToNothingAreCountedAndNamedBeforeAnythingChanges) {
  setup_ +=
      "UPDATE \"Peo ple\" SET tenant = 900 WHERE id IN (3, 5); UPDATE \"Peo ple\" SET note = 'q' WHERE id = "
      "7;"
      "UPDATE \"Peo ple\" SET note = NULL WHERE id = 5;";
  std::string found = RunError(Key("columns: [tenant]"));
  EXPECT_THAT(found, HasSubstr("every (tenant) of public.\"Peo ple\" is a (id) of far.\"Ten ants\", as fk "
                               "demands: 2"));
  EXPECT_THAT(found, HasSubstr("(id)=(3)"));
  EXPECT_THAT(found, HasSubstr("(id)=(5)"));
  // A row that leaves one column NULL refers to nothing, and may.
  found = RunError(Key("columns: [tenant, note], referenced_columns: [id, code]"));
  EXPECT_THAT(found, HasSubstr("demands: 2"));
  EXPECT_THAT(found, HasSubstr("(id)=(7)"));
  EXPECT_THAT(found, Not(HasSubstr("(id)=(5)")));
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_constraint WHERE conname = 'fk'"), "0");
}

TEST_F(AddForeignKeyTest, ColumnsThatThePlanAddsAreLookedAtAsTheyWillBe) {
  ExpectLife("  - add_column: {table: '\"Peo ple\"', column: home, type: int, up: tenant + 1}\n" +
                 Key("columns: [home], on_delete: set_null"),
             "ADD CONSTRAINT fk FOREIGN KEY (home) REFERENCES far.\"Ten ants\"(id) ON DELETE SET NULL;");
  EXPECT_THAT(compiled_.warnings(), Contains(HasSubstr("no index that begins with (home)")));
  EXPECT_THAT(RunError("  - add_column: {table: '\"Peo ple\"', column: home, type: int, up: tenant * 100}\n" +
                       Key("columns: [home]")),
              HasSubstr("as fk demands: "));
  // Nothing fills it: all rows have NULL.
  EXPECT_EQ(
      RunError("  - add_column: {table: '\"Peo ple\"', column: home, type: int}\n" + Key("columns: [home]") +
               "  - create_index: {table: '\"Peo ple\"', name: i, columns: [home]}\n"),
      "");
  EXPECT_THAT(compiled_.warnings(), Not(Contains(HasSubstr("no index that begins"))));
}

TEST_F(AddForeignKeyTest, MayReferToItsOwnTable) {
  setup_ += "UPDATE \"Peo ple\" SET age = NULL WHERE age = 0;";
  ExpectLife(
      "  - add_foreign_key: {table: '\"Peo ple\"', name: tree, columns: [age], references: '\"Peo ple\"'}\n",
      "ADD CONSTRAINT tree FOREIGN KEY (age) REFERENCES public.\"Peo ple\"(id);");
}

TEST_F(AddForeignKeyTest, WhatAnEarlierOperationMakesUniqueCanBeReferredTo) {
  EXPECT_EQ(RunError("  - add_unique: {table: 'far.\"Ten ants\"', name: other_key, columns: [other]}\n" +
                     Key("columns: [tenant], referenced_columns: [other]")),
            "");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

// A key over several columns is one only as a whole.
TEST_F(AddForeignKeyTest, ACompositeKeyIsNotTakenByItsFirstColumn) {
  setup_ += "CREATE TABLE two (a int, b int, c int, PRIMARY KEY (a, b));";
  const std::string to_two = "  - add_foreign_key: {table: '\"Peo ple\"', name: fk, references: two, ";
  EXPECT_THAT(Refusal(to_two + "columns: [tenant]}\n"), HasSubstr("1 columns cannot refer to 2 (a, b)"));
  for (const char* columns :
       {"columns: [tenant], referenced_columns: [a]", "columns: [tenant, age], referenced_columns: [a, c]"}) {
    EXPECT_THAT(Refusal(absl::StrCat(to_two, columns, "}\n")), HasSubstr("nothing keeps (a"));
  }
  EXPECT_EQ(Refusal(to_two + "columns: [tenant, age], referenced_columns: [b, a]}\n"), "");
}

TEST_F(AddForeignKeyTest, AnIndexThatMakesNothingUniqueIsNotTakenForOne) {
  setup_ +=
      "CREATE TABLE r (a int, b int, c int, d int, e int); CREATE UNIQUE INDEX ra ON r (a); UPDATE pg_index "
      "SET "
      "indisvalid = false WHERE indexrelid = 'ra'::regclass; CREATE UNIQUE INDEX rb ON r (b) WHERE b > 0;"
      "ALTER TABLE r ADD UNIQUE (c) DEFERRABLE; CREATE UNIQUE INDEX rd ON r (abs(d)); CREATE INDEX re ON r "
      "(e);";
  for (const char* column : {"a", "b", "c", "d", "e"}) {
    EXPECT_THAT(
        Refusal(absl::StrCat("  - add_foreign_key: {table: '\"Peo ple\"', name: fk, references: r, columns: "
                             "[tenant], referenced_columns: [",
                             column, "]}\n")),
        HasSubstr(absl::StrCat("nothing keeps (", column, ") of public.r unique")));
  }
  EXPECT_THAT(
      Refusal("  - add_foreign_key: {table: '\"Peo ple\"', name: fk, references: r, columns: [tenant]}\n"),
      HasSubstr("public.r has no primary key; name the columns"));
}

TEST_F(AddForeignKeyTest, ActionsThatWouldFailEachTimeAreRefused) {
  EXPECT_THAT(
      Refusal(Key("columns: [tenant], on_delete: set_null")),
      HasSubstr("on_delete: foreign key fk would write column tenant of public.\"Peo ple\", which is NOT "
                "NULL, with NULL; use restrict or cascade"));
  EXPECT_THAT(Refusal(Key("columns: [tenant], on_update: set_default")),
              HasSubstr("give it a default first"));
  setup_ += "ALTER TABLE \"Peo ple\" ADD g int GENERATED ALWAYS AS (tenant) STORED;";
  EXPECT_THAT(Refusal(Key("columns: [g], on_update: cascade")), HasSubstr("which is generated"));
  EXPECT_EQ(Refusal(Key("columns: [g], on_delete: cascade")), "");
  EXPECT_THAT(Refusal(Key("columns: [nothing]")), HasSubstr("column nothing of table"));
  EXPECT_THAT(
      Refusal("  - add_foreign_key: {table: '\"Peo ple\"', name: fk, references: no, columns: [age]}\n"),
      HasSubstr("table public.no does not exist"));
}

// The type's operators live in a schema that is on nobody's path.
TEST_F(AddForeignKeyTest, EqualityIsThatOfTheType) {
  setup_ =
      "CREATE SCHEMA extra; CREATE EXTENSION citext SCHEMA extra; CREATE TABLE r (id extra.citext PRIMARY "
      "KEY);"
      "INSERT INTO r VALUES ('Abc'); CREATE TABLE t (a extra.citext); INSERT INTO t VALUES ('aBC');";
  EXPECT_EQ(RunError("  - add_foreign_key: {table: t, name: fk, references: r, columns: [a]}\n"), "");
}

TEST_F(AddForeignKeyTest, OfAPartitionedTableItIsMadePartitionByPartition) {
  setup_ +=
      "CREATE TABLE part (id int, k int, tenant int) PARTITION BY LIST (k);"
      "CREATE TABLE part1 PARTITION OF part FOR VALUES IN (1); CREATE TABLE far.part2 PARTITION OF part FOR "
      "VALUES IN (2) PARTITION BY RANGE (id); CREATE TABLE far.part21 PARTITION OF far.part2 DEFAULT;"
      "INSERT INTO part SELECT g, 1 + g % 2, g FROM generate_series(1, 90) AS g;";
  const std::string key =
      "  - add_foreign_key: {table: part, name: fk, references: 'far.\"Ten ants\"', columns: [tenant], "
      "on_delete: "
      "cascade, deferral: deferrable}\n";
  ExpectLife(
      key,
      "ADD CONSTRAINT fk FOREIGN KEY (tenant) REFERENCES far.\"Ten ants\"(id) ON DELETE CASCADE DEFERRABLE;");
  EXPECT_THAT(Unpromised(), IsEmpty());
  // One for the parent and one for each partition, all of them one constraint.
  EXPECT_EQ(Query(conninfo_,
                  "SELECT count(*) || ' ' || bool_and(convalidated) FROM pg_constraint WHERE conname = 'fk'"),
            "4 true");
  setup_ += "ALTER TABLE part1 ADD CONSTRAINT fk CHECK (k > 0);";
  EXPECT_THAT(RunError(key), HasSubstr("no partition of public.part has a constraint named fk: 1"));
}

TEST_F(AddForeignKeyTest, TheParentTakesThePartitionsKeysOverWithoutReadingThem) {
  setup_ +=
      "CREATE TABLE part (k int, tenant int) PARTITION BY LIST (k); CREATE TABLE part1 PARTITION OF part FOR "
      "VALUES IN (1); INSERT INTO part SELECT 1, g % 100 FROM generate_series(1, 1000) AS g;";
  EXPECT_EQ(RunError("  - add_foreign_key: {table: part, name: fk, references: 'far.\"Ten ants\"', columns: "
                     "[tenant]}\n"),
            "");
  EXPECT_EQ(Undo(), "");
  const v1::Step& last = compiled_.steps(compiled_.steps_size() - 1);
  ASSERT_EQ(last.action().execute_sql().statements_size(), 1);
  const std::string scans =
      "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables "
      "WHERE relname LIKE 'part%'";
  const std::string add = last.action().execute_sql().statements(0);
  // By itself the statement reads the rows; with keys of the partitions that are valid it does not.
  EXPECT_NE(Query(conninfo_, absl::StrCat("BEGIN; ", add, "; ", scans)), "0");
  Query(conninfo_,
        "ALTER TABLE part1 ADD CONSTRAINT fk FOREIGN KEY (tenant) REFERENCES far.\"Ten ants\"(id)");
  EXPECT_EQ(Query(conninfo_, absl::StrCat("BEGIN; ", add, "; ", scans)), "0");
}

TEST_F(AddForeignKeyTest, APartitionedTableCanBeReferredTo) {
  setup_ +=
      "CREATE TABLE p (id int PRIMARY KEY) PARTITION BY HASH (id); CREATE TABLE p0 PARTITION OF p FOR VALUES "
      "WITH "
      "(MODULUS 2, REMAINDER 0); CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);"
      "INSERT INTO p SELECT g FROM generate_series(0, 10) AS g;";
  ExpectLife("  - add_foreign_key: {table: '\"Peo ple\"', name: fk, references: p, columns: [tenant]}\n",
             "ADD CONSTRAINT fk FOREIGN KEY (tenant) REFERENCES public.p(id);");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

}  // namespace
}  // namespace curlew::operations
