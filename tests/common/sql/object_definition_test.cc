#include "common/sql/object_definition.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/status_matchers.h"

namespace curlew::sql {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(ParseFunctionTest, KnowsWhatIdentifiesAFunction) {
  const auto f = ParseFunction(
      "CREATE FUNCTION /* a; */ \"Norm\".\"f(x\" (IN a int, b varchar(20)[], INOUT c \"char\", OUT d text, "
      "VARIADIC e "
      "timestamptz[]) RETURNS record LANGUAGE plpgsql AS $$ BEGIN; END $$ ;\n");
  ASSERT_THAT(f, IsOk());
  EXPECT_EQ(f->name, (TableName{"Norm", "f(x"}));
  EXPECT_EQ(f->signature,
            "\"Norm\".\"f(x\"(integer, character varying[], \"char\", timestamp with time zone[])");
  EXPECT_EQ(f->identity,
            "\"Norm\".\"f(x\"(integer,character varying[],pg_catalog.\"char\",timestamp with time zone[])");
  EXPECT_THAT(f->arguments, ElementsAre("a", "b", "c", "e"));
  EXPECT_EQ(f->result, "(c \"char\", d text)");
  EXPECT_EQ(f->language, "plpgsql");
  EXPECT_FALSE(f->or_replace);
  EXPECT_FALSE(f->is_procedure);
  EXPECT_THAT(f->statement.str(), HasSubstr("END $$"));
  EXPECT_THAT(f->statement.str(), Not(HasSubstr("$$ ;")));
}

TEST(ParseFunctionTest, QualifiesTheNameOnly) {
  const auto f = ParseFunction(
      "create or replace function Function(a mood, t trigger) returns table (x int) language sql as 'select "
      "1'");
  ASSERT_THAT(f, IsOk());
  EXPECT_EQ(
      f->statement.str(),
      "create or replace function public.function(a mood, t trigger) returns table (x int) language sql as "
      "'select 1'");
  EXPECT_EQ(f->signature, "public.function(public.mood, trigger)");
  EXPECT_EQ(f->result, "SETOF (x integer)");
  EXPECT_TRUE(f->or_replace);
}

TEST(ParseFunctionTest, ReadsProceduresAndBodiesOfStatements) {
  const auto p =
      ParseFunction("CREATE PROCEDURE p(OUT x int, y numeric(3)) BEGIN ATOMIC SELECT 1; SELECT 2; END");
  ASSERT_THAT(p, IsOk());
  EXPECT_EQ(p->signature, "public.p(numeric)");
  EXPECT_TRUE(p->is_procedure);
  EXPECT_EQ(p->language, "sql");
  EXPECT_EQ(p->statement.str(),
            "CREATE PROCEDURE public.p(OUT x int, y numeric(3)) BEGIN ATOMIC SELECT 1; SELECT 2; END");
}

TEST(ParseFunctionTest, RefusesEverythingElse) {
  EXPECT_THAT(ParseFunction("SELECT 1"), StatusIs(kInvalid, HasSubstr("not CREATE FUNCTION")));
  EXPECT_THAT(ParseFunction(""), StatusIs(kInvalid, HasSubstr("no statement")));
  EXPECT_THAT(ParseFunction("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS ''; DROP TABLE t"),
              StatusIs(kInvalid, HasSubstr("2 statements")));
  EXPECT_THAT(ParseFunction("CREATE FUNCTION f(a t.c%TYPE) RETURNS int LANGUAGE sql AS ''"),
              StatusIs(kInvalid, HasSubstr("%TYPE")));
  EXPECT_THAT(ParseFunction("CREATE FUNCTION f() RETURNS int AS ''"),
              StatusIs(kInvalid, HasSubstr("LANGUAGE")));
  EXPECT_THAT(ParseFunction("CREATE FUNCTION a.b.f() RETURNS int LANGUAGE sql AS ''"),
              StatusIs(kInvalid, HasSubstr("two parts")));
  EXPECT_THAT(ParseFunction("CREATE FUNCTION f() RETURNS"), StatusIs(kInvalid, HasSubstr("line 1")));
}

TEST(ParseFunctionNameTest, NormalisesTypes) {
  EXPECT_THAT(ParseFunctionName("f()"), IsOkAndHolds("public.f()"));
  EXPECT_THAT(ParseFunctionName("Crm.F( int4,varchar(3) , a.\"B\"[])"),
              IsOkAndHolds("crm.f(integer, character varying, a.\"B\"[])"));
  EXPECT_THAT(ParseFunctionName("f(a integer, OUT b text, c interval day to hour, char, bit)"),
              IsOkAndHolds("public.f(integer, interval, character, bit)"));
  EXPECT_THAT(NameOfFunction("crm.\"f(\"(text)"), IsOkAndHolds(TableName{"crm", "f("}));
  for (const char* bad : {"f", "f(", "f(int) CASCADE", "f(int), g()", "f(int); DROP TABLE t", "IF EXISTS f()",
                          "", "a.b.c()", "f(a%b)"}) {
    EXPECT_THAT(ParseFunctionName(bad), StatusIs(kInvalid)) << bad;
  }
}

TEST(ParseTriggerTest, ReadsTableColumnsAndFunction) {
  const auto t = ParseTrigger(
      "CREATE OR REPLACE TRIGGER \"Tr\" BEFORE INSERT OR UPDATE OF \"b B\", a ON \"T\" FOR EACH ROW WHEN "
      "(NEW.c > 0 "
      "AND NEW.d IS NOT NULL) EXECUTE PROCEDURE f ('EXECUTE FUNCTION g()');");
  ASSERT_THAT(t, IsOk());
  EXPECT_EQ(t->name, "Tr");
  EXPECT_EQ(t->table, (TableName{"public", "T"}));
  EXPECT_EQ(t->function, (TableName{"public", "f"}));
  EXPECT_THAT(t->columns, ElementsAre("a", "b B", "c", "d"));
  EXPECT_TRUE(t->before_row);
  EXPECT_TRUE(t->or_replace);
  EXPECT_EQ(t->statement.str(),
            "CREATE OR REPLACE TRIGGER \"Tr\" BEFORE INSERT OR UPDATE OF \"b B\", a ON public.\"T\" FOR EACH "
            "ROW WHEN "
            "(NEW.c > 0 AND NEW.d IS NOT NULL) EXECUTE PROCEDURE public.f ('EXECUTE FUNCTION g()')");
}

TEST(ParseTriggerTest, TellsConstraintTriggersAndStatementTriggers) {
  const auto c = ParseTrigger(
      "CREATE CONSTRAINT TRIGGER c AFTER INSERT ON crm . t DEFERRABLE FOR EACH ROW EXECUTE FUNCTION x.f()");
  ASSERT_THAT(c, IsOk());
  EXPECT_TRUE(c->is_constraint);
  EXPECT_FALSE(c->before_row);
  EXPECT_EQ(c->table, (TableName{"crm", "t"}));
  EXPECT_EQ(
      c->statement.str(),
      "CREATE CONSTRAINT TRIGGER c AFTER INSERT ON crm.t DEFERRABLE FOR EACH ROW EXECUTE FUNCTION x.f()");
  const auto i = ParseTrigger("CREATE TRIGGER i INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f()");
  ASSERT_THAT(i, IsOk());
  EXPECT_TRUE(i->instead_of);
  EXPECT_FALSE(i->before_row);
  const auto s = ParseTrigger(
      "CREATE TRIGGER s BEFORE DELETE ON t EXECUTE FUNCTION suppress_redundant_updates_trigger()");
  ASSERT_THAT(s, IsOk());
  EXPECT_FALSE(s->before_row);
  EXPECT_EQ(s->function, (TableName{"pg_catalog", "suppress_redundant_updates_trigger"}));
}

TEST(ParseTriggerTest, RefusesEverythingElse) {
  EXPECT_THAT(ParseTrigger("CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()"),
              StatusIs(kInvalid, HasSubstr("not CREATE TRIGGER")));
  EXPECT_THAT(ParseTrigger("SELECT 1; SELECT 2"), StatusIs(kInvalid, HasSubstr("2 statements")));
}

}  // namespace
}  // namespace curlew::sql
