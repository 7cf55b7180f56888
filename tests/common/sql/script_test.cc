#include "common/sql/script.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace curlew::sql {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Kind = ScriptError::Kind;

// What a script holds, as values.
struct Error {
  Kind kind;
  std::string message;
  std::string text;
  Place place;
  std::string At() const { return absl::StrCat(place.line, ":", place.column); }
};
struct Script {
  std::vector<std::string> statements;
  std::vector<Place> places;
  std::vector<pg_query::Node> trees;
  std::vector<std::string> comments;
  std::vector<bool> after_code;
  std::vector<Error> errors;
};

Script Read(absl::string_view text) {
  Script script;
  ReadScript(text, {.statement =
                        [&](const ScriptStatement& s) {
                          script.statements.emplace_back(s.text);
                          script.places.push_back(s.place);
                          script.trees.push_back(s.tree);
                        },
                    .comment =
                        [&](const ScriptComment& c) {
                          script.comments.emplace_back(c.text);
                          script.after_code.push_back(c.after_code);
                        },
                    .error =
                        [&](const ScriptError& e) {
                          script.errors.push_back({e.kind, e.message, std::string(e.text), e.place});
                        }});
  return script;
}

TEST(ScriptTest, SplitsStatementsAndTellsWhereTheyBegin) {
  const Script script =
      Read("-- first\nSELECT 1;\r\n\r\n  ALTER TABLE \"ö\" ADD x int ; /* ä */ SELECT 'a;b' -- c\n;;\n");
  EXPECT_THAT(script.statements, ElementsAre("SELECT 1", "ALTER TABLE \"ö\" ADD x int", "SELECT 'a;b'"));
  EXPECT_THAT(script.errors, IsEmpty());
  EXPECT_EQ(script.places[1].line, 4);
  EXPECT_EQ(script.places[1].column, 3);
  EXPECT_EQ(script.places[2].column, 39);
  EXPECT_THAT(script.comments, ElementsAre("-- first", "/* ä */", "-- c"));
  EXPECT_THAT(script.after_code, ElementsAre(false, true, true));
}

TEST(ScriptTest, PlacesInTreesAreThoseOfTheStatementsText) {
  const Script script = Read("SELECT 1; -- ä\n  SELECT 'ö', a FROM t");
  const auto& targets = script.trees[1].select_stmt().target_list();
  EXPECT_EQ(script.statements[1].substr(targets[1].res_target().location()), "a FROM t");
}

TEST(ScriptTest, SemicolonsInBodiesRulesAndQuotesEndNoStatement) {
  const std::vector<std::string> statements = {
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; "
      "END",
      "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO a VALUES (1); DELETE FROM b)",
      "DO $do$ BEGIN PERFORM 1; EXECUTE $$x;y$$; END $do$",
      "SELECT 'a''; b', E'c\\'; d', \"e;\"\"f\", U&'g;', $1",
      "SELECT E'a'\n'b\\'; c'",
      "/* a; /* b; */ c; */ SELECT 1",
      "BEGIN",
      "END",
      "CREATE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); END"};
  const Script script = Read(absl::StrJoin(statements, ";\n"));
  EXPECT_THAT(script.errors, IsEmpty());
  ASSERT_THAT(script.statements, SizeIs(statements.size()));
  for (size_t i = 0; i < statements.size(); ++i) {
    EXPECT_EQ(script.statements[i], i == 5 ? "SELECT 1" : statements[i]);
  }
}

TEST(ScriptTest, AfterASyntaxErrorTheRestIsRead) {
  const Script script = Read("SELECT 1;\nALTER TABLE ä FOO\n  bar;\nSELECT 2;");
  EXPECT_THAT(script.statements, ElementsAre("SELECT 1", "SELECT 2"));
  ASSERT_THAT(script.errors, SizeIs(1));
  EXPECT_EQ(script.errors[0].At(), "2:15");
  EXPECT_THAT(script.errors[0].message, HasSubstr("at or near \"FOO\""));
  EXPECT_EQ(script.errors[0].text, "ALTER TABLE ä FOO\n  bar");
}

TEST(ScriptTest, AnOpenParenthesisSpoilsOneStatement) {
  const Script script = Read("CREATE TABLE t (a int;\nSELECT 1;\nSELECT 2;");
  EXPECT_THAT(script.statements, ElementsAre("SELECT 1", "SELECT 2"));
  ASSERT_THAT(script.errors, SizeIs(1));
  EXPECT_EQ(script.errors[0].At(), "1:22");
}

TEST(ScriptTest, AnOpenQuoteSpoilsLittle) {
  for (const char* later : {"", "\nSELECT 'later';", "\nSELECT 'la', 'ter';"}) {
    const Script script = Read(absl::StrCat("INSERT INTO t VALUES ('abc);\nALTER TABLE t ADD x int;", later));
    ASSERT_GE(script.statements.size(), 1u) << later;
    EXPECT_EQ(script.statements[0], "ALTER TABLE t ADD x int");
    EXPECT_EQ(script.statements.size(), later[0] == '\0' ? 1u : 2u);
    ASSERT_THAT(script.errors, SizeIs(1)) << later;
    EXPECT_EQ(script.errors[0].At(), "1:23");
  }
  const Script name = Read("ALTER TABLE \"t ADD x int;\nSELECT 1;");
  EXPECT_THAT(name.statements, ElementsAre("SELECT 1"));
  EXPECT_EQ(name.errors[0].At(), "1:13");
}

TEST(ScriptTest, OpenDollarQuotesAndCommentsAreTold) {
  const Script dollar = Read("SELECT 1;\nDO $x$ BEGIN\nNULL;\nEND $y$;\nSELECT 2;");
  ASSERT_GE(dollar.errors.size(), 1u);
  EXPECT_EQ(dollar.errors[0].At(), "2:4");
  EXPECT_THAT(dollar.errors[0].message, HasSubstr("dollar-quoted text that begins here has no end"));
  EXPECT_EQ(dollar.statements.back(), "SELECT 2");
  const Script comment = Read("SELECT 1;\n/* never closed\nSELECT 2;\nSELECT 3;");
  EXPECT_EQ(comment.errors[0].At(), "2:1");
  EXPECT_THAT(comment.statements, ElementsAre("SELECT 1", "SELECT 3"));
}

TEST(ScriptTest, AMissingSemicolonIsRecognised) {
  const Script script = Read("CREATE TABLE a (x int)\nALTER TABLE b ADD y int;\n");
  EXPECT_THAT(script.statements, ElementsAre("ALTER TABLE b ADD y int"));
  ASSERT_THAT(script.errors, SizeIs(1));
  EXPECT_EQ(script.errors[0].At(), "2:1");
  EXPECT_THAT(script.errors[0].message, HasSubstr("is a semicolon missing before it?"));
}

TEST(ScriptTest, CommandsOfPsqlAreErrorsEachWithItsPlace) {
  const Script script = Read(
      "\\set ON_ERROR_STOP on\n\\i other.sql\nSELECT 1 \\g\nSELECT 2 \\gset\n\\d t\n"
      "SELECT\n\\echo hello\n3;\n\\if :x\nSELECT 4\\;SELECT 5;\n\\endif\n\\! rm x\n");
  EXPECT_THAT(script.statements,
              ElementsAre("SELECT 1", "SELECT 2", "SELECT\n\\echo hello\n3", "SELECT 4", "SELECT 5"));
  std::vector<std::string> places;
  for (const Error& error : script.errors) {
    places.push_back(error.At());
    EXPECT_THAT(error.message, HasSubstr("of psql"));
  }
  EXPECT_THAT(places, ElementsAre("1:1", "2:1", "3:10", "4:10", "5:1", "7:1", "9:1", "11:1", "12:1"));
  EXPECT_EQ(script.errors[0].kind, Kind::kPsqlDisplay);
  EXPECT_EQ(script.errors[1].kind, Kind::kPsql);
}

TEST(ScriptTest, VariablesOfPsqlAreErrorsButSlicesAreNot) {
  const Script script = Read(
      "SELECT a[1:n] FROM t;\nSELECT * FROM :tab;\nSELECT :'va';\nSELECT 1 AS :\"c\";\nSELECT x::int, f(a := "
      "1);");
  EXPECT_THAT(script.statements, ElementsAre("SELECT a[1:n] FROM t", "SELECT x::int, f(a := 1)"));
  ASSERT_THAT(script.errors, SizeIs(3));
  EXPECT_EQ(script.errors[0].At(), "2:15");
  EXPECT_THAT(script.errors[0].message, HasSubstr(":tab is a variable of psql"));
  EXPECT_THAT(script.errors[1].message, HasSubstr(":'va'"));
  EXPECT_THAT(script.errors[2].message, HasSubstr(":\"c\""));
}

TEST(ScriptTest, DataOfCopyArePassedOver) {
  const Script script = Read(
      "COPY t (a) FROM STDIN;\n1\t'x\n;$$\n\\.\nSELECT 1;\n\\copy t from stdin\n'\n\\.\nSELECT 2;\n"
      "COPY t FROM STDIN; SELECT 3;\n\"\n\\.\nCOPY t FROM STDIN;\n\\.\nCOPY t TO STDOUT;\nSELECT 4;");
  EXPECT_THAT(script.statements,
              ElementsAre("COPY t (a) FROM STDIN", "SELECT 1", "SELECT 2", "COPY t FROM STDIN", "SELECT 3",
                          "COPY t FROM STDIN", "COPY t TO STDOUT", "SELECT 4"));
  ASSERT_THAT(script.errors, SizeIs(1));
  EXPECT_THAT(script.errors[0].message, HasSubstr("\\copy is a command of psql"));
}

TEST(ScriptTest, DataWithoutEndAreTold) {
  const Script script = Read("COPY t FROM STDIN;\n1\n2\n");
  ASSERT_THAT(script.errors, SizeIs(1));
  EXPECT_EQ(script.errors[0].At(), "2:1");
  EXPECT_THAT(Read("COPY t FROM STDIN;\n").errors, IsEmpty());
}

TEST(ScriptTest, OtherEncodingsAreToldAndRead) {
  const std::string latin1 =
      "SELECT 'gr\xFC\xDF';\nALTER TABLE stra\xDF"
      "e ADD x int;\nSELECT \xFF FOO BAR;";
  const Script script = Read(latin1);
  EXPECT_THAT(script.statements, ElementsAre("SELECT 'grüß'", "ALTER TABLE straße ADD x int"));
  ASSERT_THAT(script.errors, SizeIs(2));
  EXPECT_EQ(script.errors[0].kind, Kind::kEncoding);
  EXPECT_EQ(script.errors[0].At(), "1:11");
  EXPECT_EQ(script.errors[1].At(), "3:14");

  const Script nul = Read(absl::string_view("SELECT 1;\nSELECT\0 2;\n", 20));
  EXPECT_EQ(nul.errors[0].At(), "2:7");
  EXPECT_EQ(nul.statements.size(), 2u);

  std::string little, big;
  for (char c : absl::string_view("SELECT 1;\nALTER TABLE t ADD x int;\nSELECT 2;")) {
    little += {c, '\0'};
    big += {'\0', c};
  }
  for (const std::string& bytes :
       {little, big, absl::StrCat("\xFF\xFE", little), absl::StrCat("\xFE\xFF", big)}) {
    const Script utf16 = Read(bytes);
    EXPECT_THAT(utf16.statements, SizeIs(3));
    ASSERT_THAT(utf16.errors, SizeIs(1));
    EXPECT_THAT(utf16.errors[0].message, HasSubstr("UTF-16"));
  }
  const Script marked = Read("\xEF\xBB\xBFSELECT 1");
  EXPECT_THAT(marked.errors, IsEmpty());
  EXPECT_EQ(marked.places[0].column, 1);
}

TEST(ScriptTest, BinaryDataAreNotRead) {
  std::string bytes =
      "\x7F"
      "ELF";
  for (int i = 0; i < 5000; ++i) bytes += static_cast<char>(i * 7919 >> 3);
  const Script script = Read(bytes);
  ASSERT_THAT(script.errors, SizeIs(1));
  EXPECT_THAT(script.errors[0].message, HasSubstr("binary"));
}

TEST(ScriptTest, NewerSyntaxIsNamed) {
  for (const auto& [sql, what] : std::vector<std::pair<std::string, std::string>>{
           {"ALTER TABLE t ADD c int GENERATED ALWAYS AS (a + 1) VIRTUAL",
            "virtual generated columns (PostgreSQL 18)"},
           {"ALTER TABLE t ADD CONSTRAINT c NOT NULL a NOT VALID", "NOT NULL constraints"},
           {"ALTER TABLE t ADD CHECK (a > 0) NOT ENFORCED", "ENFORCED"},
           {"ALTER TABLE t ALTER c SET EXPRESSION AS (b)", "SET EXPRESSION (PostgreSQL 17)"},
           {"MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE RETURNING *", "MERGE ... RETURNING"},
           {"CREATE TABLE t (a text STORAGE external)", "STORAGE"},
           {"SELECT a IS JSON FROM t", "IS JSON"},
           {"SELECT * FROM (SELECT 1)", "a subquery in FROM without a name"},
           {"SELECT 1_000", "PostgreSQL 16"},
           {"SELECT 0x1F", "PostgreSQL 16"}}) {
    const Script script = Read(absl::StrCat(sql, ";\nSELECT 1;"));
    ASSERT_THAT(script.errors, SizeIs(1)) << sql;
    EXPECT_EQ(script.errors[0].kind, Kind::kNewerSyntax) << sql << ": " << script.errors[0].message;
    EXPECT_THAT(script.errors[0].message, HasSubstr(what));
    EXPECT_THAT(script.statements, ElementsAre("SELECT 1"));
  }
}

TEST(ScriptTest, LongFlatStatementsAreReadAndDeepOnesRefused) {
  std::string rows = "INSERT INTO t VALUES (0)";
  for (int i = 0; i < 30000; ++i) absl::StrAppend(&rows, ",(1,'x',NULL)");
  std::string ors = "SELECT a FROM t WHERE a = 1";
  for (int i = 0; i < 10000; ++i) absl::StrAppend(&ors, " OR a = ", i);
  std::string sum = "SELECT 1", union_all = "SELECT 1";
  for (int i = 0; i < 150; ++i)
    absl::StrAppend(&sum, " + 1"), absl::StrAppend(&union_all, " UNION ALL SELECT 1");
  std::string choice = "SELECT CASE";
  for (int i = 0; i < 2000; ++i) absl::StrAppend(&choice, " WHEN a = ", i, " THEN 'x'");
  absl::StrAppend(&choice, " END");
  std::string deep = "SELECT 1";
  for (int i = 0; i < 100000; ++i) deep += "+1";
  const Script script =
      Read(absl::StrJoin({rows, ors, sum, union_all, choice, deep, std::string("SELECT 2")}, ";"));
  EXPECT_THAT(script.statements, SizeIs(6));
  ASSERT_THAT(script.errors, SizeIs(1));
  EXPECT_EQ(script.errors[0].kind, Kind::kTooLong);
  EXPECT_THAT(script.errors[0].message, HasSubstr("split it up"));
  const Script parens = Read(absl::StrCat("SELECT ", std::string(300000, '('), ";\nSELECT 2;"));
  EXPECT_THAT(parens.statements, ElementsAre("SELECT 2"));
}

TEST(ScriptTest, WhatIsBrokenManyTimesTakesBoundedTime) {
  for (const char* line :
       {"CREATE TABLE t (a int;\n", "SELECT $a$ ;\n", "/* ;\n", "SELECT ' ;\n", "(", "\\g ", "'\n"}) {
    std::string text;
    while (text.size() < 1'000'000) absl::StrAppend(&text, line);
    const absl::Time start = absl::Now();
    Read(text);
    EXPECT_LT(absl::Now() - start, absl::Seconds(20)) << line;
  }
  std::string text;
  for (int i = 0; text.size() < 1'000'000; ++i) absl::StrAppend(&text, "$a", i, "$ ;\n");
  const Script script = Read(text);
  EXPECT_THAT(script.errors.back().message, HasSubstr("what follows is not read"));
}

}  // namespace
}  // namespace curlew::sql
