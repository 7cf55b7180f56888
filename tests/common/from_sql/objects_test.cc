// Types, views, functions, triggers, access, sessions.
#include "tests/common/from_sql/converted.h"

namespace curlew::from_sql {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kDance[] = R"(
ALTER TYPE mood RENAME TO mood_old;
CREATE TYPE mood AS ENUM ('a', 'b', 'c');
ALTER TABLE t ALTER m TYPE mood USING m::text::mood;
DROP TYPE mood_old;)";

TEST(ObjectsTest, AnEnumDanceIsANewTypeThatGetsTheName) {
  EXPECT_THAT(Names(kDance), ElementsAre("create_enum", "change_type", "drop_type", "sql drop"));
  EXPECT_THAT(Yaml(kDance, 3), HasSubstr("up: ALTER TYPE public.mood_new RENAME TO mood\n"));
}

TEST(ObjectsTest, AnEnumDanceThatOnlyAddsIsAddEnumValue) {
  v1::Schema schema;
  v1::EnumType* mood = schema.add_enums();
  mood->set_name("public.mood");
  mood->add_labels("a");
  mood->add_labels("c");
  v1::Table* table = schema.add_tables();
  table->set_schema("public");
  table->set_name("t");
  v1::Column* column = table->add_columns();
  column->set_name("m");
  column->set_type("mood");
  const Conversion conversion = Converted(kDance, &schema);
  EXPECT_THAT(Names(conversion), ElementsAre("add_enum_value"));
  EXPECT_EQ(conversion.plan.operations(0).add_enum_value().after(), "a");
}

TEST(ObjectsTest, AViewThatGoesAndComesIsOneTransaction) {
  EXPECT_THAT(Names("DROP VIEW v; CREATE VIEW v AS SELECT a FROM t"), ElementsAre("sql drop"));
}

TEST(ObjectsTest, AViewAroundAChangeComesAgainAtOnce) {
  EXPECT_THAT(Names("DROP VIEW v; ALTER TABLE t ALTER a TYPE bigint; CREATE VIEW v AS SELECT a FROM t"),
              ElementsAre("drop_view", "change_type", "sql drop"));
}

TEST(ObjectsTest, ATriggerThatGoesAndComesIsReplaced) {
  const std::string script =
      "DROP TRIGGER IF EXISTS g ON t; CREATE TRIGGER g AFTER INSERT ON t EXECUTE FUNCTION f()";
  EXPECT_THAT(Names(script), ElementsAre("create_trigger"));
  EXPECT_THAT(Yaml(script), HasSubstr("CREATE OR REPLACE TRIGGER g"));
}

TEST(ObjectsTest, AFunctionOverANewViewWaitsForIt) {
  EXPECT_THAT(Names("CREATE VIEW v AS SELECT a FROM t;"
                    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT max(a) FROM v'"),
              ElementsAre("create_view", "sql constrain"));
}

TEST(ObjectsTest, ADoBlockThatOnlyWrapsIsItsStatement) {
  EXPECT_THAT(
      Names("DO $$ BEGIN CREATE TYPE m AS ENUM ('a'); EXCEPTION WHEN duplicate_object THEN NULL; END $$"),
      ElementsAre("create_enum"));
}

TEST(ObjectsTest, AnotherDoBlockMayReachAnything) {
  EXPECT_THAT(Names("ALTER TABLE t ADD a int; DO $$ BEGIN PERFORM f(); END $$; ALTER TABLE t ADD b int"),
              ElementsAre("add_column", "sql drop", "sql drop"));
}

TEST(ObjectsTest, ForceBelongsToEnable) {
  EXPECT_THAT(Yaml("ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY"),
              HasSubstr("state: forced\n"));
}

TEST(ObjectsTest, TheSearchPathOfTheScriptHolds) {
  EXPECT_THAT(Yaml("SET search_path = crm; ALTER TABLE t ADD a int"), HasSubstr("table: crm.t\n"));
  EXPECT_THAT(Yaml("SET search_path = crm; CREATE VIEW v AS SELECT a FROM t"),
              HasSubstr("set_config('search_path', 'crm', true)"));
}

TEST(ObjectsTest, TransactionsAndSettingsAreLeftOut) {
  EXPECT_THAT(Names("BEGIN; SET lock_timeout = '1s'; ALTER TABLE t ADD a int; COMMIT"),
              ElementsAre("add_column"));
}

TEST(ObjectsTest, RolesCopyAndMistakesAreRefusedWithTheirPlace) {
  EXPECT_THAT(Refusal("SELECT 1;\nSET ROLE x;"), HasSubstr("test.sql:2:1: SET role"));
  EXPECT_THAT(Refusal("ALTER TABLE t ADD a int;\nCOPY t FROM STDIN;\n1\n\\.\n"),
              HasSubstr("test.sql:2:1: COPY"));
  EXPECT_THAT(Refusal("ALTER TABLE t ADD a int;\nALTER TABEL t ADD b int;"), HasSubstr("test.sql:2:"));
  EXPECT_THAT(Refusal("\\d t\n"), HasSubstr("test.sql:1:1: "));
  EXPECT_THAT(Refusal("SELECT 1;"), HasSubstr("nothing in it changes the database"));
}

TEST(ObjectsTest, TheYamlReadsBackAsThePlan) {
  const Conversion conversion =
      Converted("ALTER TABLE a RENAME TO \"b: c # d\";\nINSERT INTO t (x) VALUES ('é\n');");
  const auto plan = plan::ReadPlan(ToYaml(conversion), "p.yaml");
  ASSERT_TRUE(plan.ok()) << plan.status() << ToYaml(conversion);
  EXPECT_EQ(plan::Digest(*plan), plan::Digest(conversion.plan));
}

TEST(ObjectsTest, OneStatementGivesItsOperationOrNothing) {
  EXPECT_EQ(OperationFor("CREATE INDEX i ON t (a)"),
            "- create_index:\n    table: public.t\n    name: i\n    columns:\n      - a\n");
  EXPECT_EQ(OperationFor("ALTER TABLE a RENAME TO b"), "");
  EXPECT_EQ(OperationFor("ALTER TABEL"), "");
}

}  // namespace
}  // namespace curlew::from_sql
