#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class CreateDomainTest : public ::curlew::testing::OperationTest {};

TEST_F(CreateDomainTest, MakesTheDomainWithAllThatItHas) {
  ExpectLife(
      R"yaml(
  - create_domain:
      domain: '"Per cent"'
      type: int
      not_null: true
      default: "7"
      checks: [{name: low, expression: VALUE >= 0}, {name: 'Hi gh', expression: value <= 100}]
)yaml",
      "CREATE DOMAIN public.\"Per cent\" AS integer NOT NULL DEFAULT 7\n\tCONSTRAINT \"Hi gh\" CHECK ((VALUE "
      "<= 100))\n\tCONSTRAINT low CHECK ((VALUE >= 0));");
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_constraint WHERE contypid = '\"Per cent\"'::regtype"),
            "2");
}

TEST_F(CreateDomainTest, IsWhatApplyPromised) {
  ExpectLife("  - create_domain: {domain: short, type: varchar(20)}", "AS character varying(20)");
  EXPECT_THAT(Unpromised(), IsEmpty());
}

TEST_F(CreateDomainTest, NamesWithoutASchemaAreInPublicWhateverTheRoleHasSet) {
  setup_ =
      "CREATE SCHEMA s; CREATE DOMAIN below AS int; CREATE FUNCTION fine(int) RETURNS bool LANGUAGE sql AS "
      "'SELECT true';"
      "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = s', current_database()); END $$;";
  EXPECT_THAT(
      RunError("  - create_domain: {domain: s.d, type: below, checks: [{name: k, expression: fine(VALUE)}]}\n"
               "  - add_domain_constraint: {domain: s.d, name: k2, expression: fine(VALUE)}"),
      ::testing::IsEmpty());
}

TEST_F(CreateDomainTest, AColumnOfItWouldRewriteTheTable) {
  const std::string column = "  - add_column: {table: '\"Peo ple\"', column: d, type: public.d}";
  EXPECT_THAT(RunError("  - create_domain: {domain: d, type: int, not_null: true}\n" + column),
              HasSubstr("type public.d is no domain with constraints, which rewrites the table: 1"));
  EXPECT_THAT(RunError("  - create_domain: {domain: d, type: int}\n" + column), ::testing::IsEmpty());
}

TEST_F(CreateDomainTest, RefusesWhatADomainCannotKnow) {
  setup_ = "CREATE DOMAIN d AS int;";
  EXPECT_THAT(Refusal("  - create_domain: {domain: d, type: int}"),
              AllOf(HasSubstr("create_domain"), HasSubstr("domain public.d exists already")));
  EXPECT_THAT(Refusal("  - create_domain: {domain: e, type: int, checks: [{name: k, expression: age > 0}]}"),
              AllOf(HasSubstr("names age"), HasSubstr("write VALUE")));
  EXPECT_THAT(Refusal("  - create_domain: {domain: e, type: int, default: age}"),
              HasSubstr("knows no column"));
  EXPECT_THAT(Refusal("  - create_domain: {domain: e, type: 'int; DROP TABLE t'}"), HasSubstr("type"));
  EXPECT_THAT(Refusal("  - create_domain: {domain: e, type: int, checks: [{name: k, expression: VALUE > 0}, "
                      "{name: k, expression: VALUE < 9}]}"),
              HasSubstr("already has a constraint named k"));
  setup_ = "CREATE TYPE taken AS (a int);";
  EXPECT_THAT(RunError("  - create_domain: {domain: taken, type: int}"),
              HasSubstr("the name public.taken is free: 1"));
}
}  // namespace
}  // namespace curlew::operations
