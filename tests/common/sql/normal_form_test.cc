#include "common/sql/normal_form.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/support/pg_test.h"

namespace curlew::sql {
namespace {

constexpr char kSetup[] = R"(
  CREATE TYPE mood AS ENUM ('sad', 'happy');
  CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
  CREATE FUNCTION own(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT t';
  CREATE TABLE t (id bigint, n int, amount numeric(10,2), ratio float8, s text, v varchar(20), c char(3),
                  at timestamptz, ok boolean, m mood, js jsonb);
  CREATE TABLE u (id bigint PRIMARY KEY, "Odd Name" text);)";

// Compares what is written with what the server prints of it.
class PrintedSqlTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override { db_ = NewDatabase(kSetup); }

  // `create` makes an object, `print` gives the server's text of it; both sides have to be the same SQL.
  void ExpectSame(absl::string_view written, absl::string_view create, absl::string_view print) {
    const std::string printed =
        Query(db_, absl::StrCat("BEGIN; ", create, "; SET LOCAL search_path = pg_catalog; ", print));
    EXPECT_TRUE(SameSql(written, printed)) << written << "\n" << printed;
    EXPECT_TRUE(SameSql(printed, written)) << printed;
    EXPECT_TRUE(SameSql(printed, printed)) << printed;
  }
  void ExpectSameCheck(absl::string_view expression) {
    ExpectSame(absl::StrCat("CHECK (", expression, ")"),
               absl::StrCat("ALTER TABLE t ADD CONSTRAINT k CHECK (", expression, ")"),
               "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'k'");
    ExpectSame(expression, absl::StrCat("ALTER TABLE t ADD CONSTRAINT k CHECK (", expression, ")"),
               "SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conname = 'k'");
  }
  void ExpectSameIndex(absl::string_view statement) {
    ExpectSame(statement, statement, "SELECT pg_get_indexdef('public.i'::regclass)");
  }
  void ExpectSameView(absl::string_view query) {
    ExpectSame(query, absl::StrCat("CREATE VIEW w AS ", query),
               "SELECT pg_get_viewdef('public.w'::regclass)");
  }

  std::string db_;
};

TEST_F(PrintedSqlTest, ExpressionsAreKnownAgain) {
  for (const char* expression : {"n > 0",
                                 "n <> -1 AND n != 5",
                                 "amount > 1 OR amount < -1.5",
                                 "ratio > 1.5",
                                 "id < 123456789012",
                                 "s IN ('a', 'b', 'c')",
                                 "s IN ('a')",
                                 "v IN ('a', 'b')",
                                 "v = 'a'",
                                 "n NOT IN (1, 2)",
                                 "v NOT IN ('x', 'y')",
                                 "m IN ('sad', 'happy')",
                                 "n BETWEEN 1 AND 10 AND s IS NOT NULL",
                                 "n NOT BETWEEN 1 AND 10",
                                 "s LIKE 'a%'",
                                 "v NOT LIKE 'a%'",
                                 "s ILIKE '%x' OR s NOT ILIKE 'y'",
                                 "s SIMILAR TO 'a|b'",
                                 "s ~ '^[0-9]+$' AND v !~* 'x'",
                                 "n IS NOT DISTINCT FROM 5",
                                 "n IS DISTINCT FROM 5",
                                 "ok IS TRUE AND NOT ok IS UNKNOWN",
                                 "(n > 1 AND s = 'a') AND v = 'b'",
                                 "CASE WHEN ok THEN n > 1 ELSE false END",
                                 "coalesce(s, '') <> ''",
                                 "length(btrim(v)) > 2",
                                 "lower(s) = s",
                                 "own(s) = public.own(s)",
                                 "pg_catalog.upper(v) = v",
                                 "extract(year FROM at) > 2000",
                                 "at > '2020-01-01 00:00:00+00'",
                                 "position('a' in s) > 0",
                                 "trim(s) <> ''",
                                 "substring(s from 1 for 2) = 'ab'",
                                 "js ? 'key' AND js->>'key' = 'x'",
                                 "s COLLATE \"C\" > 'a'",
                                 "n::bigint > 3",
                                 "CAST(s AS int) > 3",
                                 "n = ANY (ARRAY[1, 2, 3])",
                                 "nullif(n, 0) IS NOT NULL",
                                 "greatest(n, 1) > 0",
                                 "(at AT TIME ZONE 'UTC') IS NOT NULL",
                                 "c = 'abc'"}) {
    ExpectSameCheck(expression);
  }
}

TEST_F(PrintedSqlTest, IndexesAreKnownAgain) {
  for (const char* index :
       {"CREATE INDEX i ON t (n)",
        "CREATE UNIQUE INDEX IF NOT EXISTS i ON public.t USING btree (n ASC NULLS LAST, s)",
        "CREATE INDEX i ON t (n DESC NULLS FIRST, s NULLS FIRST) INCLUDE (v) WITH (fillfactor = 70)",
        "CREATE INDEX i ON t (lower(v), (n + 1)) WHERE s IN ('a', 'b') AND amount BETWEEN 1 AND 2",
        "CREATE INDEX i ON t USING gin (js jsonb_path_ops)",
        "CREATE INDEX i ON t (s COLLATE \"C\" text_pattern_ops)",
        "CREATE UNIQUE INDEX i ON t (n) NULLS NOT DISTINCT"}) {
    ExpectSameIndex(index);
  }
  EXPECT_TRUE(SameSql("CREATE INDEX CONCURRENTLY i ON t (n)", "CREATE INDEX i ON public.t USING btree (n)"));
}

TEST_F(PrintedSqlTest, ViewsAreKnownAgain) {
  for (const char* query :
       {"SELECT id, lower(v), 'x' FROM t WHERE n > 1 AND v = 'a'",
        "SELECT count(*), max(at) AS last FROM t GROUP BY s",
        "SELECT t.id, u.\"Odd Name\" FROM t JOIN u ON u.id = t.id WHERE t.v LIKE 'a%'",
        "SELECT id FROM t AS x WHERE EXISTS (SELECT 1 FROM u WHERE u.id = x.id) ORDER BY n DESC LIMIT 10",
        "SELECT DISTINCT s FROM t UNION ALL SELECT \"Odd Name\" FROM u",
        "WITH big AS (SELECT id, n FROM t WHERE n > 10) SELECT big.n FROM big",
        "SELECT n, row_number() OVER (PARTITION BY s ORDER BY at) FROM t"}) {
    ExpectSameView(query);
  }
}

TEST_F(PrintedSqlTest, TriggersStatisticsAndPoliciesAreKnownAgain) {
  for (const char* trigger : {"CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE PROCEDURE f()",
                              "CREATE OR REPLACE TRIGGER g AFTER INSERT OR UPDATE OF n, s ON t FOR EACH ROW "
                              "WHEN (NEW.n > 0 AND NEW.v = 'x') "
                              "EXECUTE FUNCTION f('a', 1)"}) {
    ExpectSame(trigger, trigger, "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname = 'g'");
  }
  for (const char* statistics :
       {"CREATE STATISTICS z ON s, n FROM t", "CREATE STATISTICS z (mcv, ndistinct) ON n, lower(v) FROM t",
        "CREATE STATISTICS IF NOT EXISTS public.z (ndistinct, dependencies, mcv) ON n, s FROM t"}) {
    ExpectSame(statistics, statistics, "SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext");
  }
  EXPECT_TRUE(SameSql("AS PERMISSIVE FOR ALL TO PUBLIC USING (v = 'a')",
                      "FOR ALL TO PUBLIC USING (((v)::text = 'a'::text))"));
  EXPECT_FALSE(SameSql("FOR ALL TO PUBLIC USING (a)", "FOR SELECT TO PUBLIC USING (a)"));
}

TEST_F(PrintedSqlTest, FunctionsAreKnownAgain) {
  for (const char* function :
       {"CREATE FUNCTION h(a int, b varchar(3) DEFAULT 'x') RETURNS int AS $$ BEGIN RETURN 1; END $$ STRICT "
        "VOLATILE COST 100 LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog",
        "CREATE OR REPLACE FUNCTION public.h(IN a text, OUT b text) LANGUAGE sql IMMUTABLE PARALLEL SAFE AS "
        "'SELECT a'",
        "CREATE FUNCTION h(a int) RETURNS TABLE (x int, y text) LANGUAGE sql ROWS 1000 AS 'SELECT 1, "
        "''i''''s'''",
        "CREATE FUNCTION h() RETURNS SETOF int LANGUAGE sql STABLE LEAKPROOF COST 5 ROWS 7 AS 'SELECT 1'"}) {
    ExpectSame(function, function, "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE proname = 'h'");
  }
  EXPECT_FALSE(SameSql("CREATE FUNCTION h() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                       "CREATE FUNCTION h() RETURNS int LANGUAGE sql AS 'SELECT 2'"));
  EXPECT_FALSE(SameSql("CREATE FUNCTION h() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                       "CREATE FUNCTION h() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'"));
}

TEST_F(PrintedSqlTest, KeysAreKnownAgain) {
  for (const char* definition : {"UNIQUE (n, s)", "PRIMARY KEY (id) INCLUDE (n)", "UNIQUE (n) DEFERRABLE",
                                 "FOREIGN KEY (id) REFERENCES u (id) ON DELETE CASCADE NOT VALID",
                                 "EXCLUDE USING btree (n WITH =) WHERE (s = 'a')"}) {
    ExpectSame(definition, absl::StrCat("ALTER TABLE t ADD CONSTRAINT k ", definition),
               "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'k'");
  }
}

TEST(SameSqlTest, NeverTakesOneMeaningForAnother) {
  constexpr const char* kPairs[][2] = {
      {"a > 1", "a > 2"},
      {"a > 1", "a >= 1"},
      {"a", "b"},
      {"a IN (1, 2)", "a NOT IN (1, 2)"},
      {"a IN (1, 2)", "a IN (2, 1, 3)"},
      {"a BETWEEN 1 AND 2", "a BETWEEN SYMMETRIC 1 AND 2"},
      {"a LIKE 'x'", "a ILIKE 'x'"},
      {"a LIKE 'x'", "a NOT LIKE 'x'"},
      {"a AND b OR c", "a AND (b OR c)"},
      {"a - (b - c)", "a - b - c"},
      {"NOT a AND b", "NOT (a AND b)"},
      {"a::date = b", "a = b"},
      {"a::numeric / b::numeric", "a / b"},
      {"a::int > 1", "a > 1"},
      {"a = '1'::text", "a = '1'::integer"},
      {"a = '2020-01-01'::date", "a = '2020-01-01'::timestamp"},
      {"a = '5'", "a = 5"},
      {"a = '5'::text", "a = 5"},
      {"a = 'X'", "a = 'x'"},
      {"public.lower(a)", "lower(a)"},
      {"crm.f(a)", "f(a)"},
      {"a OPERATOR(crm.=) b", "a = b"},
      {"a IS NULL", "a IS NOT NULL"},
      {"a IS NOT DISTINCT FROM NULL", "a IS NULL"},
      {"a::varchar(3)", "a::varchar(4)"},
      {"a::crm.mood", "a::mood"},
      {"count(DISTINCT a)", "count(a)"},
      {"CHECK (a)", "CHECK (a) NO INHERIT"},
      {"CHECK (a)", "CHECK (a) NOT VALID"},
      {"UNIQUE (a)", "PRIMARY KEY (a)"},
      {"UNIQUE (a, b)", "UNIQUE (b, a)"},
      {"UNIQUE (a)", "UNIQUE NULLS NOT DISTINCT (a)"},
      {"FOREIGN KEY (a) REFERENCES b(c)", "FOREIGN KEY (a) REFERENCES b(c) ON DELETE CASCADE"},
      {"FOREIGN KEY (a) REFERENCES b(c)", "FOREIGN KEY (a) REFERENCES crm.b(c)"},
      {"CREATE INDEX i ON t (a)", "CREATE INDEX j ON t (a)"},
      {"CREATE INDEX i ON t (a)", "CREATE UNIQUE INDEX i ON t (a)"},
      {"CREATE INDEX i ON t (a)", "CREATE INDEX i ON t (a DESC)"},
      {"CREATE INDEX i ON t (a)", "CREATE INDEX i ON t (a NULLS FIRST)"},
      {"CREATE INDEX i ON t (a)", "CREATE INDEX i ON t USING hash (a)"},
      {"CREATE INDEX i ON t (a)", "CREATE INDEX i ON t (a) WHERE b"},
      {"CREATE INDEX i ON t (a)", "CREATE INDEX i ON ONLY t (a)"},
      {"CREATE INDEX i ON t (a)", "CREATE INDEX i ON t (a text_pattern_ops)"},
      {"CREATE INDEX i ON t (a)", "CREATE INDEX i ON crm.t (a)"},
      {"CREATE INDEX i ON t (a) WITH (fillfactor = 70)", "CREATE INDEX i ON t (a) WITH (fillfactor = 80)"},
      {"SELECT a FROM t", "SELECT a AS b FROM t"},
      {"SELECT a FROM t", "SELECT DISTINCT a FROM t"},
      {"SELECT a FROM t", "SELECT a FROM t LIMIT 1"},
      {"SELECT a FROM t, u", "SELECT t.a FROM t, u"},
      {"SELECT a FROM t UNION SELECT b FROM u", "SELECT a FROM t UNION ALL SELECT b FROM u"},
      {"SELECT t.a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE t.a = 1)",
       "SELECT a FROM t WHERE EXISTS (SELECT 1 FROM u WHERE a = 1)"},
      {"CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
       "CREATE TRIGGER g BEFORE UPDATE ON t EXECUTE FUNCTION f()"},
      {"CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
       "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION crm.f()"},
      {"CREATE STATISTICS s (mcv) ON a, b FROM t", "CREATE STATISTICS s ON a, b FROM t"},
      {"", ""},
      {"((", "(("},
  };
  for (const auto& pair : kPairs) {
    EXPECT_FALSE(SameSql(pair[0], pair[1])) << pair[0] << "\n" << pair[1];
    EXPECT_FALSE(SameSql(pair[1], pair[0])) << pair[0] << "\n" << pair[1];
  }
}

TEST(SameSqlTest, CastsMayStandOnOneSideOnly) {
  // A column of a query would be named after the cast; an expression has no name.
  EXPECT_TRUE(SameSql("'none'", "'none'::character varying"));
  EXPECT_TRUE(SameSql("v = 'a'", "(v)::text = 'a'::text"));
  EXPECT_TRUE(SameSql("v IN ('a', 'b')",
                      "(v)::text = ANY ((ARRAY['a'::character varying, 'b'::character varying])::text[])"));
  EXPECT_TRUE(SameSql("a > -1", "a > '-1'::integer"));
  EXPECT_FALSE(SameSql("(v)::text = b", "v = (b)::text"));
}

// Both took time in the power of their depth.
TEST(SameSqlTest, WhatIsNestedDeepTakesNoLongerThanItIsLong) {
  std::string a = "a", b = "b", between = "a";
  for (int i = 0; i < 100; ++i) {
    a += "::text";
    b += "::text";
    between = "((" + between + ") BETWEEN 1 AND 2)";
  }
  EXPECT_FALSE(SameSql(a, b));
  EXPECT_TRUE(SameSql(a, a));
  EXPECT_TRUE(SameSql(between, between));
  EXPECT_FALSE(SameSql(between, "a"));
}

}  // namespace
}  // namespace curlew::sql
