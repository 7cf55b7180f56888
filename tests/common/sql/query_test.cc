#include "common/sql/query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace curlew::sql {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

std::vector<std::string> Tables(absl::string_view text) {
  const auto query = ParseQuery(text);
  if (!query.ok()) return {std::string(query.status().message())};
  std::vector<std::string> names;
  for (const TableName& table : query->tables) names.push_back(table.Quoted());
  return names;
}

std::vector<std::string> Columns(absl::string_view text) {
  const auto query = ParseQuery(text);
  if (!query.ok()) return {std::string(query.status().message())};
  return query->columns.value_or(std::vector<std::string>{"<cannot be told>"});
}

TEST(QueryTest, TakesSemicolonAndCommentsFromAroundTheQuery) {
  const auto query = ParseQuery("  /* why */ SELECT a, 'x;y' -- inner\n FROM t ; -- the end\n");
  ASSERT_THAT(query, IsOk());
  EXPECT_EQ(query->text, "SELECT a, 'x;y' -- inner\n FROM t");
}

TEST(QueryTest, FindsTheTablesButNotTheNamesOfWith) {
  EXPECT_THAT(Tables("SELECT * FROM contacts c JOIN crm.\"Co mpanies\" USING (id)"),
              ElementsAre("crm.\"Co mpanies\"", "public.contacts"));
  EXPECT_THAT(Tables("WITH x AS (SELECT 1 FROM a), y AS (SELECT 1 FROM x, b) SELECT 1 FROM y, public.x"),
              ElementsAre("public.a", "public.b", "public.x"));
  EXPECT_THAT(Tables("WITH x AS (SELECT 1 FROM x) SELECT 1 FROM x"), ElementsAre("public.x"));
  EXPECT_THAT(Tables("WITH RECURSIVE x AS (SELECT 1 UNION SELECT 1 FROM x) TABLE x"), ElementsAre());
  EXPECT_THAT(
      Tables("SELECT (SELECT 1 FROM a WHERE EXISTS (TABLE b)) FROM (SELECT 1 FROM c) s, LATERAL (SELECT "
             "1 FROM d) l UNION SELECT 1 FROM e"),
      ElementsAre("public.a", "public.b", "public.c", "public.d", "public.e"));
  EXPECT_THAT(Tables("SELECT 1 FROM pg_class, information_schema.tables"),
              ElementsAre("information_schema.tables", "pg_catalog.pg_class"));
  EXPECT_THAT(Tables("VALUES (1)"), ElementsAre());
}

std::vector<std::string> Uses(absl::string_view text) {
  const auto query = ParseQuery(text);
  if (!query.ok()) return {std::string(query.status().message())};
  std::vector<std::string> uses;
  for (const ColumnUse& use : query->uses) {
    uses.push_back(absl::StrCat(use.table.has_value() ? use.table->Quoted() : "", ":", use.column));
  }
  return uses;
}

TEST(QueryTest, KnowsTheColumnsThatItReads) {
  EXPECT_THAT(Uses("SELECT c.name, id FROM contacts c JOIN crm.companies ON companies.id = c.company_id"),
              ElementsAre(":id", "crm.companies:id", "public.contacts:company_id", "public.contacts:name"));
  EXPECT_THAT(Uses("SELECT c.*, d FROM c, d"), ElementsAre(":d", "public.c:*", "public.d:*"));
  EXPECT_THAT(Uses("SELECT * FROM a JOIN b USING (x)"), ElementsAre(":*", ":x"));
  EXPECT_THAT(Uses("SELECT 1 FROM a NATURAL JOIN b"), ElementsAre(":*"));
  EXPECT_THAT(Uses("TABLE a"), ElementsAre(":*"));
}

TEST(QueryTest, KnowsTheFunctionsThatItCalls) {
  const auto query = ParseQuery("SELECT f(a), crm.\"G g\"(b) FROM c WHERE f(1) = (SELECT max(d) FROM e)");
  ASSERT_THAT(query, IsOk());
  EXPECT_THAT(query->functions, ElementsAre("G g", "f", "max"));
}

TEST(QueryTest, NamesColumnsAsPostgresDoes) {
  EXPECT_THAT(
      Columns("SELECT a, t.b, c AS d, lower(e), 1, 'x'::text, f::int, count(*), CASE WHEN a THEN b END, "
              "CASE WHEN a THEN 1 ELSE 2 END, coalesce(a, b), now(), current_date, ARRAY[1], (SELECT g FROM "
              "h), EXISTS (SELECT 1), nullif(a, b), greatest(1, 2), a + b, (r).f, a COLLATE \"C\" FROM t"),
      ElementsAre("a", "b", "d", "lower", "?column?", "text", "f", "count", "case", "case", "coalesce", "now",
                  "current_date", "array", "g", "exists", "nullif", "greatest", "?column?", "f", "a"));
  EXPECT_THAT(Columns("SELECT a AS x UNION SELECT b"), ElementsAre("x"));
  EXPECT_THAT(Columns("VALUES (1, 2), (3, 4)"), ElementsAre("column1", "column2"));
  EXPECT_THAT(Columns("SELECT * FROM t"), ElementsAre("<cannot be told>"));
  EXPECT_THAT(Columns("SELECT a, t.* FROM t"), ElementsAre("<cannot be told>"));
  EXPECT_THAT(Columns("TABLE t"), ElementsAre("<cannot be told>"));
}

TEST(QueryTest, RefusesWhatIsNoQueryThatOnlyReads) {
  EXPECT_THAT(ParseQuery(""), StatusIs(kInvalid, HasSubstr("no statement")));
  EXPECT_THAT(ParseQuery("SELECT 1; SELECT 2"), StatusIs(kInvalid, HasSubstr("2 statements")));
  EXPECT_THAT(ParseQuery("DELETE FROM t"), StatusIs(kInvalid, HasSubstr("write SELECT")));
  EXPECT_THAT(ParseQuery("SELECT a INTO b FROM t"), StatusIs(kInvalid, HasSubstr("INTO")));
  EXPECT_THAT(ParseQuery("SELECT a FROM t FOR UPDATE"), StatusIs(kInvalid, HasSubstr("FOR UPDATE")));
  EXPECT_THAT(ParseQuery("SELECT 1 FROM (SELECT a FROM t FOR SHARE) s"),
              StatusIs(kInvalid, HasSubstr("FOR SHARE")));
  EXPECT_THAT(ParseQuery("SELECT $1"), StatusIs(kInvalid, HasSubstr("parameter")));
  EXPECT_THAT(ParseQuery("WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d"),
              StatusIs(kInvalid, HasSubstr("nothing that writes")));
  EXPECT_THAT(ParseQuery("SELECT a\nFROM WHERE"), StatusIs(kInvalid, HasSubstr("line 2, column 6")));
}

}  // namespace
}  // namespace curlew::sql
