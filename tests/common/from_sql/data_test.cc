// UPDATE, DELETE, INSERT.
#include "tests/common/from_sql/converted.h"

namespace curlew::from_sql {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(DataTest, UpdateOfANewColumnFillsIt) {
  EXPECT_EQ(Yaml("ALTER TABLE t ADD a text; UPDATE t SET a = lower(t.b); ALTER TABLE t ALTER a SET NOT NULL"),
            "add_column:\n  table: public.t\n  column: a\n  type: text\n  up: lower(b)\n  not_null: true\n");
}

TEST(DataTest, UpdatesOfANewColumnBuildOnEachOther) {
  EXPECT_THAT(
      Yaml("ALTER TABLE t ADD a text DEFAULT 'x'; UPDATE t SET a = b WHERE c; UPDATE t SET a = a || '!'"),
      HasSubstr("(CAST(CASE WHEN c THEN b ELSE 'x' END AS text)) || '!'"));
}

TEST(DataTest, UpdateOfAColumnThatIsThereIsABackfill) {
  EXPECT_THAT(Names("UPDATE t SET a = 0 WHERE a IS NULL; ALTER TABLE t ALTER a SET NOT NULL"),
              ElementsAre("backfill", "set_not_null"));
}

TEST(DataTest, DeleteIsAPurge) {
  EXPECT_EQ(Yaml("DELETE FROM t AS x WHERE x.old"), "purge:\n  table: public.t\n  where: old\n");
}

TEST(DataTest, WhatLooksElsewhereIsSqlWithItsHazard) {
  const Conversion conversion = Converted("UPDATE t SET a = u.b FROM u WHERE u.id = t.u_id");
  EXPECT_THAT(Names(conversion), ElementsAre("sql drop"));
  EXPECT_THAT(conversion.plan.settings().acknowledge(), ElementsAre("unbatched-data"));
}

TEST(DataTest, RowsOfANewTableComeWithItAndGoWithIt) {
  const std::string script =
      "CREATE TABLE t (a int PRIMARY KEY); INSERT INTO t (a) VALUES (1); ALTER TABLE t ADD b int";
  EXPECT_THAT(Names(script), ElementsAre("create_table", "sql add", "add_column"));
  EXPECT_THAT(Yaml(script, 1), HasSubstr("down: DELETE FROM public.t\n"));
}

TEST(DataTest, ATemporaryTableKeepsItsStatementsTogether) {
  EXPECT_THAT(Names("CREATE TEMP TABLE k AS SELECT 1 AS a; INSERT INTO t (a) SELECT a FROM k; DROP TABLE k;"
                    "ALTER TABLE t ADD CHECK (a > 0)"),
              ElementsAre("sql drop", "add_check"));
}

TEST(DataTest, AQueryThatChangesNothingIsLeftOut) {
  const Conversion conversion = Converted("SELECT count(*) FROM t; ALTER TABLE t ADD a int");
  EXPECT_THAT(conversion.left_out,
              ElementsAre("test.sql:1: SELECT count(*) FROM t: a query changes nothing"));
}

}  // namespace
}  // namespace curlew::from_sql
