#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CreateViewTest : public ::curlew::testing::OperationTest {};

TEST_F(CreateViewTest, CreatesAViewWithOptionsUnderAHostileName) {
  ExpectLife(R"yaml(
  - create_view:
      view: '"Old People"'
      query: 'SELECT id, upper("Ph one") AS "Ph one" FROM "Peo ple" WHERE age > 60; -- the old ones'
      options: [{name: security_barrier, value: 'true'}]
)yaml",
             "CREATE VIEW public.\"Old People\" WITH (security_barrier='true') AS");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) > 0 FROM \"Old People\""), "t");
}

TEST_F(CreateViewTest, ReplacesAQueryAndBringsTheOneOfBeforeBack) {
  setup_ = R"(CREATE VIEW v WITH (security_barrier) AS SELECT id, note FROM "Peo ple" WHERE age > 1;
              COMMENT ON VIEW v IS 'kept'; GRANT SELECT ON v TO PUBLIC; CREATE VIEW above AS SELECT id FROM v;)";
  ExpectLife("  - create_view: {view: v, query: 'SELECT id, lower(note) AS note FROM \"Peo ple\"'}",
             "lower(");
}

TEST_F(CreateViewTest, KeepsOptionsCommentsAndGrantsOfAViewThatItReplaces) {
  setup_ = R"(CREATE VIEW v WITH (security_barrier) AS SELECT id, note FROM "Peo ple" WHERE age > 1;
              GRANT SELECT ON v TO PUBLIC;)";
  EXPECT_EQ(RunError("  - create_view: {view: v, query: 'SELECT id, lower(note) AS note FROM \"Peo ple\"'}"),
            "");
  const std::string dump = PgDump(conninfo_);
  EXPECT_THAT(dump, AllOf(HasSubstr("lower"), HasSubstr("security_barrier='true'"),
                          HasSubstr("GRANT SELECT ON TABLE public.v TO PUBLIC")));
}

TEST_F(CreateViewTest, ReadsWhatThePlanAddsAndFills) {
  ExpectLife(R"yaml(
  - add_column: {table: '"Peo ple"', column: plain, type: text, up: 'btrim("Ph one")', not_null: true}
  - create_view: {view: v, query: 'SELECT plain FROM "Peo ple"'}
)yaml",
             "CREATE VIEW public.v");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM v WHERE plain IS NULL"), "0");
}

TEST_F(CreateViewTest, IsTakenOffAColumnThatTheSamePlanDrops) {
  setup_ = "CREATE VIEW v AS SELECT id, note FROM \"Peo ple\";";
  EXPECT_THAT(Refusal("  - drop_column: {table: '\"Peo ple\"', column: note, discard: [people_tenant]}"),
              HasSubstr("view public.v"));
  EXPECT_EQ(RunError(R"yaml(
  - create_view: {view: v, query: "SELECT id, 'none' AS note FROM \"Peo ple\""}
  - drop_column: {table: '"Peo ple"', column: note, discard: [people_tenant]}
)yaml"),
            "");
  setup_ = "";
  EXPECT_THAT(Refusal(R"yaml(
  - create_view: {view: w, query: 'SELECT p.note FROM "Peo ple" AS p'}
  - drop_column: {table: '"Peo ple"', column: note, discard: [people_tenant]}
)yaml"),
              HasSubstr("view public.w"));
}

TEST_F(CreateViewTest, HoldsAndFreesTheFunctionsThatItCalls) {
  setup_ = R"(CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
              CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 2'; CREATE VIEW v AS SELECT f() AS a;)";
  EXPECT_EQ(
      RunError(
          "  - create_view: {view: v, query: SELECT public.g() AS a}\n  - drop_function: {function: f()}"),
      "");
  EXPECT_THAT(
      Refusal(
          "  - create_view: {view: v, query: SELECT public.g() AS a}\n  - drop_function: {function: g()}"),
      HasSubstr("view public.v"));
}

TEST_F(CreateViewTest, ComesAfterAViewOfItsNameIsDropped) {
  setup_ = "CREATE VIEW v AS SELECT id, note FROM \"Peo ple\";";
  EXPECT_EQ(RunError(R"yaml(
  - drop_view: {view: v}
  - create_view: {view: v, query: 'SELECT age FROM "Peo ple"'}
)yaml"),
            "");
  EXPECT_THAT(PgDump(conninfo_), HasSubstr("CREATE VIEW public.v AS\n SELECT \"Peo ple\".age"));
}

TEST_F(CreateViewTest, RefusesWhatItCouldNotUndo) {
  setup_ = "CREATE VIEW v AS SELECT id, note FROM \"Peo ple\"; CREATE MATERIALIZED VIEW m AS SELECT 1 AS a;";
  EXPECT_THAT(Refusal("  - create_view: {view: v, query: 'SELECT id, note, age FROM \"Peo ple\"'}"),
              AllOf(HasSubstr("create_view"), HasSubstr("public.v"), HasSubstr("not take them away again"),
                    HasSubstr("another name")));
  EXPECT_THAT(Refusal("  - create_view: {view: v, query: 'SELECT id FROM \"Peo ple\"'}"),
              HasSubstr("cannot take columns away"));
  EXPECT_THAT(Refusal("  - create_view: {view: v, query: 'SELECT note, id FROM \"Peo ple\"'}"),
              HasSubstr("another order"));
  EXPECT_THAT(Refusal("  - create_view: {view: v, query: 'SELECT * FROM \"Peo ple\"'}"),
              HasSubstr("has the columns id, note; write them"));
  EXPECT_THAT(Refusal("  - create_view: {view: m, query: 'SELECT 1 AS a'}"), HasSubstr("exists already"));
  EXPECT_THAT(Refusal("  - create_view: {view: '\"Peo ple\"', query: 'SELECT 1 AS a'}"),
              HasSubstr("exists already"));
  EXPECT_THAT(Refusal("  - create_view: {view: pg_catalog.v, query: 'SELECT 1 AS a'}"),
              HasSubstr("pg_catalog"));
  EXPECT_THAT(Refusal("  - create_view: {view: w, query: 'SELECT 1, 2'}"), HasSubstr("\"?column?\""));
  EXPECT_THAT(Refusal("  - create_view: {view: w, query: 'DELETE FROM t'}"), HasSubstr("write SELECT"));
  EXPECT_THAT(
      Refusal(
          "  - create_view: {view: w, query: 'SELECT 1 AS a', options: [{name: fillfactor, value: '1'}]}"),
      HasSubstr("security_barrier"));
}

TEST_F(CreateViewTest, LooksAtTheQueryBeforeAnythingIsChanged) {
  setup_ = "CREATE VIEW v AS SELECT id, note FROM \"Peo ple\"; CREATE INDEX taken ON \"Peo ple\" (age);";
  EXPECT_THAT(RunError("  - create_view: {view: w, query: 'SELECT nothing FROM \"Peo ple\"'}"),
              HasSubstr("nothing"));
  EXPECT_EQ(Query(conninfo_, "SELECT to_regclass('w') IS NULL"), "t");
  EXPECT_THAT(RunError("  - create_view: {view: v, query: 'SELECT id::int AS id, note FROM \"Peo ple\"'}"),
              HasSubstr("keep their types: 1"));
  EXPECT_THAT(RunError("  - create_view: {view: taken, query: 'SELECT 1 AS a'}"), HasSubstr("is free: 1"));
  EXPECT_THAT(RunError("  - create_view: {view: nowhere.v, query: 'SELECT 1 AS a'}"), HasSubstr("exists: 1"));
}

TEST_F(CreateViewTest, NamesWithoutASchemaMeanPublicWhateverTheRoleHasSet) {
  setup_ =
      "CREATE SCHEMA other; CREATE TABLE other.t (a int); CREATE TABLE t (b int); "
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = other', current_database()); END $$;";
  EXPECT_EQ(RunError("  - create_view: {view: v, query: 'SELECT b FROM t'}"), "");
  EXPECT_THAT(Unpromised(), ::testing::SizeIs(::testing::Le(1u)));
}

}  // namespace
}  // namespace curlew::operations
