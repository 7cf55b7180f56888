// Whole lives of plans on schemas that are out of the ordinary: each phase and back with the same pg_dump,
// then to the end.
#include "absl/strings/str_cat.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"
#include "common/plan/plan_reader.h"
#include "tests/support/pg_test.h"
#include "tests/support/plan_runner.h"
#include "tests/support/status_matchers.h"

namespace curlew::operations {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::PgTest;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

class OddSchemasTest : public PgTest {
 protected:
  void Start(absl::string_view setup, absl::string_view operations) {
    conninfo_ = NewDatabase(setup);
    connection_ = Connect(conninfo_);
    auto plan = plan::ReadPlan(absl::StrCat("name: p\noperations:\n", operations), "p.yaml");
    ASSERT_THAT(plan, IsOk()) << operations;
    auto schema = pg::ReadSchema(connection_.get(), compiler::ScopeOf(*plan));
    ASSERT_THAT(schema, IsOk());
    compiled_ = compiler::Compile(*plan, *schema);
  }

  // Every phase and back.
  void ExpectRollbacks() {
    ASSERT_THAT(compiled_, IsOk());
    const std::string before = PgDump(conninfo_);
    for (v1::Phase last : {v1::PHASE_ADD, v1::PHASE_DUAL_WRITE, v1::PHASE_BACKFILL, v1::PHASE_CONSTRAIN}) {
      ASSERT_THAT(testing::RunPhases(connection_.get(), *compiled_, last), IsOk()) << v1::Phase_Name(last);
      ASSERT_THAT(testing::UndoPhases(connection_.get(), *compiled_, last), IsOk()) << v1::Phase_Name(last);
      EXPECT_EQ(PgDump(conninfo_), before) << "rolled back from " << v1::Phase_Name(last);
    }
  }
  // Every phase after `done` up to `last`.
  void RunFrom(v1::Phase done, v1::Phase last) {
    ASSERT_THAT(compiled_, IsOk());
    for (const v1::Step& step : compiled_->steps()) {
      if (step.phase() <= done || step.phase() > last) continue;
      ASSERT_THAT(testing::RunAction(connection_.get(), step.action()), IsOk()) << step.title();
    }
  }
  void RunTo(v1::Phase last) { RunFrom(v1::PHASE_UNSPECIFIED, last); }
  void Run(absl::string_view sql) { EXPECT_THAT(connection_->Execute(sql), IsOk()) << sql; }
  std::string Ask(absl::string_view sql) {
    auto result = connection_->Execute(sql);
    EXPECT_THAT(result, IsOk()) << sql;
    if (!result.ok() || result->empty()) return "(nothing)";
    return result->IsNull(0, 0) ? "NULL" : result->Text(0, 0);
  }

  std::string conninfo_;
  std::unique_ptr<pg::Connection> connection_;
  absl::StatusOr<v1::CompiledPlan> compiled_;
};

TEST_F(OddSchemasTest, EveryKindOfTypeIsRenamedWithItsValues) {
  struct Case {
    const char* type;
    const char* a;  // two values
    const char* b;
  };
  for (const Case& c : std::vector<Case>{
           {"mood", "'sad'", "'Happy'"},
           {"amount", "(1.50, 'EUR')", "(2, NULL)"},
           {"amount", "(NULL, NULL)", "(NULL, 'x')"},
           {"text[]", "'{a,NULL}'", "'{}'"},
           {"char(5)", "'a '", "'b'"},
           {"varchar(3)", "'abc'", "''"},
           {"numeric(8,2)", "1.5", "-0.01"},
           {"numeric", "1.0", "1.00"},
           {"float8", "0", "'-0'"},
           {"timestamptz(0)", "'2024-02-29 12:00+01'", "'infinity'"},
           {"jsonb", "'{\"a\": 1}'", "'null'"},
           {"json", "'{\"a\":1}'", "'{\"a\": 1}'"},
           {"point", "'(1,2)'", "'(0,0)'"},
           {"point[]", "'{\"(1,2)\"}'", "'{}'"},
           {"xml", "'<a/>'", "'<b/>'"},
           {"int4range", "'[1,2]'", "'empty'"},
           {"citext", "'abc'", "'ABC'"},
           {"text COLLATE loose", "'abc'", "'ABC'"},
           {"interval", "'24 hours'", "'1 day'"},
           {"bit varying(4)", "B'1'", "B''"},
           {"inet", "'10.0.0.1'", "'::1/64'"},
           {"oid", "1", "2"},
           {"bytea", "'\\x00ff'", "''"},
       }) {
    for (const char* null : {"", " NOT NULL"}) {
      SCOPED_TRACE(absl::StrCat(c.type, null));
      Start(absl::StrCat(
                "CREATE EXTENSION citext; CREATE TYPE mood AS ENUM ('sad', 'Happy'); CREATE TYPE amount AS "
                "(value numeric, currency text); CREATE COLLATION loose (provider = icu, locale = "
                "'und-u-ks-level2', deterministic = false); CREATE TABLE t (id int PRIMARY KEY, o ",
                c.type, null, ", other int); INSERT INTO t VALUES (1, ", c.a, "), (2, ", c.b, ")",
                *null ? "" : "; INSERT INTO t VALUES (3, NULL)"),
            "  - rename_column: {table: t, from: o, to: n}\n");
      RunTo(v1::PHASE_DUAL_WRITE);
      auto same = [&](int id) {
        EXPECT_EQ(Ask(absl::StrCat("SELECT ROW(o)::record *= ROW(n)::record FROM t WHERE id = ", id)), "t")
            << "row " << id;
      };
      Run("UPDATE t SET other = 1");
      same(1);
      same(2);
      Run(absl::StrCat("INSERT INTO t (id, o) VALUES (11, ", c.a, ")"));
      Run(absl::StrCat("INSERT INTO t (id, n) VALUES (12, ", c.a, ")"));
      Run(absl::StrCat("INSERT INTO t (id, n) VALUES (13, ", c.b, ")"));
      for (int id : {11, 12, 13}) same(id);
      EXPECT_EQ(
          Ask("SELECT ROW(n)::record *= ROW((SELECT o FROM t WHERE id = 1))::record FROM t WHERE id = 12"),
          "t");
      EXPECT_EQ(
          Ask("SELECT ROW(n)::record *= ROW((SELECT o FROM t WHERE id = 2))::record FROM t WHERE id = 13"),
          "t");
      Run(absl::StrCat("UPDATE t SET o = ", c.b, " WHERE id = 11"));
      Run(absl::StrCat("UPDATE t SET n = ", c.b, " WHERE id = 12"));
      Run(absl::StrCat("UPDATE t SET n = ", c.a, " WHERE id = 13"));
      for (int id : {11, 12, 13}) same(id);
      EXPECT_EQ(
          Ask("SELECT ROW(n)::record *= ROW((SELECT o FROM t WHERE id = 2))::record FROM t WHERE id = 12"),
          "t");
      EXPECT_EQ(
          Ask("SELECT ROW(n)::record *= ROW((SELECT o FROM t WHERE id = 1))::record FROM t WHERE id = 13"),
          "t");
      RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_DROP);
      EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("curlew")));
    }
  }
}

// An undo of these would drop what was there before the plan: they wait for a stage of their own.
TEST_F(OddSchemasTest, ANameInUseWhileThePlanRunsMakesALaterStage) {
  for (const char* operations :
       {"  - rename_column: {table: t, from: a, to: b}\n  - add_column: {table: t, column: a, type: text}\n",
        "  - drop_column: {table: t, column: a}\n  - add_column: {table: t, column: a, type: text}\n",
        "  - drop_column: {table: t, column: a}\n  - add_check: {table: t, name: a_check, expression: c > "
        "1}\n",
        "  - drop_column: {table: t, column: a}\n  - create_index: {table: t, name: a_index, columns: [c]}\n",
        "  - drop_column: {table: t, column: a}\n  - add_unique: {table: t, name: a_index, columns: "
        "[c]}\n"}) {
    SCOPED_TRACE(operations);
    Start(
        "CREATE TABLE t (id int PRIMARY KEY, a int CONSTRAINT a_check CHECK (a > 0), c int); CREATE INDEX "
        "a_index ON t (a); INSERT INTO t VALUES (1, 2, 3)",
        operations);
    ASSERT_THAT(compiled_, IsOk());
    EXPECT_EQ(compiled_->steps(0).stage(), 0);
    EXPECT_EQ(compiled_->steps(compiled_->steps_size() - 1).stage(), 1);
    RunTo(v1::PHASE_DROP);
    EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("curlew")));
  }
  // The first operation of a stage has nothing before it that would free the name.
  Start("CREATE TABLE t (id int PRIMARY KEY, a int)", "  - add_column: {table: t, column: a, type: text}\n");
  EXPECT_THAT(compiled_, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("column a of table")));
}

TEST_F(OddSchemasTest, ASystemColumnsNameIsRefused) {
  for (const char* operation :
       {"rename_column: {table: t, from: a, to: xmin}", "add_column: {table: t, column: ctid, type: int}"}) {
    Start("CREATE TABLE t (id int PRIMARY KEY, a int)", absl::StrCat("  - ", operation, "\n"));
    EXPECT_THAT(compiled_, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is a system column")));
  }
}

TEST_F(OddSchemasTest, AnIndexNameOfAnotherTableStopsBeforeAnythingChanges) {
  for (const char* operation : {"create_index", "add_unique"}) {
    Start("CREATE TABLE other (x int); CREATE INDEX taken ON other (x); CREATE TABLE t (id int PRIMARY KEY)",
          absl::StrCat("  - ", operation, ": {table: t, name: taken, columns: [id]}\n"));
    ASSERT_THAT(compiled_, IsOk());
    const v1::Step& first = compiled_->steps(0);
    EXPECT_TRUE(first.preflight());
    EXPECT_THAT(testing::RunAction(connection_.get(), first.action()),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is named taken")));
  }
}

TEST_F(OddSchemasTest, TwoRenamesShareAnIndexAConstraintAndStatistics) {
  Start(
      "CREATE TABLE p (x int, y int, PRIMARY KEY (x, y)); INSERT INTO p VALUES (1, 2);"
      "CREATE TABLE t (id int PRIMARY KEY, a int, c int, CONSTRAINT twofold CHECK (a < c), CONSTRAINT uni "
      "UNIQUE (a, c), "
      "CONSTRAINT far FOREIGN KEY (a, c) REFERENCES p);"
      "CREATE INDEX shared ON t (c, (a + 1)) INCLUDE (a) WHERE c > 0; CREATE STATISTICS stat ON a, c FROM t;"
      "INSERT INTO t VALUES (1, 1, 2), (2, NULL, NULL)",
      "  - rename_column: {table: t, from: a, to: b}\n  - rename_column: {table: t, from: c, to: d}\n"
      "  - add_check: {table: t, name: more, expression: b + d < 100}\n");
  ExpectRollbacks();
  RunTo(v1::PHASE_DROP);
  const std::string after = PgDump(conninfo_);
  EXPECT_THAT(after, Not(HasSubstr("curlew")));
  for (const char* part :
       {"CONSTRAINT twofold CHECK ((b < d))", "CONSTRAINT more CHECK (((b + d) < 100))",
        "ADD CONSTRAINT uni UNIQUE (b, d)",
        "ADD CONSTRAINT far FOREIGN KEY (b, d) REFERENCES public.p(x, y);",
        "CREATE INDEX shared ON public.t USING btree (d, ((b + 1))) INCLUDE (b) WHERE (d > 0)",
        "CREATE STATISTICS public.stat ON b, d"}) {
    EXPECT_THAT(after, HasSubstr(part));
  }
}

TEST_F(OddSchemasTest, AConstraintThatIsNotValidStaysSo) {
  Start(
      "CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES "
      "(1, 7);"
      "ALTER TABLE t ADD CONSTRAINT orphan FOREIGN KEY (a) REFERENCES p NOT VALID",
      "  - rename_column: {table: t, from: a, to: b}\n");
  ExpectRollbacks();
  RunTo(v1::PHASE_DROP);
  EXPECT_THAT(PgDump(conninfo_), HasSubstr("orphan FOREIGN KEY (b) REFERENCES public.p(id) NOT VALID"));
}

TEST_F(OddSchemasTest, AKeyThatTheTableItselfReferencesIsRefused) {
  Start("CREATE TABLE t (id int PRIMARY KEY, code int UNIQUE, up int CONSTRAINT tree REFERENCES t (code))",
        "  - rename_column: {table: t, from: code, to: number}\n");
  EXPECT_THAT(compiled_, StatusIs(absl::StatusCode::kFailedPrecondition,
                                  HasSubstr("foreign key tree of the table itself")));
  Start("CREATE TABLE t (id int PRIMARY KEY, code int UNIQUE, up int CONSTRAINT tree REFERENCES t (code))",
        "  - rename_column: {table: t, from: up, to: parent}\n");
  ExpectRollbacks();
  RunTo(v1::PHASE_DROP);
  EXPECT_THAT(PgDump(conninfo_), HasSubstr("tree FOREIGN KEY (parent) REFERENCES public.t(code);"));
}

TEST_F(OddSchemasTest, ADomainWithConstraintsIsNoticedBeforeItRewritesTheTable) {
  const char* setup =
      "CREATE DOMAIN free AS text; CREATE DOMAIN phone AS free CHECK (VALUE <> ''); CREATE TYPE mood AS ENUM "
      "('a');"
      "CREATE TABLE t (id int PRIMARY KEY, o phone, f free, m mood, x text); INSERT INTO t VALUES (1, '1', "
      "'2', 'a', 'x')";
  for (const char* bad :
       {"rename_column: {table: t, from: o, to: n}", "add_column: {table: t, column: n, type: phone}",
        "rename_column: {table: t, from: x, to: n, type: phone}"}) {
    Start(setup, absl::StrCat("  - ", bad, "\n"));
    ASSERT_THAT(compiled_, IsOk()) << bad;
    EXPECT_THAT(testing::RunPhases(connection_.get(), *compiled_, v1::PHASE_ADD),
                StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("rewrites the table")))
        << bad;
    Start(setup, absl::StrCat("  - ", bad, "\nsettings: {acknowledge: [rewrites-table]}\n"));
    ExpectRollbacks();
    RunTo(v1::PHASE_DROP);
  }
  for (const char* good :
       {"rename_column: {table: t, from: f, to: n}", "rename_column: {table: t, from: m, to: n}",
        "add_column: {table: t, column: n, type: mood}",
        "add_column: {table: t, column: n, type: 'mood[]'}"}) {
    Start(setup, absl::StrCat("  - ", good, "\n"));
    ExpectRollbacks();
    RunTo(v1::PHASE_DROP);
  }
}

TEST_F(OddSchemasTest, AWriterThroughAViewNeedsNoRightOnTheTablesSchema) {
  const std::string app = NewRole("NOLOGIN");
  Start(absl::StrCat("CREATE SCHEMA hidden; CREATE TABLE hidden.t (id int PRIMARY KEY, o text, other int);"
                     "CREATE VIEW v AS SELECT id, other FROM hidden.t; GRANT ALL ON v TO ",
                     app, "; INSERT INTO hidden.t VALUES (1, 'a')"),
        "  - rename_column: {table: hidden.t, from: o, to: n, up: upper(o), down: lower(n)}\n");
  RunTo(v1::PHASE_DUAL_WRITE);
  Run(absl::StrCat("SET ROLE ", app));
  Run("UPDATE v SET other = 1");
  Run("INSERT INTO v VALUES (2, 2)");
  Run("RESET ROLE");
  EXPECT_EQ(Ask("SELECT n FROM hidden.t WHERE id = 1"), "A");
}

TEST_F(OddSchemasTest, BackslashesMeanTheSameInEverySession) {
  Start("CREATE TABLE t (id int PRIMARY KEY, o text)",
        "  - rename_column: {table: t, from: o, to: n, up: \"regexp_replace(o, '\\\\D', '', 'g') || "
        "E'\\\\n$curlew$'\"}\n");
  RunTo(v1::PHASE_DUAL_WRITE);
  Run("SET standard_conforming_strings = off");
  Run("INSERT INTO t VALUES (1, 'D12-3')");
  Run("RESET standard_conforming_strings");
  EXPECT_EQ(Ask("SELECT n FROM t"), "123\n$curlew$");
}

TEST_F(OddSchemasTest, TheValueOfADroppedColumnIsComputedFromWhatAPairFills) {
  Start("CREATE TABLE t (id int PRIMARY KEY, a int NOT NULL, gone int NOT NULL)",
        "  - rename_column: {table: t, from: a, to: b}\n  - drop_column: {table: t, column: gone, down: b * "
        "2}\n");
  ExpectRollbacks();
  RunTo(v1::PHASE_DUAL_WRITE);
  Run("INSERT INTO t (id, a) VALUES (1, 4)");
  Run("INSERT INTO t (id, b) VALUES (2, 5)");
  EXPECT_EQ(Ask("SELECT string_agg(gone::text, ',' ORDER BY id) FROM t"), "8,10");
}

TEST_F(OddSchemasTest, PartitionsOfPartitionsAndUpsertsStayInStep) {
  Start(
      "CREATE TABLE t (k int, o text DEFAULT 'd', l int, g text GENERATED ALWAYS AS (k + l) STORED, PRIMARY "
      "KEY (k, l)) "
      "PARTITION BY LIST (l);"
      "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1) PARTITION BY RANGE (k); CREATE TABLE t11 PARTITION "
      "OF t1 DEFAULT;"
      "CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2); INSERT INTO t SELECT i, 'x' || i, 1 FROM "
      "generate_series(1, 9) i",
      "  - rename_column: {table: t, from: o, to: n, up: upper(o), down: lower(n)}\n");
  ExpectRollbacks();
  RunTo(v1::PHASE_DUAL_WRITE);
  EXPECT_EQ(Ask("SELECT count(*) FROM pg_trigger WHERE tgname LIKE '~curlew%' AND tgenabled <> 'A'"), "0");
  Run("INSERT INTO t (k, o, l) VALUES (1, 'up', 1) ON CONFLICT (k, l) DO UPDATE SET o = excluded.o");
  Run("INSERT INTO t (k, n, l) VALUES (2, 'NEW', 1) ON CONFLICT (k, l) DO UPDATE SET n = excluded.n");
  Run("INSERT INTO t (k, l) VALUES (20, 2)");
  Run("INSERT INTO t (k, l, o) SELECT k + 100, 2, o FROM t WHERE k = 3");
  Run("UPDATE t SET l = 2 WHERE k = 4");
  Run("MERGE INTO t USING (VALUES (5, 'm')) s (k, v) ON t.k = s.k WHEN MATCHED THEN UPDATE SET n = 'MERGED'");
  EXPECT_EQ(Ask("SELECT string_agg(format('%s:%s:%s', k, o, n), ' ' ORDER BY k) FROM t WHERE k NOT IN (3, 6, "
                "7, 8, 9)"),
            "1:up:UP 2:new:NEW 4:x4:X4 5:merged:MERGED 20:d:D 103:x3:X3");
  RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_DROP);
  EXPECT_EQ(Ask("SELECT count(*) FROM t WHERE n <> upper(n)"), "0");
  EXPECT_THAT(PgDump(conninfo_), Not(HasSubstr("curlew")));
}

TEST_F(OddSchemasTest, OddIndexesAndStatisticsAreCarriedExactly) {
  const std::string name = "\"Ünï code with 63 bytes in its name, which is the most there i\"";
  Start(
      "CREATE EXTENSION pg_trgm; CREATE TABLE t (o text COLLATE \"C\", id int);CREATE INDEX i1 ON t USING "
      "gin (o gin_trgm_ops);CREATE INDEX i2 ON t (o COLLATE \"POSIX\" text_pattern_ops DESC NULLS LAST) WITH "
      "(fillfactor = 70);CREATE UNIQUE INDEX i3 ON t (lower(o), (CASE WHEN id > 1 THEN o ELSE 'it''s' END)) "
      "NULLS NOT DISTINCT;CREATE UNIQUE INDEX i4 ON t (id) INCLUDE (o) WHERE o LIKE 'a\\b%' OR o = ANY "
      "('{x,y}');CREATE INDEX i5 ON t USING brin (o) WITH (pages_per_range = 8); CREATE INDEX i6 ON t USING "
      "hash (o);CREATE STATISTICS s1 (mcv) ON lower(o), id FROM t; CREATE STATISTICS s2 ON (o || 'x') FROM "
      "t;ALTER TABLE t ADD CONSTRAINT c CHECK (o !~ '^\\s' AND (o)::text <> E'a\\nb');ALTER TABLE t ADD "
      "CONSTRAINT u UNIQUE NULLS NOT DISTINCT (o, id); INSERT INTO t VALUES ('abc', 1), (NULL, 2)",
      absl::StrCat("  - rename_column: {table: t, from: o, to: ", name, "}\n"));
  ASSERT_THAT(compiled_, IsOk());
  Run(absl::StrCat("ALTER TABLE t RENAME o TO ", name));
  const auto definitions = [&] {
    return Ask(
        "SELECT string_agg(d, E'\\n' ORDER BY d) FROM (SELECT pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indrelid = 't'::regclass UNION ALL SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE "
        "conrelid = 't'::regclass UNION ALL SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext) AS x "
        "(d)");
  };
  const std::string expected = definitions();
  Run(absl::StrCat("ALTER TABLE t RENAME ", name, " TO o"));
  ExpectRollbacks();
  RunTo(v1::PHASE_DROP);
  EXPECT_EQ(definitions(), expected);
}

TEST_F(OddSchemasTest, ATableThatOthersInheritFromStopsBeforeAnythingChanges) {
  for (const char* operation : {"rename_column: {table: t, from: o, to: n}",
                                "add_column: {table: t, column: n, type: int, up: o + 1}"}) {
    Start(
        "CREATE TABLE t (id int PRIMARY KEY, o int); CREATE TABLE child () INHERITS (t); INSERT INTO child "
        "VALUES (1, 2)",
        absl::StrCat("  - ", operation, "\n"));
    const std::string before = PgDump(conninfo_);
    ASSERT_THAT(compiled_, IsOk());
    EXPECT_THAT(
        testing::RunPhases(connection_.get(), *compiled_, v1::PHASE_DROP),
        StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("no table inherits from public.t")));
    EXPECT_EQ(PgDump(conninfo_), before);
  }
}

TEST_F(OddSchemasTest, WhatStandsOnAPartitionAloneStopsBeforeAnythingChanges) {
  const std::string tables =
      "CREATE TABLE p (x int PRIMARY KEY); INSERT INTO p VALUES (3);"
      "CREATE TABLE t (id int, o int DEFAULT 3 CONSTRAINT c CHECK (o > 0) REFERENCES p, l int) PARTITION BY "
      "LIST (l);"
      "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); ";
  for (const char* own : {"CREATE INDEX own ON t1 (o)", "CREATE VIEW own AS SELECT o FROM t1",
                          "ALTER TABLE t1 ADD CHECK (o < 100)", "CREATE STATISTICS own ON o, id FROM t1",
                          "CREATE POLICY own ON t1 USING (o > 1)",
                          "CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2) PARTITION BY RANGE (o)"}) {
    for (const char* operation : {"rename_column: {table: t, from: o, to: n, discard: [t_o_fkey]}",
                                  "drop_column: {table: t, column: o}"}) {
      Start(absl::StrCat(tables, own), absl::StrCat("  - ", operation, "\n"));
      ASSERT_THAT(compiled_, IsOk());
      EXPECT_THAT(
          testing::RunPhases(connection_.get(), *compiled_, v1::PHASE_DROP),
          StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("of a partition of public.t alone")))
          << own;
    }
  }
  Start(absl::StrCat(tables, "CREATE INDEX ON t (l)"),
        "  - rename_column: {table: t, from: o, to: n, discard: [t_o_fkey]}\n");
  ExpectRollbacks();
  RunTo(v1::PHASE_DROP);
}

TEST_F(OddSchemasTest, RowLevelSecurityAndDefaultPrivilegesDoNotStandInTheWay) {
  const std::string app = NewRole("NOLOGIN");
  Start(
      absl::StrCat("ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC; CREATE TABLE t (o "
                   "text, who text);"
                   "ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (who = current_user);"
                   "GRANT ALL ON t TO ",
                   app, "; INSERT INTO t VALUES ('a', '", app, "'), ('b', 'x')"),
      "  - rename_column: {table: t, from: o, to: n, up: \"CASE WHEN (ARRAY[o])[1] IS NULL THEN NULL ELSE "
      "COALESCE(o, "
      "'--')::text || E'\\\\'' END\", down: \"left(n, -1)\"}\n");
  ExpectRollbacks();
  RunTo(v1::PHASE_DUAL_WRITE);
  Run(absl::StrCat("SET ROLE ", app));
  Run("UPDATE t SET o = 'c'");
  Run("INSERT INTO t (n, who) VALUES ('z''', current_user)");
  Run("RESET ROLE");
  EXPECT_EQ(Ask("SELECT string_agg(o || n, ' ' ORDER BY o) FROM t WHERE n IS NOT NULL"), "cc' zz'");
  RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_DROP);
  EXPECT_EQ(Ask("SELECT string_agg(n, ' ' ORDER BY n) FROM t"), "b' c' z'");
}

}  // namespace
}  // namespace curlew::operations
