// The linter without a database: what statements tell by themselves, and what a script remembers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/lint/lint.h"
#include "common/sql/script.h"

namespace curlew::lint {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

// The reports of all statements of a script.
std::vector<Report> LintAll(const std::string& script) {
  Linter linter;
  std::vector<Report> reports;
  sql::ScriptVisitor visitor;
  visitor.statement = [&](const sql::ScriptStatement& s) { reports.push_back(linter.Lint(s.tree, s.text)); };
  visitor.comment = [](const sql::ScriptComment&) {};
  visitor.error = [](const sql::ScriptError& error) { ADD_FAILURE() << error.message; };
  sql::ReadScript(script, visitor);
  return reports;
}

Report LintLast(const std::string& script) {
  std::vector<Report> reports = LintAll(script);
  return reports.empty() ? Report() : reports.back();
}

std::vector<std::string> Codes(const Report& report) {
  std::vector<std::string> codes;
  for (const Hazard& h : report.hazards) codes.push_back(h.code);
  return codes;
}

std::vector<std::string> Locks(const Report& report) {
  std::vector<std::string> locks;
  for (const RelationLock& l : report.locks)
    locks.push_back(l.relation + " " + std::string(LockName(l.mode)));
  return locks;
}

TEST(LinterTest, ANullableColumnIsOnlyALockOfAMoment) {
  const Report report = LintLast("ALTER TABLE contacts ADD COLUMN nick text");
  EXPECT_THAT(Locks(report), ElementsAre("contacts AccessExclusiveLock"));
  EXPECT_TRUE(report.blocks_reads && report.blocks_writes && report.transactional);
  EXPECT_FALSE(report.rewrites || report.scans);
  EXPECT_THAT(Codes(report), ElementsAre("no-lock-timeout"));
}

TEST(LinterTest, AVolatileDefaultRewritesAndAStableOneDoesNot) {
  EXPECT_TRUE(LintLast("ALTER TABLE c ADD COLUMN u uuid DEFAULT gen_random_uuid()").rewrites);
  EXPECT_TRUE(LintLast("ALTER TABLE c ADD COLUMN n int DEFAULT (1 + floor(random() * 10))::int").rewrites);
  EXPECT_FALSE(LintLast("ALTER TABLE c ADD COLUMN t timestamptz NOT NULL DEFAULT now()").rewrites);
  EXPECT_FALSE(LintLast("ALTER TABLE c ADD COLUMN t text DEFAULT upper('a')").rewrites);
}

TEST(LinterTest, AVolatileCallThatIsNeverReachedDoesNotCount) {
  EXPECT_FALSE(LintLast("ALTER TABLE c ADD COLUMN z float8 DEFAULT coalesce(1.0, random())").rewrites);
  EXPECT_FALSE(LintLast("ALTER TABLE c ADD COLUMN z float8 DEFAULT CASE WHEN true THEN 1.0 ELSE random() END")
                   .rewrites);
  EXPECT_TRUE(LintLast("ALTER TABLE c ADD COLUMN z float8 DEFAULT coalesce(NULL, random())").rewrites);
}

TEST(LinterTest, AFunctionOfOneScriptIsNotKnownToTheNext) {
  const std::string use = "ALTER TABLE c ADD COLUMN t text DEFAULT upper(now()::text)";
  const std::string make =
      "CREATE FUNCTION upper(text) RETURNS text LANGUAGE sql VOLATILE AS 'SELECT random()::text'; ";
  EXPECT_FALSE(LintLast(use).rewrites);
  EXPECT_TRUE(LintLast(make + use).rewrites);
  EXPECT_FALSE(LintLast(use).rewrites);
}

TEST(LinterTest, SetNotNullScansUnlessACheckOfTheScriptProvesIt) {
  EXPECT_THAT(Codes(LintLast("ALTER TABLE c ALTER COLUMN x SET NOT NULL")), Contains("scans-under-lock"));
  const std::string check = "ALTER TABLE c ADD CONSTRAINT x_nn CHECK (x IS NOT NULL) NOT VALID;";
  EXPECT_TRUE(LintLast(check + "ALTER TABLE c ALTER COLUMN x SET NOT NULL").scans);
  const std::string valid = check + "ALTER TABLE c VALIDATE CONSTRAINT x_nn;";
  EXPECT_FALSE(LintLast(valid + "ALTER TABLE c ALTER COLUMN x SET NOT NULL").scans);
  EXPECT_TRUE(LintLast(valid + "ALTER TABLE c DROP CONSTRAINT x_nn, ALTER COLUMN x SET NOT NULL").scans)
      << "the same ALTER drops the proof";
}

TEST(LinterTest, ValidateScansUnderTheStrongLockOfItsOwnTransaction) {
  const std::string statements =
      "ALTER TABLE c ADD CONSTRAINT ok CHECK (n > 0) NOT VALID; ALTER TABLE c VALIDATE CONSTRAINT ok;";
  const Report apart = LintLast(statements);
  EXPECT_THAT(Locks(apart), ElementsAre("c ShareUpdateExclusiveLock"));
  EXPECT_THAT(Codes(apart), IsEmpty());
  const Report together = LintAll("BEGIN; " + statements + " COMMIT;")[2];
  EXPECT_THAT(Locks(together), ElementsAre("c AccessExclusiveLock"));
  EXPECT_TRUE(together.locks[0].held_before);
  EXPECT_THAT(Codes(together), Contains("scans-under-lock"));
}

TEST(LinterTest, TablesOfTheScriptItselfAreNobodysYet) {
  const std::vector<Report> reports = LintAll(
      "CREATE TABLE t (id bigserial PRIMARY KEY, v text); CREATE INDEX ON t (v);"
      "ALTER TABLE t ALTER COLUMN v SET NOT NULL; ALTER TABLE t ADD COLUMN u uuid DEFAULT gen_random_uuid();"
      "INSERT INTO t (v) VALUES ('a'); DROP TABLE t;");
  ASSERT_EQ(reports.size(), 6u);
  for (const Report& report : reports) {
    EXPECT_THAT(report.locks, IsEmpty());
    EXPECT_FALSE(report.blocks_reads || report.blocks_writes || report.rewrites);
    EXPECT_THAT(report.hazards, IsEmpty());
  }
}

TEST(LinterTest, ANewTableThatReferencesAnotherLocksTheOther) {
  const Report report = LintLast("CREATE TABLE t (id int PRIMARY KEY, c int REFERENCES contacts (id))");
  EXPECT_THAT(Locks(report), ElementsAre("contacts ShareRowExclusiveLock"));
  EXPECT_TRUE(report.blocks_writes);
  EXPECT_FALSE(report.blocks_reads);
}

TEST(LinterTest, AnIndexStopsWritersUnlessItIsBuiltConcurrently) {
  const Report plain = LintLast("CREATE INDEX i ON orders (status)");
  EXPECT_THAT(Codes(plain), Contains("blocks-writes"));
  EXPECT_THAT(plain.hazards[0].safe_sql, HasSubstr("CREATE INDEX CONCURRENTLY i ON orders"));
  const Report concurrent = LintLast("CREATE INDEX CONCURRENTLY i ON orders (status)");
  EXPECT_THAT(concurrent.hazards, IsEmpty());
  EXPECT_FALSE(concurrent.transactional);
  const Report inside = LintAll("BEGIN; CREATE INDEX CONCURRENTLY i ON orders (status); COMMIT")[1];
  EXPECT_THAT(Codes(inside), ElementsAre("fails"));
  EXPECT_THAT(inside.locks, IsEmpty());
}

TEST(LinterTest, TheStrongestActionOfAnAlterDecides) {
  EXPECT_THAT(Locks(LintLast("ALTER TABLE o ALTER s SET STATISTICS 200, SET (fillfactor = 90)")),
              ElementsAre("o ShareUpdateExclusiveLock"));
  EXPECT_THAT(Locks(LintLast("ALTER TABLE o SET (fillfactor = 90), ADD COLUMN x int")),
              ElementsAre("o AccessExclusiveLock"));
}

TEST(LinterTest, ForeignKeysLockBothSidesAndNotValidScansNothing) {
  const Report report =
      LintLast("ALTER TABLE o ADD CONSTRAINT f FOREIGN KEY (c) REFERENCES k (id) NOT VALID");
  EXPECT_THAT(Locks(report), ElementsAre("k ShareRowExclusiveLock", "o ShareRowExclusiveLock"));
  EXPECT_FALSE(report.scans);
  const Report valid = LintLast("ALTER TABLE o ADD CONSTRAINT f FOREIGN KEY (c) REFERENCES k (id)");
  EXPECT_TRUE(valid.scans);
  EXPECT_THAT(valid.hazards[0].safe_sql, HasSubstr("NOT VALID"));
}

TEST(LinterTest, DroppingAForeignKeyOfTheScriptLocksTheReferencedTableExclusively) {
  const Report report = LintLast(
      "ALTER TABLE o ADD CONSTRAINT f FOREIGN KEY (c) REFERENCES k (id) NOT VALID; ALTER TABLE o DROP "
      "CONSTRAINT f");
  EXPECT_THAT(Locks(report), ElementsAre("k AccessExclusiveLock", "o AccessExclusiveLock"));
}

TEST(LinterTest, StaticAndConstantDynamicDdlOfDoBlocksIsSeen) {
  EXPECT_TRUE(LintLast("DO $$ BEGIN ALTER TABLE c ADD COLUMN n bigserial; END $$").rewrites);
  EXPECT_TRUE(LintLast("DO $$ BEGIN EXECUTE 'ALTER TABLE c ADD COLUMN n bigserial'; END $$").rewrites);
  EXPECT_TRUE(
      LintLast("DO $$ BEGIN EXECUTE format('ALTER TABLE %I ADD COLUMN n bigserial', 'c'); END $$").rewrites);
  EXPECT_THAT(Codes(LintLast("DO $$ DECLARE t text; BEGIN EXECUTE 'DROP TABLE ' || t; END $$")),
              Contains("unknown-effect"));
  EXPECT_THAT(LintLast("DO $$ BEGIN RAISE NOTICE 'DROP TABLE c'; END $$").hazards, IsEmpty());
  EXPECT_FALSE(LintLast("DO $$ BEGIN UPDATE c SET a = 1 WHERE id = 1; COMMIT; END $$").transactional);
}

TEST(LinterTest, AFunctionOfTheScriptIsKnownWhereItIsCalled) {
  const std::string made =
      "CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$BEGIN ALTER TABLE c ADD COLUMN x text; END$$;";
  EXPECT_THAT(LintLast(made).locks, IsEmpty());
  EXPECT_THAT(Locks(LintLast(made + "SELECT f()")), ElementsAre("c AccessExclusiveLock"));
}

TEST(LinterTest, TheSearchPathOfTheScriptHolds) {
  EXPECT_THAT(Locks(LintLast("SET search_path = app; ALTER TABLE c ADD COLUMN x int")),
              ElementsAre("app.c AccessExclusiveLock"));
  EXPECT_THAT(
      Locks(LintLast("SELECT set_config('search_path', 'app', true); ALTER TABLE c ADD COLUMN x int")),
      ElementsAre("app.c AccessExclusiveLock"));
}

TEST(LinterTest, NamesAreQuotedAsSqlWritesThem) {
  EXPECT_THAT(Locks(LintLast("ALTER TABLE \"Mixed\".\"We\"\"ird\" ADD COLUMN x int")),
              ElementsAre("\"Mixed\".\"We\"\"ird\" AccessExclusiveLock"));
  EXPECT_THAT(Locks(LintLast("ALTER TABLE PUBLIC.CuStOmErS ADD COLUMN x int")),
              ElementsAre("customers AccessExclusiveLock"));
}

TEST(LinterTest, ALockTimeoutIsAskedForOnceAndNotWhereOneIsSet) {
  int asked = 0;
  for (const Report& report : LintAll("ALTER TABLE a ADD x int; ALTER TABLE b ADD x int;")) {
    for (const std::string& code : Codes(report)) asked += code == "no-lock-timeout";
  }
  EXPECT_EQ(asked, 1);
  EXPECT_THAT(Codes(LintLast("SET lock_timeout = '1s'; ALTER TABLE a ADD x int")), IsEmpty());
}

TEST(LinterTest, WorkOnAnotherTableUnderAHeldLockIsAHazard) {
  const Report report =
      LintAll("BEGIN; ALTER TABLE a ADD COLUMN x int; CREATE TABLE b AS SELECT * FROM c; COMMIT")[2];
  ASSERT_THAT(Codes(report), Contains("scans-under-lock"));
  EXPECT_THAT(report.hazards[0].message, HasSubstr("still locks a"));
}

TEST(LinterTest, DataThatIsWrittenInOneGoIsAHazard) {
  EXPECT_THAT(Codes(LintLast("UPDATE c SET a = 1")), Contains("unbatched-data"));
  EXPECT_THAT(Codes(LintLast("DELETE FROM c WHERE a > 1")), Contains("unbatched-data"));
  EXPECT_THAT(LintLast("UPDATE c SET a = 1 WHERE id = 7").hazards, IsEmpty());
  EXPECT_THAT(LintLast("INSERT INTO c VALUES (1)").hazards, IsEmpty());
}

TEST(LinterTest, ALabelThatATransactionAddsCannotBeUsedInIt) {
  const std::string statements = "ALTER TYPE s ADD VALUE 'lost'; INSERT INTO o (s) VALUES ('lost');";
  EXPECT_THAT(Codes(LintAll("BEGIN; " + statements + "COMMIT;")[2]), ElementsAre("fails"));
  EXPECT_THAT(Codes(LintLast(statements)), Not(Contains("fails")));
}

TEST(LinterTest, ChangesOfTypeAreJudgedByWhatIsKnown) {
  EXPECT_TRUE(LintLast("ALTER TABLE c ALTER n TYPE bigint").rewrites);
  EXPECT_TRUE(LintLast("ALTER TABLE c ALTER n TYPE text USING trim(n)").rewrites);
  const Report maybe = LintLast("ALTER TABLE c ALTER n TYPE varchar(100)");
  EXPECT_FALSE(maybe.rewrites);
  EXPECT_THAT(Codes(maybe), Contains("unknown-effect"));
}

TEST(LinterTest, WhatNamesADroppedTableIsGoneWithIt) {
  const std::string gone =
      "ALTER TABLE o ADD CONSTRAINT f FOREIGN KEY (c) REFERENCES k (id) NOT VALID; DROP TABLE k CASCADE;";
  EXPECT_THAT(Locks(LintLast(gone + "ALTER TABLE o ALTER c TYPE bigint")),
              ElementsAre("o AccessExclusiveLock"));
}

TEST(LinterTest, TablesCannotInheritInACircle) {
  const std::string circle = "ALTER TABLE a INHERIT b; ALTER TABLE b INHERIT a;";
  EXPECT_THAT(Codes(LintLast(circle)), Contains("fails"));
  EXPECT_THAT(Locks(LintLast(circle + "ALTER TABLE b ADD COLUMN x int")),
              ElementsAre("a AccessExclusiveLock", "b AccessExclusiveLock"));
}

TEST(LinterTest, EveryStatementOfOtherKindsIsHarmlessOrKnown) {
  for (const char* statement :
       {"COMMENT ON TABLE c IS 'x'", "GRANT SELECT ON c TO r", "CREATE VIEW v AS SELECT 1",
        "CREATE SEQUENCE s", "CREATE TYPE t AS ENUM ('a')", "CREATE SCHEMA s", "ANALYZE c", "SELECT 1",
        "NOTIFY x", "CREATE EXTENSION e"}) {
    for (const Hazard& h : LintLast(statement).hazards) EXPECT_NE(h.severity, Severity::kError) << statement;
  }
}

}  // namespace
}  // namespace curlew::lint
