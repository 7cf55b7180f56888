#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class CreateFunctionTest : public ::curlew::testing::OperationTest {};

constexpr char kOld[] = R"(
  CREATE SCHEMA "S s"; CREATE TYPE "S s".mood AS ENUM ('sad');
  CREATE FUNCTION "S s"."F"(a int, m "S s".mood DEFAULT 'sad') RETURNS text LANGUAGE plpgsql STRICT COST 7
    SET work_mem = '1MB' AS $x$ BEGIN RETURN 'old'; END $x$;
  REVOKE ALL ON FUNCTION "S s"."F" FROM PUBLIC; COMMENT ON FUNCTION "S s"."F" IS 'kept';
  CREATE PROCEDURE p(a int) LANGUAGE sql AS 'SELECT 1';)";

TEST_F(CreateFunctionTest, CreatesAFunctionThatWasNotThere) {
  ExpectLife(R"yaml(
  - create_function:
      definition: |
        CREATE FUNCTION "Norm"(text, VARIADIC n int[]) RETURNS text
        LANGUAGE sql IMMUTABLE AS $$ SELECT btrim($1); $$;
)yaml",
             "CREATE FUNCTION public.\"Norm\"(text, VARIADIC n integer[]) RETURNS text");
}

TEST_F(CreateFunctionTest, CreatesAProcedureAndAnOverload) {
  setup_ = kOld;
  ExpectLife(R"yaml(
  - create_function: {definition: "CREATE PROCEDURE p(a text) LANGUAGE sql AS 'SELECT 2'"}
  - create_function: {definition: "CREATE OR REPLACE FUNCTION p() RETURNS int LANGUAGE sql AS 'SELECT 2'"}
)yaml",
             "CREATE PROCEDURE public.p(IN a text)");
}

TEST_F(CreateFunctionTest, ReplacesABodyAndBringsTheOneOfBeforeBack) {
  setup_ = kOld;
  ExpectLife(R"yaml(
  - create_function:
      definition: |
        CREATE OR REPLACE FUNCTION "S s"."F"(a integer, m "S s".mood DEFAULT 'sad') RETURNS text LANGUAGE plpgsql
        AS $f$ BEGIN RETURN 'new'; END $f$
)yaml",
             "RETURN 'new'");
  EXPECT_THAT(PgDump(conninfo_), AllOf(HasSubstr("'kept'"), HasSubstr("REVOKE ALL ON FUNCTION")));
}

TEST_F(CreateFunctionTest, RefusesWhatPostgresqlCannotReplace) {
  setup_ = kOld;
  EXPECT_THAT(
      Refusal("  - create_function: {definition: \"CREATE PROCEDURE p(a int) LANGUAGE sql AS 'SELECT 2'\"}"),
      AllOf(HasSubstr("create_function"), HasSubstr("procedure public.p(integer) exists already"),
            HasSubstr("CREATE OR REPLACE")));
  EXPECT_THAT(Refusal("  - create_function: {definition: \"CREATE OR REPLACE FUNCTION p(a int) RETURNS int "
                      "LANGUAGE sql AS "
                      "'SELECT 2'\"}"),
              HasSubstr("as a procedure"));
  EXPECT_THAT(
      Refusal(
          "  - create_function: {definition: \"CREATE OR REPLACE PROCEDURE p(b int) LANGUAGE sql AS 'SELECT "
          "2'\"}"),
      HasSubstr("calls argument 1 a,"));
  setup_ = "CREATE FUNCTION f() RETURNS SETOF varchar(3) LANGUAGE sql AS 'SELECT NULL';";
  EXPECT_THAT(Refusal("  - create_function: {definition: \"CREATE OR REPLACE FUNCTION f() RETURNS varchar "
                      "LANGUAGE sql AS "
                      "'SELECT NULL'\"}"),
              HasSubstr("returns SETOF character varying, not character varying"));
  EXPECT_EQ(Refusal("  - create_function: {definition: \"CREATE OR REPLACE FUNCTION f() RETURNS SETOF "
                    "varchar LANGUAGE sql "
                    "AS 'SELECT NULL'\"}"),
            "");
  EXPECT_THAT(
      Refusal("  - create_function: {definition: \"CREATE FUNCTION curlew.f() RETURNS int LANGUAGE sql AS "
              "'SELECT 1'\"}"),
      HasSubstr("schema curlew"));
  EXPECT_THAT(Refusal("  - create_function: {definition: DROP TABLE t}"), HasSubstr("not CREATE FUNCTION"));
  EXPECT_THAT(
      RunError("  - create_function: {definition: \"CREATE FUNCTION nowhere.f() RETURNS int LANGUAGE sql AS "
               "'SELECT 1'\"}"),
      HasSubstr("schema nowhere exists"));
}

TEST_F(CreateFunctionTest, BringsABodyBackThatNamesWhatIsNotInThePath) {
  setup_ = R"(CREATE SCHEMA other; CREATE TABLE other.o (a int); SET search_path = other, public;
              CREATE FUNCTION public.f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM o';)";
  ExpectLife(R"yaml(
  - create_function:
      definition: CREATE OR REPLACE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT 7::bigint'
)yaml",
             "SELECT 7");
}

TEST_F(CreateFunctionTest, WarnsOfWhatWasComputedByTheBodyOfBefore) {
  setup_ =
      "CREATE FUNCTION f(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT t'; "
      "CREATE INDEX ix ON \"Peo ple\" (f(note));";
  EXPECT_EQ(RunError("  - create_function: {definition: \"CREATE OR REPLACE FUNCTION f(t text) RETURNS text "
                     "IMMUTABLE LANGUAGE sql AS 'SELECT t || 1'\"}"),
            "");
  ASSERT_EQ(compiled_.warnings_size(), 1);
  EXPECT_THAT(compiled_.warnings(0), HasSubstr("index public.ix"));
}

TEST_F(CreateFunctionTest, IsThereForWhatThePlanBuildsOnIt) {
  EXPECT_EQ(RunError(R"yaml(
  - create_function:
      definition: CREATE FUNCTION plain(t text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT btrim(t)'
  - create_view: {view: v, query: 'SELECT plain("Ph one") AS phone FROM "Peo ple"'}
)yaml"),
            "");
  EXPECT_EQ(Query(conninfo_, "SELECT phone FROM v LIMIT 1"), "555-1");
  EXPECT_EQ(Undo(), "");
  EXPECT_EQ(Query(conninfo_, "SELECT to_regprocedure('plain(text)') IS NULL"), "t");
}

}  // namespace
}  // namespace curlew::operations
