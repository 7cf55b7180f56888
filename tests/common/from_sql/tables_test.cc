// CREATE TABLE, ALTER TABLE and indexes.
#include "tests/common/from_sql/converted.h"

namespace curlew::from_sql {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(TablesTest, EachPartOfAnAlterIsAnOperation) {
  EXPECT_THAT(Names("ALTER TABLE t ADD a int, DROP COLUMN b, ALTER c SET DEFAULT 1, ADD CHECK (d > 0)"),
              ElementsAre("drop_column", "add_column", "set_default", "add_check"));
}

TEST(TablesTest, ASerialColumnIsASequenceWithAnOwner) {
  EXPECT_THAT(Names("CREATE TABLE t (id serial PRIMARY KEY)"),
              ElementsAre("create_sequence", "create_table", "sql add"));
}

TEST(TablesTest, ConstraintsGetTheNamesOfPostgresql) {
  const std::string script =
      "CREATE TABLE t (a int UNIQUE, b int CHECK (b > 0), c int REFERENCES o, UNIQUE (a, b), CHECK (a > b))";
  const std::string yaml = ToYaml(Converted(script));
  for (const char* name : {"t_a_key", "t_b_check", "t_c_fkey", "t_a_b_key", "t_check"}) {
    EXPECT_THAT(yaml, HasSubstr(std::string("name: ") + name + "\n"));
  }
}

TEST(TablesTest, APrimaryKeyOfAnotherNameIsRenamed) {
  EXPECT_THAT(Names("CREATE TABLE t (id int, CONSTRAINT pk_t PRIMARY KEY (id))"),
              ElementsAre("create_table", "rename_constraint"));
}

TEST(TablesTest, APrimaryKeyThatComesLaterBelongsToTheNewTable) {
  EXPECT_THAT(
      Names("CREATE TABLE t (id int NOT NULL); ALTER TABLE ONLY t ADD CONSTRAINT t_pkey PRIMARY KEY (id)"),
      ElementsAre("create_table"));
}

TEST(TablesTest, NotValidWaitsForItsValidation) {
  EXPECT_THAT(Names("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID"), ElementsAre("sql add"));
  EXPECT_THAT(
      Names("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c"),
      ElementsAre("add_check"));
}

TEST(TablesTest, ADefaultThatOnlyFillsIsTheValueOfTheRows) {
  EXPECT_EQ(Yaml("ALTER TABLE t ADD a bool DEFAULT false NOT NULL; ALTER TABLE t ALTER a DROP DEFAULT"),
            "add_column:\n  table: public.t\n  column: a\n  type: bool\n  up: \"false\"\n  not_null: true\n");
}

TEST(TablesTest, ADefaultIsCarriedUntilTheNewTypeHasItsOwn) {
  EXPECT_THAT(
      Names("ALTER TABLE t ALTER a DROP DEFAULT, ALTER a TYPE e USING a::text::e, ALTER a SET DEFAULT 'x'"),
      ElementsAre("change_type", "set_default"));
}

TEST(TablesTest, UniqueUsingAnIndexOfTheScriptIsOneOperation) {
  EXPECT_THAT(
      Names(
          "CREATE UNIQUE INDEX CONCURRENTLY i ON t (a); ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i"),
      ElementsAre("add_unique"));
}

TEST(TablesTest, AnIndexWithoutANameGetsPostgresqls) {
  EXPECT_THAT(Yaml("CREATE INDEX ON t (lower(a), b) INCLUDE (c)"), HasSubstr("name: t_lower_b_c_idx\n"));
  EXPECT_THAT(Yaml("CREATE INDEX ON t (a); CREATE INDEX ON t (a)", 1), HasSubstr("name: t_a_idx1\n"));
}

TEST(TablesTest, PartitioningIsSql) {
  EXPECT_THAT(
      Names("CREATE TABLE p (a int) PARTITION BY LIST (a); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)"),
      ElementsAre("sql add", "sql add"));
}

TEST(TablesTest, APrimaryKeysChangeIsSqlBehindTheGate) {
  EXPECT_THAT(Names("ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (a)"),
              ElementsAre("sql drop", "sql drop"));
}

// Applications would feel it: it waits for the gate, though it could be undone.
TEST(TablesTest, WhatFollowsARenamedTableIsSqlToo) {
  EXPECT_THAT(Names("ALTER TABLE a RENAME TO b; ALTER TABLE b ADD c int; ALTER TABLE other ADD c int"),
              ElementsAre("sql drop", "sql drop", "add_column"));
}

TEST(TablesTest, AnIndexOfAnUnknownTableIsRenamedAfterWhatMayCarryIt) {
  EXPECT_THAT(Names("ALTER TABLE t RENAME a TO b; ALTER INDEX t_a RENAME TO t_b"),
              ElementsAre("rename_column", "sql drop"));
}

}  // namespace
}  // namespace curlew::from_sql
