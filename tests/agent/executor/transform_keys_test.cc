// The keys, names and partitions that transforms walk by.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/agent/executor/transform_test.h"

namespace curlew::agent {
namespace {

using ::testing::HasSubstr;

TEST_F(TransformTest, WalksByTextsOfAnyKindAndTellsThemApart) {
  Prepare(R"sql(
CREATE TABLE src (a text, b text, v int, PRIMARY KEY (b, a));
INSERT INTO src SELECT o.w, i.w || g, 1 FROM generate_series(1, 30) g,
  unnest(ARRAY['', 'NULL', 'null', 'it''s', '{"x"}', '{', '}', 'a,b', ',', '"', '""', E'back\\slash', E'\\', ' ',
               'ü', E'line\nfeed', '$1', '(1,2)']) AS o (w),
  unnest(ARRAY['', 'NULL', E'\\"', ',', '{}', '''']) AS i (w);
INSERT INTO src VALUES ('', '', 1), ('NULL', '', 1), ('', 'NULL', 1);
CREATE TABLE dst (a text, b text);
)sql");
  HeldTransaction application(conninfo_, "crm-web",
                              "SELECT FROM src WHERE b IN ('', E'\\\\\"1', ',2', '{}3') FOR UPDATE");
  Outcome outcome;
  std::thread attempt([&] {
    outcome = Transform(WithKey(Copy("INSERT INTO dst SELECT a, b FROM batch"), {"b", "a"}));
  });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  application.Commit();
  attempt.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Written("(a, b)"), "3243 rows, 3243 ids");
  EXPECT_EQ(Sql("SELECT count(*) FROM src JOIN dst USING (a, b)"), "3243");
}

TEST_F(TransformTest, WalksByUuids) {
  Prepare(R"sql(
CREATE TABLE src (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), v text);
INSERT INTO src (v) SELECT 'v' || g FROM generate_series(1, 20000) g;
CREATE TABLE dst (id uuid, v text);
)sql");
  Workers(2);
  EXPECT_TRUE(Crash("backfill.before_commit", 4, "transform-1", Copy()));
  ASSERT_EQ(Transform(Copy()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Written(), "20000 rows, 20000 ids");
}

constexpr char kExtension[] = R"sql(
CREATE SCHEMA "Ext";
CREATE EXTENSION citext SCHEMA "Ext";
CREATE TABLE src (n int NOT NULL, id "Ext".citext, v text, PRIMARY KEY (id), UNIQUE (n, id));
INSERT INTO src SELECT g % 3, CASE WHEN g % 2 = 0 THEN 'k' ELSE 'K' END || md5(g::text), 'v'
FROM generate_series(1, 1500) g;
CREATE TABLE dst (id text, v text);
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, "Ext"', current_database()); END $$;
)sql";

// Type and operators of an extension are found although its schema is in the search_path of sessions only;
// those of text, which would be taken in their place, have another order.
TEST_F(TransformTest, WalksByATypeOfAnExtensionInASchemaOfItsOwn) {
  Prepare(kExtension);
  ASSERT_EQ(Transform(Copy()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Written(), "1500 rows, 1500 ids");
}

TEST_F(TransformTest, WalksBySuchATypeBesideAnother) {
  Prepare(kExtension);
  HeldTransaction application(conninfo_, "crm-web", "SELECT FROM src WHERE v = 'v' LIMIT 1 FOR UPDATE");
  Outcome outcome;
  std::thread attempt([&] { outcome = Transform(WithKey(Copy(), {"n", "id"})); });
  EXPECT_TRUE(progress_.AwaitWaiting("crm-web"));
  application.Commit();
  attempt.join();
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Written(), "1500 rows, 1500 ids");
  // The same where the operators of both are found by name, which has an index.
  Sql("TRUNCATE dst");
  v1::Action action = WithKey(Copy(), {"n", "id"});
  action.mutable_transform_rows()->set_search_path("pg_catalog, public, \"Ext\"");
  outcome = Transform(action, "transform-2");
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Written(), "1500 rows, 1500 ids");
}

TEST_F(TransformTest, TheKeyThatThePlanNamesIsWalked) {
  Prepare(R"sql(
CREATE TABLE src (id int PRIMARY KEY, v text NOT NULL, "No" int NOT NULL UNIQUE DEFERRABLE);
INSERT INTO src SELECT g, 'v' || g, 10001 - g FROM generate_series(1, 10000) g;
CREATE TABLE dst (id int, v text);
)sql");
  // Behind the walk by "No", which would be ahead of one by id.
  AtBatch("backfill.after_commit", 1, [&] { Sql("DELETE FROM src WHERE id > 9990"); });
  ASSERT_EQ(Transform(WithKey(Copy(), {"\"No\""})).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Written(), "10000 rows, 10000 ids");
}

TEST_F(TransformTest, AKeyThatHasGoneIsToldWithWhatToDo) {
  Prepare(
      "CREATE TABLE src (id int PRIMARY KEY, v text); CREATE TABLE dst (id int, v text);"
      "INSERT INTO src VALUES (1, 'v')");
  const Outcome outcome = Transform(WithKey(Copy(), {"v"}));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("no valid unique index over (v)"));
  EXPECT_THAT(outcome.error.hint(), HasSubstr("resume"));
}

TEST_F(TransformTest, AcceptsHostileNames) {
  Prepare(R"sql(
CREATE SCHEMA "S""x";
CREATE TABLE "S""x"."Weird ""Name'; --" ("a b" int, "select" text, "place" text, "t" int, "l" int,
  PRIMARY KEY ("a b", "select"));
INSERT INTO "S""x"."Weird ""Name'; --" SELECT g, 'x ' || g, 'p', 1, 2 FROM generate_series(1, 500) g;
CREATE TABLE "S""x".batch (id int, v text, place text);
CREATE VIEW dst AS SELECT * FROM "S""x".batch;
)sql");
  v1::Action action = WithKey(
      Copy("INSERT INTO \"S\"\"x\".batch SELECT \"a b\", \"select\", \"place\" FROM batch WHERE t < l",
           "t.\"place\" = 'p'"),
      {"\"a b\"", "\"select\""});
  action.mutable_transform_rows()->set_table("\"S\"\"x\".\"Weird \"\"Name'; --\"");
  const Outcome outcome = Transform(action);
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(Written(), "500 rows, 500 ids");
}

TEST_F(TransformTest, PartitionsAreWalkedOneByOneAndHaveTheColumnsOfTheirTable) {
  Prepare(R"sql(
CREATE TABLE src (gone int, id int, v text, w text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
ALTER TABLE src DROP COLUMN gone;
CREATE TABLE low PARTITION OF src FOR VALUES FROM (0) TO (5000);
CREATE TABLE high (w text, other int, id int NOT NULL, v text);
ALTER TABLE high DROP COLUMN other;
ALTER TABLE src ATTACH PARTITION high FOR VALUES FROM (5000) TO (20000);
INSERT INTO src SELECT g, 'v' || g, 'w' || g FROM generate_series(1, 9999) g;
CREATE TABLE dst (id int, v text, w text);
)sql");
  Workers(2);
  EXPECT_TRUE(Crash("backfill.after_commit", 3, "transform-1", Copy("INSERT INTO dst SELECT * FROM batch")));
  const Outcome outcome = Transform(Copy("INSERT INTO dst SELECT * FROM batch"));
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.rows, 9999);
  EXPECT_EQ(Written(), "9999 rows, 9999 ids");
  EXPECT_EQ(Sql("SELECT count(*) FROM src JOIN dst USING (id, v, w)"), "9999");
}

TEST_F(TransformTest, APartitionThatIsAttachedMeanwhileIsWalkedToo) {
  Prepare(R"sql(
CREATE TABLE src (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF src FOR VALUES FROM (0) TO (5000);
INSERT INTO src SELECT g, 'v' FROM generate_series(1, 4999) g;
CREATE TABLE high (LIKE src INCLUDING INDEXES);
INSERT INTO high SELECT g, 'v' FROM generate_series(5000, 6000) g;
CREATE TABLE dst (id int, v text);
)sql");
  AtBatch("backfill.after_commit", 1,
          [&] { Sql("ALTER TABLE src ATTACH PARTITION high FOR VALUES FROM (5000) TO (20000)"); });
  ASSERT_EQ(Transform(Copy()).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_EQ(Written(), "6000 rows, 6000 ids");
}

}  // namespace
}  // namespace curlew::agent
