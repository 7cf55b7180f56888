#include "agent/backfill/key_walker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace curlew::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kEquals[] = "t.a OPERATOR(pg_catalog.=)";

const KeyWalker& Walker() {
  static const KeyWalker walker(
      {{.name = "a", .type = "integer"}, {.name = "\"B\"", .type = "text"}, {.name = "c", .type = "uuid"}});
  return walker;
}

TEST(KeyWalkerTest, SaysWhatBothEndsHaveInCommonByItself) {
  EXPECT_THAT(Walker().Condition("{1,x,y}", "{1,z,y}"),
              AllOf(HasSubstr(kEquals), HasSubstr("ROW(t.\"B\", t.c) OPERATOR(pg_catalog.>) ROW("),
                    HasSubstr("ROW(t.\"B\", t.c) OPERATOR(pg_catalog.<=) ROW(")));
  EXPECT_THAT(Walker().Condition("{1,\"\",y}", "{1,\"\",z}"),
              AllOf(HasSubstr(kEquals), HasSubstr("t.\"B\" OPERATOR(pg_catalog.=)"),
                    HasSubstr("ROW(t.c) OPERATOR(pg_catalog.<=) ROW(")));
}

TEST(KeyWalkerTest, ComparesWholeKeysWhereTheFirstColumnDiffers) {
  EXPECT_THAT(Walker().Condition("{1,x,y}", "{2,x,y}"),
              AllOf(Not(HasSubstr(kEquals)), HasSubstr("ROW(t.a, t.\"B\", t.c) OPERATOR(pg_catalog.>)")));
  EXPECT_THAT(Walker().Condition("", "{2,x,y}"),
              AllOf(Not(HasSubstr(kEquals)), Not(HasSubstr(".>)")),
                    HasSubstr("ROW(t.a, t.\"B\", t.c) OPERATOR(pg_catalog.<=)")));
}

TEST(KeyWalkerTest, APartThatEndsWhereItBeginsIsEmptyAndWellFormed) {
  EXPECT_THAT(Walker().Condition("{1,x,y}", "{1,x,y}"), AllOf(HasSubstr("ROW(t.c) OPERATOR(pg_catalog.>)"),
                                                              HasSubstr("ROW(t.c) OPERATOR(pg_catalog.<=)")));
}

TEST(KeyWalkerTest, ComparesInPartsWhereNoOperatorCanBeNamedForAll) {
  const KeyWalker walker(
      {{.name = "n", .type = "integer"}, {.name = "id", .type = "ext.citext", .operators = "ext"}});
  EXPECT_EQ(walker.Condition("", "{1,x}"),
            "t.n OPERATOR(pg_catalog.<=) ('{1,x}'::text[])[1]::integer AND"
            " (t.n OPERATOR(pg_catalog.<) ('{1,x}'::text[])[1]::integer OR"
            " (t.n OPERATOR(pg_catalog.=) ('{1,x}'::text[])[1]::integer AND"
            " (t.id OPERATOR(ext.<=) ('{1,x}'::text[])[2]::ext.citext)))");
}

TEST(KeyWalkerTest, NamesARowByAllItsColumns) {
  EXPECT_THAT(Walker().RowCondition("{1,x,y}"),
              AllOf(HasSubstr(kEquals), HasSubstr("t.\"B\" OPERATOR(pg_catalog.=)"),
                    HasSubstr("t.c OPERATOR(pg_catalog.=)")));
}

}  // namespace
}  // namespace curlew::agent
