// Scripts of `curlew plan sql`, run by psql on a real server: they do what the compiled plan promises.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "cli/sql_script.h"
#include "common/base/status_macros.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"
#include "common/plan/plan_reader.h"
#include "common/schema/schema.h"
#include "gmock/gmock.h"
#include "tests/support/pg_test.h"
#include "tests/support/plan_runner.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::cli {
namespace {

namespace fs = std::filesystem;
using ::curlew::testing::Cluster;
using ::curlew::testing::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string Content(const fs::path& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

class SqlScriptDatabaseTest : public testing::PgTest {
 protected:
  // Runs a script by psql; what it wrote.
  absl::StatusOr<std::string> Psql(const std::string& script, std::vector<std::string> flags = {}) {
    std::vector<std::string> argv = {Cluster::Get().Program("psql"), "-X", "-q"};
    argv.insert(argv.end(), flags.begin(), flags.end());
    argv.push_back(conninfo_);
    return Process::Run({.argv = argv, .input = script});
  }
  absl::StatusOr<std::string> Part(const std::string& script, int part) {
    return Psql(script, {"-v", absl::StrCat("curlew_part=", part)});
  }

  absl::Status Compile(absl::string_view yaml) {
    ASSIGN_OR_RETURN(plan_, plan::ReadPlan(yaml, "p.yaml"));
    const auto connection = Connect(conninfo_);
    ASSIGN_OR_RETURN(const v1::Schema schema, pg::ReadSchema(connection.get(), compiler::ScopeOf(plan_)));
    ASSIGN_OR_RETURN(compiled_, compiler::Compile(plan_, schema));
    ASSIGN_OR_RETURN(promised_, compiler::Apply(plan_, schema));
    script_ = SqlScript(compiled_, "the test's database", ScriptDirection::kDo);
    undo_ = SqlScript(compiled_, "the test's database", ScriptDirection::kUndo);
    return absl::OkStatus();
  }

  int Parts() const { return Count("\n-- Part "); }
  int Count(const std::string& text) const {
    int count = 0;
    for (size_t at = script_.find(text); at != script_.npos; at = script_.find(text, at + 1)) ++count;
    return count;
  }

  // A copy of the database.
  std::string Twin() {
    const std::string twin = NewDatabase();
    const auto name = [](const std::string& conninfo) {
      return Query(conninfo, "SELECT current_database()");
    };
    const std::string postgres = Cluster::Get().Conninfo("postgres");
    const std::string copy = name(twin);
    Query(postgres, absl::StrCat("DROP DATABASE \"", copy, "\" WITH (FORCE)"));
    Query(postgres, absl::StrCat("CREATE DATABASE \"", copy, "\" TEMPLATE \"", name(conninfo_), "\""));
    return twin;
  }

  // The rows of all tables, in an order that does not depend on where they lie.
  static std::vector<std::string> Rows(const std::string& conninfo) {
    const auto dump = Process::Run({.argv = {Cluster::Get().Program("pg_dump"), "--data-only",
                                             "--column-inserts", "--exclude-schema=curlew", conninfo}});
    EXPECT_OK(dump);
    std::vector<std::string> rows;
    for (absl::string_view line : absl::StrSplit(dump.value_or(""), '\n')) {
      if (absl::StartsWith(line, "INSERT")) rows.emplace_back(line);
    }
    std::sort(rows.begin(), rows.end());
    return rows;
  }

  // The first part and its undo: what is there must be what was. Then everything.
  void RunAndUndoAndRun() {
    const std::string before = PgDump(conninfo_);
    ASSERT_OK(Psql(script_)) << script_;
    if (compiled_.steps(0).phase() != v1::PHASE_DROP) {
      ASSERT_OK(Psql(undo_)) << undo_;
      EXPECT_EQ(PgDump(conninfo_), before);
      EXPECT_EQ(Query(conninfo_, "SELECT to_regnamespace('curlew') IS NULL"), "t")
          << "nothing of ours is left";
      ASSERT_OK(Psql(script_));
    }
    for (int part = 2; part <= Parts(); ++part) {
      ASSERT_OK(Part(script_, part));
    }
    if (Parts() > 1) {
      EXPECT_FALSE(Part(script_, Parts() + 1).ok()) << "it has no such part";
    }
    const bool dropped = compiled_.steps().rbegin()->phase() == v1::PHASE_DROP;
    if (dropped) {
      EXPECT_EQ(
          Query(conninfo_, "SELECT string_agg(split_part(key, ' ', 2), ' ' ORDER BY key) FROM curlew.script"),
          "drop finished");
    }
    const auto again = Psql(script_);
    ASSERT_FALSE(again.ok());
    EXPECT_THAT(again.status().message(), HasSubstr("has been run to its end"));
    if (dropped) {
      const auto undone = Psql(undo_);
      ASSERT_FALSE(undone.ok());
      EXPECT_THAT(undone.status().message(), HasSubstr("there is no way back"));
    }
    // Fails where anything else of ours is left.
    Query(conninfo_, "DROP TABLE curlew.script; DROP SCHEMA curlew");
  }

  // The same, and afterwards there must be what the plan promises.
  void ExpectLife() {
    ASSERT_NO_FATAL_FAILURE(RunAndUndoAndRun());
    const auto connection = Connect(conninfo_);
    ASSERT_OK_AND_ASSIGN(const v1::Schema after, pg::ReadSchema(connection.get(), compiler::ScopeOf(plan_)));
    EXPECT_THAT(schema::Diff(promised_, after), IsEmpty());
  }

  std::string conninfo_;
  v1::Plan plan_;
  v1::CompiledPlan compiled_;
  v1::Schema promised_;
  std::string script_, undo_;
};

// Examples that between them have every kind of step.
class ExampleTest : public SqlScriptDatabaseTest, public ::testing::WithParamInterface<std::string> {};

TEST_P(ExampleTest, DoesWhatTheStepsDoAndItsUndoUndoesIt) {
  for (const char* role : {"crm_owner", "crm_app"}) {
    Query(Cluster::Get().Conninfo("postgres"),
          absl::StrCat("DO $$ BEGIN CREATE ROLE ", role,
                       "; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"));
  }
  conninfo_ = NewDatabase("GRANT CREATE ON SCHEMA public TO PUBLIC");
  Query(conninfo_,
        "DO $$ BEGIN EXECUTE format('GRANT CREATE ON DATABASE %I TO crm_owner', current_database()); END $$");
  const std::vector<std::string> crm = {"-v", "ON_ERROR_STOP=1", "-v", "rows=400", "-v", "dirty=false"};
  ASSERT_OK(Psql(Content(CURLEW_SOURCE_DIR "/demo/crm.sql"), crm));
  const std::string name = fs::path(GetParam()).stem();
  const fs::path setup = absl::StrCat(CURLEW_SOURCE_DIR "/examples/plans/setup/", name, ".sql");
  if (fs::exists(setup)) {
    ASSERT_OK(Psql(absl::StrCat("SET ROLE crm_owner;\n", Content(setup)), crm));
  }
  ASSERT_OK(Compile(Content(absl::StrCat(CURLEW_SOURCE_DIR "/examples/", GetParam(), ".yaml"))));
  const std::string twin = Twin();
  ASSERT_NO_FATAL_FAILURE(RunAndUndoAndRun());
  const auto connection = Connect(twin);
  ASSERT_OK(testing::RunPhases(connection.get(), compiled_, v1::PHASE_DROP));
  EXPECT_EQ(PgDump(conninfo_), PgDump(twin));
  // The CRM's own trigger notes when a row was written.
  for (const std::string& database : {conninfo_, twin}) {
    Query(database,
          "ALTER TABLE contacts DISABLE TRIGGER contacts_touch; UPDATE contacts SET updated_at = 'epoch'");
  }
  EXPECT_EQ(Rows(conninfo_), Rows(twin));
}

INSTANTIATE_TEST_SUITE_P(Plans, ExampleTest,
                         ::testing::Values("plans/rename-contact-phone", "plans/add_unique",
                                           "plans/add_foreign_key", "plans/transform", "plans/purge",
                                           "plans/backfill", "plans/change_type", "plans/reindex",
                                           "plans/drop_table", "plans/sql", "plans/validate_constraint",
                                           "beyond/swap-columns", "beyond/rescale-in-place"),
                         [](const auto& info) {
                           return absl::StrReplaceAll(info.param, {{"/", "_"}, {"-", "_"}});
                         });

TEST_F(SqlScriptDatabaseTest, NamesThatNeedQuotesAndTextsWithQuotesAreRight) {
  conninfo_ = NewDatabase(
      "CREATE SCHEMA \"Odd $curlew$ 'Sch\"\"ema\";"
      "CREATE TABLE \"Odd $curlew$ 'Sch\"\"ema\".\"T ab'le;--\" (\"I d\" bigint PRIMARY KEY, \"a\\:b\" text);"
      "INSERT INTO \"Odd $curlew$ 'Sch\"\"ema\".\"T ab'le;--\" SELECT g, 'it''s \\' || g FROM "
      "generate_series(1, 5000) g");
  ASSERT_OK(Compile(R"yaml(
name: hostile
operations:
  - rename_column:
      table: '"Odd $curlew$ ''Sch""ema"."T ab''le;--"'
      from: 'a\:b'
      to: 'N ew''"--'
      up: replace("a\:b", E'it''s \\', '$curlew1$ %s :x ')
      down: replace("N ew'""--", '$curlew1$ %s :x ', E'it''s \\')
)yaml"));
  ExpectLife();
  EXPECT_EQ(Query(conninfo_,
                  "SELECT count(*) FROM \"Odd $curlew$ 'Sch\"\"ema\".\"T ab'le;--\" WHERE \"N ew'\"\"--\" = "
                  "'$curlew1$ %s :x ' || \"I d\""),
            "5000");
}

constexpr char kPartitioned[] =
    "CREATE TABLE m (id bigint, at date, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);"
    "CREATE TABLE \"m O1\" PARTITION OF m FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');"
    "CREATE TABLE m2 PARTITION OF m FOR VALUES FROM ('2021-01-01') TO ('2023-01-01') PARTITION BY RANGE (at);"
    "CREATE TABLE m2a PARTITION OF m2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');"
    "INSERT INTO m SELECT g, date '2020-01-01' + g % 700, 'v' || g FROM generate_series(1, 3000) g";

TEST_F(SqlScriptDatabaseTest, PartitionedTablesHaveEachPartitionDone) {
  conninfo_ = NewDatabase(kPartitioned);
  ASSERT_OK(Compile(R"yaml(
name: partitioned
operations:
  - rename_column: {table: m, from: v, to: w, up: upper(v), down: lower(w)}
  - create_index: {table: m, name: m_at_id, columns: [at, id]}
  - add_unique: {table: m, name: m_uq, columns: [id, at]}
  - set_not_null: {table: m, column: w}
)yaml"));
  ExpectLife();
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM m WHERE w = 'V' || id"), "3000");
  EXPECT_EQ(
      Query(conninfo_, "SELECT bool_and(indisvalid) FROM pg_index WHERE indrelid::regclass::text LIKE '%m%'"),
      "t");
}

TEST_F(SqlScriptDatabaseTest, ABackfillIsLeftAndTakenUpAndWorksWithoutScansOfRanges) {
  conninfo_ = NewDatabase(
      "CREATE TABLE t (id bigint PRIMARY KEY, a text, n int NOT NULL DEFAULT 0);"
      "INSERT INTO t SELECT g, 'a' || g FROM generate_series(1, 20000) g");
  ASSERT_OK(
      Compile("name: fill\noperations:\n  - rename_column: {table: t, from: a, to: b, up: upper(a), "
              "down: lower(b)}\n"));
  // As before PostgreSQL 14: place by place.
  const std::string old = absl::StrReplaceAll(script_, {{">= 140000", ">= 990000"}});
  ASSERT_NE(old, script_);
  ASSERT_OK(Psql(old));
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM t WHERE b IS DISTINCT FROM upper(a)"), "0");
}

TEST_F(SqlScriptDatabaseTest, ATransformGoesOnFromWhereItStopped) {
  conninfo_ = NewDatabase(
      "CREATE TABLE t (id bigint PRIMARY KEY, a int NOT NULL, \"k 2\" text NOT NULL);"
      "CREATE TABLE log (id bigint, a int, CHECK (id <> 2500));"
      "INSERT INTO t SELECT g, g % 7, 'x' FROM generate_series(1, 4000) g");
  ASSERT_OK(Compile(
      "name: log\noperations:\n  - transform:\n      table: t\n      where: a > 0\n      write: INSERT "
      "INTO log (id, a) SELECT id, a FROM batch\n      down: DELETE FROM log\n"));
  const auto failed = Psql(script_);
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.status().message(), HasSubstr("log_id_check"));
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) > 0 AND max(id) <= 2500 FROM log"), "t");
  Query(conninfo_,
        "ALTER TABLE log DROP CONSTRAINT log_id_check; INSERT INTO t SELECT g, 1, 'x' FROM "
        "generate_series(4001, 5000) g");
  ASSERT_OK(Psql(script_));
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) || ' ' || count(DISTINCT id) FROM log"),
            Query(conninfo_, "SELECT count(*) || ' ' || count(*) FROM t WHERE a > 0 AND id <= 4000"))
      << "each row once, and none that came after it had begun";
}

constexpr char kRename[] =
    "name: r\noperations:\n  - rename_column: {table: t, from: a, to: b, up: upper(a), down: lower(b)}\n";

TEST_F(SqlScriptDatabaseTest, OnceDropHasBegunNothingIsUndoneAndDropGoesOn) {
  conninfo_ = NewDatabase("CREATE TABLE t (id bigint PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x')");
  ASSERT_OK(Compile(kRename));
  const auto too_early = Part(script_, 2);
  ASSERT_FALSE(too_early.ok());
  EXPECT_THAT(too_early.status().message(), HasSubstr("part 1 of this script has not come to its end"));
  ASSERT_OK(Psql(script_));
  ASSERT_OK_AND_ASSIGN(const std::string again, Psql(script_, {"-v", "curlew_part=1"}));
  EXPECT_THAT(again, AllOf(HasSubstr("done before"), HasSubstr("Done up to here")));
  // The last statement of DROP fails.
  Query(conninfo_, "CREATE VIEW v AS SELECT a FROM t");
  ASSERT_FALSE(Part(script_, 2).ok());
  const std::string before = PgDump(conninfo_);
  const auto undone = Psql(undo_);
  ASSERT_FALSE(undone.ok());
  EXPECT_THAT(undone.status().message(), AllOf(HasSubstr("there is no way back"), HasSubstr("HINT:")));
  EXPECT_EQ(PgDump(conninfo_), before);
  Query(conninfo_, "DROP VIEW v");
  ASSERT_OK(Part(script_, 2));
  EXPECT_EQ(Query(conninfo_, "SELECT b FROM t"), "X");
  EXPECT_FALSE(Psql(undo_).ok());
  EXPECT_EQ(Query(conninfo_, "SELECT b FROM t"), "X") << "the only copy";
}

TEST_F(SqlScriptDatabaseTest, OnlyWhatWasBegunIsUndone) {
  conninfo_ = NewDatabase(
      "CREATE TABLE t (id bigint PRIMARY KEY, a int); CREATE TABLE one (id bigint); CREATE TABLE two (id "
      "bigint); CREATE TABLE log (id bigint, CHECK (id <> 2500)); INSERT INTO two VALUES (7);"
      "INSERT INTO t SELECT g, 1 FROM generate_series(1, 4000) g");
  ASSERT_OK(Compile(R"yaml(
name: three
operations:
  - transform: {table: t, write: INSERT INTO one (id) SELECT id FROM batch, down: DELETE FROM one}
  - transform: {table: t, write: INSERT INTO log (id) SELECT id FROM batch, down: DELETE FROM log}
  - transform: {table: t, write: INSERT INTO two (id) SELECT id FROM batch, down: DELETE FROM two}
)yaml"));
  const std::string rows =
      "SELECT format('%s %s %s', (SELECT count(*) FROM one), (SELECT count(*) FROM log),"
      " (SELECT count(*) FROM two))";
  EXPECT_FALSE(Psql(undo_).ok()) << "nothing has been begun";
  EXPECT_EQ(Query(conninfo_, rows), "0 0 1");
  for (int run = 0; run < 2; ++run) {
    ASSERT_FALSE(Psql(script_).ok());
    EXPECT_EQ(Query(conninfo_, rows), "4000 2000 1") << "done once, half done, not begun";
  }
  ASSERT_OK(Psql(undo_));
  EXPECT_EQ(Query(conninfo_, rows), "0 0 1") << "the row that another wrote";
  EXPECT_EQ(Query(conninfo_, "SELECT to_regnamespace('curlew') IS NULL"), "t");
  // Nothing goes on from where it had stopped before the undo.
  Query(conninfo_, "ALTER TABLE log DROP CONSTRAINT log_id_check");
  ASSERT_OK(Psql(script_));
  EXPECT_EQ(Query(conninfo_, rows), "4000 4000 4001");
}

TEST_F(SqlScriptDatabaseTest, AnIndexThatIsHalfBuiltIsBuiltAnewByTheNextRun) {
  for (const char* table : {"CREATE TABLE t (id bigint, a text);",
                            "CREATE TABLE t (id bigint, a text) PARTITION BY RANGE (id);"
                            "CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (2);"
                            "CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (2) TO (9);"}) {
    SCOPED_TRACE(table);
    conninfo_ = NewDatabase(
        absl::StrCat(table,
                     "INSERT INTO t VALUES (1, '1'), (3, 'x');"
                     "CREATE FUNCTION f(text) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT $1::int $$"));
    ASSERT_OK(Compile(
        "name: i\noperations:\n  - create_index: {table: t, name: t_f, keys: [{expression: f(a)}]}\n"));
    ASSERT_FALSE(Psql(script_).ok());
    ASSERT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_index WHERE NOT indisvalid"), "1");
    Query(conninfo_,
          "CREATE OR REPLACE FUNCTION f(text) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT length($1) $$");
    ASSERT_OK(Psql(script_));
    EXPECT_EQ(Query(conninfo_,
                    "SELECT bool_and(indisvalid) AND to_regclass('t_f') IS NOT NULL FROM pg_index WHERE "
                    "indrelid::regclass::text ~ '^t'"),
              "t");
  }
}

TEST_F(SqlScriptDatabaseTest, NothingIsChangedBeforeSomebodySaysThatTheBackupsAreMade) {
  conninfo_ = NewDatabase("CREATE TABLE t (id bigint PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x')");
  ASSERT_OK(Compile(absl::StrCat(kRename, "backup:\n  dump: {}\n  commands: [base]\n")));
  const std::string before = PgDump(conninfo_);
  const auto failed = Psql(script_);
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.status().message(),
              AllOf(HasSubstr("nobody has said that the backups are made"), HasSubstr("pg_dump"),
                    HasSubstr("\"base\""), HasSubstr("psql -v curlew_backup_done=1")));
  EXPECT_EQ(PgDump(conninfo_), before);
  ASSERT_OK(Psql(script_, {"-v", "curlew_backup_done=1"}));
  ASSERT_OK(Psql(script_)) << "said once";
  ASSERT_OK(Part(script_, 2));
}

TEST_F(SqlScriptDatabaseTest, ATriggerOfAPartitionThatDoesNotFireStopsDrop) {
  conninfo_ = NewDatabase(kPartitioned);
  ASSERT_OK(Compile(
      "name: p\noperations:\n  - rename_column: {table: m, from: v, to: w, up: upper(v), down: lower(w)}\n"));
  ASSERT_OK(Psql(script_));
  const auto switch_all = [&](const std::string& how) {
    Query(conninfo_, absl::StrCat("DO $$ DECLARE c text; BEGIN FOR c IN SELECT format('ALTER TABLE %s ", how,
                                  " TRIGGER %I', tgrelid::regclass, tgname) FROM pg_trigger WHERE tgrelid = "
                                  "'m2a'::regclass LOOP EXECUTE c; END LOOP; END $$"));
  };
  switch_all("DISABLE");
  const auto failed = Part(script_, 2);
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.status().message(),
              AllOf(HasSubstr("must exist and fire always"), HasSubstr(" of m2a")));
  switch_all("ENABLE ALWAYS");
  ASSERT_OK(Part(script_, 2));
}

TEST_F(SqlScriptDatabaseTest, OneAnswerIsAskedForAndNotSeveral) {
  for (const char* query : {"SELECT 0 FROM generate_series(1, 2)", "SELECT 0 WHERE false"}) {
    conninfo_ = NewDatabase("CREATE TABLE t (id bigint PRIMARY KEY, a text)");
    ASSERT_OK(Compile(
        absl::StrCat(kRename, "verify:\n  - name: nought\n    query: {sql: '", query, "', expect: 0}\n")));
    const auto failed = Psql(script_);
    ASSERT_FALSE(failed.ok());
    EXPECT_THAT(failed.status().message(),
                AllOf(HasSubstr("nought: query returned "), HasSubstr(", and has to give one")));
  }
}

TEST_F(SqlScriptDatabaseTest, WhatDoesNotHoldStopsTheScriptBeforeAnythingIsDropped) {
  conninfo_ =
      NewDatabase("CREATE TABLE t (id bigint PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x'), (2, 'x')");
  ASSERT_OK(Compile("name: unique\noperations:\n  - add_unique: {table: t, name: t_a, columns: [a]}\n"));
  const auto failed = Psql(script_);
  ASSERT_FALSE(failed.ok());
  EXPECT_THAT(failed.status().message(), HasSubstr("ERROR:  does not hold: "));
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_constraint WHERE conname = 't_a'"), "0");
}

}  // namespace
}  // namespace curlew::cli
