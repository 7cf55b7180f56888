#include <gmock/gmock.h>

#include "tests/support/operation_harness.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DropTypeTest : public ::curlew::testing::OperationTest {};

TEST_F(DropTypeTest, TakesAnEnumAndADomainAway) {
  setup_ =
      "CREATE SCHEMA \"S s\"; CREATE TYPE \"S s\".\"E e\" AS ENUM ('a'); CREATE DOMAIN d AS int CHECK (VALUE "
      "> 0);";
  ExpectLife(R"yaml(
  - drop_type: {type: '"S s"."E e"'}
  - drop_type: {type: d}
)yaml",
             "CREATE SCHEMA \"S s\"");
  EXPECT_THAT(Unpromised(), IsEmpty());
  EXPECT_EQ(Query(conninfo_,
                  "SELECT count(*) FROM pg_type WHERE typtype IN ('d', 'e') AND oid > 16384 AND "
                  "typnamespace <> 'information_schema'::regnamespace"),
            "0");
}

TEST_F(DropTypeTest, NamesWhatUsesTheTypeBeforeAnythingChanges) {
  const std::string plan = "  - drop_type: {type: mood}";
  setup_ =
      "CREATE TYPE mood AS ENUM ('a'); CREATE TABLE \"T t\" (a mood DEFAULT 'a') PARTITION BY LIST (a);"
      "CREATE TABLE t1 PARTITION OF \"T t\" DEFAULT;";
  EXPECT_THAT(RunError(plan),
              AllOf(HasSubstr("nothing uses enum type public.mood: 2"),
                    HasSubstr("table column public.\"T t\".a"), HasSubstr("default value for")));
  setup_ = "CREATE TYPE mood AS ENUM ('a'); CREATE TABLE t (a mood[]);";
  EXPECT_THAT(RunError(plan), HasSubstr("table column public.t.a"));
  setup_ = "CREATE TYPE mood AS ENUM ('a'); CREATE VIEW v AS SELECT 'a'::mood AS m;";
  EXPECT_THAT(RunError(plan), HasSubstr("view public.v"));
  setup_ = "CREATE TYPE mood AS ENUM ('a'); CREATE FUNCTION f(mood) RETURNS int LANGUAGE sql AS 'SELECT 1';";
  EXPECT_THAT(RunError(plan), HasSubstr("function public.f(public.mood)"));
  setup_ = "CREATE TYPE mood AS ENUM ('a'); CREATE DOMAIN d AS mood;";
  EXPECT_THAT(RunError(plan), HasSubstr("type public.d"));
}

TEST_F(DropTypeTest, GoesAfterTheColumnThatUsesIt) {
  setup_ =
      "CREATE TYPE mood AS ENUM ('a', 'b'); ALTER TABLE \"Peo ple\" ADD \"Mo od\" mood DEFAULT 'b' "
      "CHECK (\"Mo od\" <> 'a'); CREATE INDEX by_mood ON \"Peo ple\" (id) WHERE \"Mo od\" = 'b';";
  const std::string drop = "  - drop_type: {type: mood}\n";
  const std::string column =
      "  - drop_column: {table: '\"Peo ple\"', column: 'Mo od', discard: [by_mood, \"Peo "
      "ple_Mo od_check\"]}\n";
  EXPECT_THAT(Refusal(drop + column), AllOf(HasSubstr("drop_type"),
                                            HasSubstr("column \"Mo od\" of public.\"Peo "
                                                      "ple\" is of type public.mood"),
                                            HasSubstr("before this operation")));
  EXPECT_THAT(RunError(column + drop), IsEmpty());
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_type WHERE typname = 'mood'"), "0");
}

TEST_F(DropTypeTest, RefusesWhatIsNoSuchType) {
  setup_ = "CREATE SEQUENCE s;";
  EXPECT_THAT(Refusal("  - drop_type: {type: nowhere}"),
              HasSubstr("there is no enum type or domain public.nowhere; check the name"));
  EXPECT_THAT(Refusal("  - drop_sequence: {sequence: s}\n  - drop_type: {type: s}"),
              HasSubstr("check the name"));
  EXPECT_THAT(Refusal("  - alter_sequence: {sequence: s, settings: {cache: 2}}\n  - drop_type: {type: s}"),
              HasSubstr("drop that with drop_sequence"));
}
}  // namespace
}  // namespace curlew::operations
