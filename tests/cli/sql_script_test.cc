#include "cli/sql_script.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

v1::CompiledPlan Plan(const std::string& steps) {
  return Parse<v1::CompiledPlan>(absl::StrCat(
      "plan_name: 'rename' plan_digest: 'abc' compiler_version: '5' settings { max_lock_timeout { nanos: "
      "500000000 } ddl_statement_timeout { seconds: 1 } backfill_batch_target { nanos: 50000000 } } ",
      steps));
}

std::string Do(const std::string& steps) {
  return SqlScript(Plan(steps), "schema x.json", ScriptDirection::kDo);
}

int Count(const std::string& text, const std::string& what) {
  return static_cast<int>(std::vector<std::string>(absl::StrSplit(text, what)).size()) - 1;
}

std::string Step(const std::string& action, const std::string& phase = "ADD") {
  return absl::StrCat("steps { key: 'k-1' phase: PHASE_", phase, " title: 'Do it' action { ", action,
                      " } } ");
}

TEST(SqlScriptTest, DdlRunsInATransactionUnderTheLockTimeOut) {
  const std::string script = Do(Step("execute_sql { statements: 'ALTER TABLE public.t ADD b text' }"));
  EXPECT_THAT(script,
              StartsWith("-- SQL of plan rename, compiled against schema x.json\n--   plan      abc\n"));
  EXPECT_THAT(
      script,
      AllOf(HasSubstr("-- Phase ADD\n"), HasSubstr("\\set ON_ERROR_STOP on\n-- k-1: Do it\nSELECT EXISTS ("),
            HasSubstr("\\echo 'k-1: Do it'\nBEGIN;\nSET LOCAL lock_timeout = '500ms';\nSET LOCAL "
                      "statement_timeout = '1000ms';\nINSERT INTO curlew.script "),
            HasSubstr(";\nALTER TABLE public.t ADD b text;\nCOMMIT;\n\\endif\n"),
            Not(HasSubstr("curlew_part"))));
}

TEST(SqlScriptTest, WhatCannotRunInATransactionStandsByItselfAndSaysSo) {
  EXPECT_THAT(
      Do(Step("execute_sql_concurrently { statement: 'CREATE INDEX CONCURRENTLY i ON public.t (b)' index: "
              "'public.i' table: 'public.t' effect: EFFECT_CREATES }")),
      HasSubstr("-- Cannot run in a transaction: it stands by itself.\n"
                "CREATE INDEX CONCURRENTLY i ON public.t (b);\n\\endif\nINSERT INTO curlew.script "));
  EXPECT_THAT(Do(Step("analyze { table: 'public.t' vacuum: true }")),
              HasSubstr("stands by itself.\nVACUUM (ANALYZE) public.t;\n"));
}

TEST(SqlScriptTest, EveryStepStopsAtAnErrorAndIsPassedOverOnceItIsDone) {
  const v1::CompiledPlan plan = Plan(R"(
    steps { key: "add-1" phase: PHASE_ADD action { execute_sql { statements: "DO 1" } }
            undo { execute_sql { statements: "UNDO 1" } } }
    steps { key: "add-2" phase: PHASE_ADD action { backfill { table: "public.t" } }
            undo { execute_sql { statements: "UNDO 2" } } })");
  const std::string script = SqlScript(plan, "x", ScriptDirection::kDo);
  const std::string undo = SqlScript(plan, "x", ScriptDirection::kUndo);
  for (const std::string& text : {script, undo}) {
    EXPECT_EQ(Count(text, "\\set ON_ERROR_STOP on\n"), 4) << "at the top, before each step, and at the end";
    EXPECT_EQ(Count(text, " AS curlew_done \\gset\n\\if :curlew_done\n"), 2);
    EXPECT_THAT(text, Not(HasSubstr("from that step on")));
  }
  EXPECT_EQ(Count(script, "'begun'"), 1) << "what is one transaction does not stop half-way";
  EXPECT_THAT(undo, HasSubstr("there is no way back"));
}

TEST(SqlScriptTest, DropIsAPartOfItsOwn) {
  const std::string script =
      Do(absl::StrCat(Step("execute_sql { statements: 'SELECT 1' }"),
                      Step("execute_sql { statements: 'ALTER TABLE t DROP a' }", "DROP")));
  EXPECT_THAT(script,
              AllOf(HasSubstr("--   2  DROP: the old shape goes; there is no way back: psql -X -v "
                              "curlew_part=2 -f FILE\n"),
                    HasSubstr("\\if :{?curlew_part}\n\\else\n  \\set curlew_part 1\n\\endif\n"),
                    HasSubstr("SELECT :'curlew_part' = '1' AS curlew_is_1, :'curlew_part' = '2' AS "
                              "curlew_is_2, :'curlew_part' NOT IN ('1', '2') AS curlew_is_none \\gset\n")));
  const size_t first = script.find("\\if :curlew_is_1"), second = script.find("\\if :curlew_is_2");
  EXPECT_LT(first, script.find("SELECT 1;"));
  EXPECT_LT(script.find("SELECT 1;"), second);
  const size_t marker = script.find(" drop', 'rename')", second);
  ASSERT_NE(marker, script.npos);
  EXPECT_LT(marker, script.find("DROP a;"));
}

TEST(SqlScriptTest, WhatSqlCannotDoIsSaidAtTheTopAndAtItsPlace) {
  const std::string script = Do(absl::StrCat(
      Step("backup { dump { tables: 'public.t' } }"), Step("backup { command { name: 'snapshot' } }"),
      Step("backup { restore_point {} }"), Step("backup { archive { within { seconds: 300 } } }"),
      Step("wait { shape_unused { shape: 'old' uses { table: 'public.t' column: 'a' } counters: 'curlew.n' } "
           "}",
           "DROP")));
  EXPECT_THAT(
      script,
      AllOf(HasSubstr("-- By hand, where the script comes to it:\n"
                      "--   k-1: dump the tables: pg_dump --format=custom --file=FILE --table='public.t'; "
                      "then say so: psql\n--     -v curlew_backup_done=1\n"
                      "--   k-1: do what the agent's command \"snapshot\" does; then say so: psql -v "
                      "curlew_backup_done=1\n"
                      "--   k-1: see that no session uses the old shape any more\n"),
            HasSubstr("SELECT pg_create_restore_point('curlew-rename-"), HasSubstr("interval '300 seconds'"),
            HasSubstr("FROM pg_catalog.pg_stat_activity"),
            HasSubstr("SELECT 'curlew.n' AS counter, last_value, is_called FROM curlew.n;")));
}

TEST(SqlScriptTest, VerificationsRaiseErrorsAndMeasurementsAreNoted) {
  const std::string script =
      Do(absl::StrCat(Step("measure { measurements { name: 'n' query: 'SELECT count(*)::text FROM t' "
                           "description: 'rows of t' } }"),
                      Step("verify { search_path: 'public' checks { description: 'no NULL' count_query: "
                           "'SELECT 0' } unchanged { "
                           "name: 'n' query: 'SELECT count(*)::text FROM t' description: 'rows of t' } "
                           "expectations { name: 'e' "
                           "query: 'SELECT 1::text' } triggers { table: 'public.t' triggers: 'tr' } }")));
  EXPECT_THAT(
      script,
      AllOf(HasSubstr("CREATE TABLE IF NOT EXISTS curlew.script"),
            HasSubstr("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\nSET LOCAL search_path = public;\n"),
            HasSubstr("RAISE EXCEPTION '%: %', 'does not hold: no NULL', problems || ' violations'"),
            HasSubstr("answer IS DISTINCT FROM (SELECT value FROM curlew.script WHERE key = "),
            HasSubstr("answer IS DISTINCT FROM NULL::text"), HasSubstr("unnest(ARRAY['tr']::text[])")));
  EXPECT_EQ(Count(script, "INTO STRICT answer"), 3) << "one that is measured, two that are compared";
}

TEST(SqlScriptTest, TheUndoGoesBackwardsFromBeforeDrop) {
  const v1::CompiledPlan plan = Plan(R"(
    steps { key: "add-1" phase: PHASE_ADD title: "one" undo { execute_sql { statements: "UNDO 1" } } }
    steps { key: "add-2" phase: PHASE_ADD title: "two" undo { execute_sql { statements: "UNDO 2" } } }
    steps { key: "add-3" phase: PHASE_ADD title: "nothing to undo" }
    steps { key: "drop-1" phase: PHASE_DROP title: "drop" undo { execute_sql { statements: "UNDO 4" } } }
    rollback_gate { title: "No session uses the new shape"
                    action { wait { shape_unused { shape: "new" uses { table: "public.t" } } } } })");
  const std::string script = SqlScript(plan, "x", ScriptDirection::kUndo);
  EXPECT_THAT(script, AllOf(HasSubstr("-- Undo of plan rename"),
                            HasSubstr("-- First: No session uses the new shape\n"), Not(HasSubstr("UNDO 4")),
                            Not(HasSubstr("add-3"))));
  EXPECT_LT(script.find("UNDO 2;"), script.find("UNDO 1;"));
}

TEST(SqlScriptTest, CommentsAtTheEndOfStatementsAndExpressionsSwallowNothing) {
  EXPECT_THAT(Do(Step("execute_sql { statements: 'SELECT 1 -- why' }")),
              HasSubstr("SELECT 1 -- why\n;\nCOMMIT;"));
  EXPECT_THAT(
      Do(Step("backfill { table: 'public.t' assignments { column: 'b' expression: 'a' } pending: 'b IS NULL "
              "-- still' }")),
      HasSubstr("AND (b IS NULL -- still\n)"));
}

TEST(SqlScriptTest, NothingFromElsewhereEndsACommentALiteralOrABody) {
  const std::string script = Do(R"(steps {
      key: "k'\n\\! rm -rf /" phase: PHASE_ADD title: "x\nDROP TABLE t; -- '\n\\! rm"
      locks { table: "public.\"a\nDROP TABLE t;\"" mode: "AccessExclusiveLock" }
      action { verify { checks { description: "it's $curlew$ and\nDROP TABLE t;" count_query: "SELECT '$curlew$'" } } }
    })");
  const size_t body = script.find("DO $curlew1$");
  ASSERT_NE(body, script.npos);
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(script.substr(0, body), '\n'))) {
    EXPECT_THAT(line, AllOf(Not(StartsWith("DROP TABLE t")), Not(StartsWith("\\!"))));
  }
  // Within the body it stands in a literal.
  EXPECT_THAT(script, HasSubstr("'does not hold: it''s $curlew$ and\nDROP TABLE t;'"));
  EXPECT_THAT(script,
              AllOf(HasSubstr("DO $curlew1$"), HasSubstr("\\echo 'k'' \\\\! rm -rf /: x DROP TABLE t; -- '' "
                                                         "\\\\! rm'")));
}

}  // namespace
}  // namespace curlew::cli
