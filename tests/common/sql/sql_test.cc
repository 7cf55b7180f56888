#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "common/base/utf8.h"
#include "common/sql/expression.h"
#include "common/sql/identifier.h"
#include "common/sql/parser.h"
#include "common/sql/rewrite.h"
#include "common/sql/scan.h"
#include "common/sql/statement.h"
#include "tests/support/status_matchers.h"

namespace curlew::sql {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

TEST(IdentifierTest, QuotesOnlyWhatNeedsIt) {
  EXPECT_EQ(Ident("contacts"), "contacts");
  EXPECT_EQ(Ident("Contacts"), "\"Contacts\"");
  EXPECT_EQ(Ident("select"), "\"select\"");
  EXPECT_EQ(Ident("name"), "name");
  EXPECT_EQ(Ident("Weird\"Name"), "\"Weird\"\"Name\"");
  EXPECT_EQ(Ident("a b"), "\"a b\"");
  EXPECT_EQ(Ident("größe"), "\"größe\"");
  EXPECT_EQ(Ident("1a"), "\"1a\"");
}

TEST(IdentifierTest, ReadsNamesAsSqlWritesThem) {
  EXPECT_EQ(*ParseTableName("Contacts"), (TableName{"public", "contacts"}));
  EXPECT_EQ(*ParseTableName("crm.\"Weird\"\"Name\""), (TableName{"crm", "Weird\"Name"}));
  EXPECT_EQ(*ParseTableName("\"a.b\".\"c d\""), (TableName{"a.b", "c d"}));
  for (const char* bad : {"", "a.", ".a", "a b", "\"a", "a.b.c", "1a", "a;drop table x", "\"\""}) {
    EXPECT_THAT(ParseTableName(bad), StatusIs(kInvalid)) << bad;
  }
  EXPECT_THAT(ParseTableName(std::string(64, 'a')), StatusIs(kInvalid, HasSubstr("63 bytes")));
  EXPECT_EQ(*ParseTableName(TableName{"Odd", "se\"lect"}.Quoted()), (TableName{"Odd", "se\"lect"}));
}

TEST(IdentifierTest, LiteralsCannotBeBrokenOutOf) {
  EXPECT_EQ(Literal("it's"), "'it''s'");
  EXPECT_EQ(Literal("a\\'b"), "E'a\\\\''b'");
}

TEST(ExpressionTest, FindsColumnsAndQualifiesThemInTheAuthorsOwnText) {
  auto e = Expression::Parse("'+1' || right(regexp_replace(phone, '[^0-9]', '', 'g'), 10)");
  ASSERT_THAT(e, IsOk());
  EXPECT_THAT(e->columns(), ElementsAre("phone"));
  EXPECT_EQ(e->Qualified("NEW").str(), "('+1' || right(regexp_replace(NEW.phone, '[^0-9]', '', 'g'), 10))");
  EXPECT_FALSE(e->MayBeVolatile());
}

TEST(ExpressionTest, KnowsQuotedAndFoldedColumns) {
  auto e = Expression::Parse("COALESCE(\"First Name\", LAST_name) || 'größe' || \"ü\"");
  ASSERT_THAT(e, IsOk());
  EXPECT_THAT(e->columns(), ElementsAre("First Name", "last_name", "ü"));
  EXPECT_EQ(e->Qualified("t").str(), "(COALESCE(t.\"First Name\", t.last_name) || 'größe' || t.\"ü\")");
}

TEST(ExpressionTest, RefusesWhatIsNoValueOfOneRow) {
  for (const char* bad : {"",
                          "   ",
                          "a, b",
                          "a AS b",
                          "a FROM t",
                          "(SELECT 1)",
                          "count(*)",
                          "sum(a)",
                          "max(a)",
                          "row_number() OVER ()",
                          "$1",
                          "t.a",
                          "*",
                          "a -- c",
                          "a /* c */",
                          "a; DROP TABLE t",
                          "a ORDER BY 1",
                          "a LIMIT 1",
                          "a UNION SELECT 1",
                          "a WHERE true",
                          "((a)",
                          "EXISTS (SELECT 1)",
                          "DISTINCT a",
                          "a = ANY (SELECT 1)",
                          "INTO x",
                          "a\n;\nSELECT 1"}) {
    EXPECT_THAT(Expression::Parse(bad), StatusIs(kInvalid)) << bad;
  }
  EXPECT_THAT(Expression::Parse(std::string("a\0b", 3)), StatusIs(kInvalid));
}

TEST(ExpressionTest, SubstitutesInParentheses) {
  auto outer = Expression::Parse("n * 2 > limit_of(n)");
  auto inner = Expression::Parse("a + b");
  ASSERT_THAT(outer, IsOk());
  ASSERT_THAT(inner, IsOk());
  auto both = outer->Substitute({{"n", *inner}});
  ASSERT_THAT(both, IsOk());
  EXPECT_EQ(both->text(), "(a + b) * 2 > limit_of((a + b))");
  EXPECT_THAT(both->columns(), ElementsAre("a", "b"));
}

TEST(ExpressionTest, TakesUnknownFunctionsForVolatile) {
  EXPECT_TRUE(Expression::Parse("gen_random_uuid()")->MayBeVolatile());
  EXPECT_TRUE(Expression::Parse("my_function(a)")->MayBeVolatile());
  EXPECT_TRUE(Expression::Parse("other.lower(a)")->MayBeVolatile());
  EXPECT_FALSE(Expression::Parse("pg_catalog.lower(a)")->MayBeVolatile());
  EXPECT_FALSE(Expression::Parse("now() + interval '1 day'")->MayBeVolatile());
}

TEST(TypeTest, TakesTypesAndNothingElse) {
  for (const char* good :
       {"text", "numeric(10,2)", "timestamp with time zone", "public.my_enum", "text[]", "\"Odd\""}) {
    EXPECT_THAT(CheckType(good), IsOk()) << good;
  }
  for (const char* bad :
       {"", "text NOT NULL", "text DEFAULT 'x'", "text, ADD COLUMN x int", "serial", "bigserial",
        "text; DROP TABLE t", "text COLLATE \"C\"", "text -- x", "setof text"}) {
    EXPECT_THAT(CheckType(bad), StatusIs(kInvalid)) << bad;
  }
}

TEST(ScanTest, SeesIdentifiersNotText) {
  EXPECT_TRUE(MentionsColumn("SELECT phone FROM contacts", "contacts", "phone"));
  EXPECT_TRUE(MentionsColumn("UPDATE public.Contacts SET \"phone\" = $1", "contacts", "phone"));
  EXPECT_FALSE(MentionsColumn("SELECT phone_number FROM contacts", "contacts", "phone"));
  EXPECT_FALSE(MentionsColumn("SELECT 'phone' FROM contacts", "contacts", "phone"));
  EXPECT_FALSE(MentionsColumn("SELECT id FROM contacts -- phone", "contacts", "phone"));
  EXPECT_FALSE(MentionsColumn("SELECT phone FROM companies", "contacts", "phone"));
  EXPECT_TRUE(MentionsColumn("SELECT \"Weird\"\"Name\" FROM \"T t\"", "T t", "Weird\"Name"));
  EXPECT_FALSE(MentionsColumn("SELECT \"PHONE\" FROM contacts", "contacts", "phone"));
  EXPECT_TRUE(MentionsColumn("SELECT phone FROM contacts WHERE name = 'cut of", "contacts", "phone"));
}

TEST(ScanTest, SeesTablesAsAWhole) {
  EXPECT_TRUE(MentionsTable("SELECT * FROM contacts", "contacts"));
  EXPECT_TRUE(MentionsTable("DELETE FROM crm.\"contacts\" WHERE id = $1", "contacts"));
  EXPECT_TRUE(MentionsTable("INSERT INTO Contacts VALUES (1)", "contacts"));
  EXPECT_TRUE(MentionsTable("COPY contacts FROM stdin", "contacts"));
  EXPECT_TRUE(MentionsTable("SELECT 1 FROM \"Weird\"\"Name\"", "Weird\"Name"));
  EXPECT_TRUE(MentionsTable("SELECT 1 FROM \"select\"", "select"));
  EXPECT_FALSE(MentionsTable("SELECT * FROM contacts_old", "contacts"));
  EXPECT_FALSE(MentionsTable("SELECT 'contacts' FROM people", "contacts"));
  EXPECT_FALSE(MentionsTable("SELECT 1 FROM people /* contacts */", "contacts"));
  EXPECT_FALSE(MentionsTable("SELECT 1 FROM \"Contacts\"", "contacts"));
  EXPECT_FALSE(MentionsTable("SELECT 1", "select"));
  EXPECT_FALSE(MentionsTable("", "contacts"));
  EXPECT_TRUE(MentionsTable("SELECT 1 FROM contacts WHERE name = 'cut of", "contacts"));
  EXPECT_FALSE(MentionsTable("SELECT 1 FROM people WHERE name = 'cut of", "contacts"));
}

// libpg_query reads bytes, and its trees are protobuf, which holds none but UTF-8.
TEST(ParserTest, RefusesWhatIsNotUtf8WithThePlace) {
  EXPECT_THAT(Parse("SELECT 1,\n '\xE9'").status(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not UTF-8, at line 2, column 3")));
  EXPECT_THAT(Scan("\"\xE9\"").status(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("UTF-8")));
}

TEST(ParserTest, RefusalsHoldWholeCharacters) {
  const std::string long_text = absl::StrCat(std::string(199, ' '), "\xC3\xA9 SELECT");  // cut at byte 200
  for (const std::string& text : {long_text, std::string("SELECT 25\xC3\xA9")}) {
    const absl::Status status = Parse(text).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
    EXPECT_EQ(base::FindInvalidUtf8(status.message()), absl::string_view::npos) << status;
  }
  const std::string statement = absl::StrCat("SET a = '", std::string(110, 'x'), "\xC3\xA9'");  // at 120
  const absl::Status status = ParseStatements(statement).status();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_EQ(base::FindInvalidUtf8(status.message()), absl::string_view::npos) << status;
}

TEST(StatementTest, SplitsWithLinesAndKeepsText) {
  auto s = ParseStatements("CREATE TYPE mood AS ENUM ('a;b');\n\n COMMENT ON TYPE mood IS 'x' ;\n");
  ASSERT_THAT(s, IsOk());
  ASSERT_EQ(s->size(), 2u);
  EXPECT_EQ((*s)[0].text, "CREATE TYPE mood AS ENUM ('a;b')");
  EXPECT_EQ((*s)[1].text, "COMMENT ON TYPE mood IS 'x'");
  EXPECT_EQ((*s)[1].line, 3);
  EXPECT_THAT((*s)[0].hazards, IsEmpty());
}

TEST(StatementTest, NamesHazards) {
  auto hazards = [](absl::string_view text) {
    auto s = ParseStatements(text);
    EXPECT_THAT(s, IsOk()) << text;
    return s.ok() ? (*s)[0].hazards : std::vector<std::string>{};
  };
  EXPECT_THAT(hazards("CREATE INDEX i ON t (a)"), ElementsAre("blocks-writes"));
  EXPECT_THAT(hazards("CREATE INDEX CONCURRENTLY i ON t (a)"), IsEmpty());
  EXPECT_THAT(hazards("ALTER TABLE t ALTER a TYPE bigint"), ElementsAre("rewrites-table"));
  EXPECT_THAT(hazards("ALTER TABLE t ALTER a SET NOT NULL"), ElementsAre("scans-under-lock"));
  EXPECT_THAT(hazards("ALTER TABLE t ADD CHECK (a > 0)"), ElementsAre("scans-under-lock"));
  EXPECT_THAT(hazards("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID"), IsEmpty());
  EXPECT_THAT(hazards("ALTER TABLE t ADD a int DEFAULT 1 NOT NULL"), IsEmpty());
  EXPECT_THAT(hazards("ALTER TABLE t ADD a uuid DEFAULT gen_random_uuid()"), ElementsAre("rewrites-table"));
  EXPECT_THAT(hazards("UPDATE t SET a = 1"), ElementsAre("unbatched-data"));
  EXPECT_THAT(hazards("DROP TABLE t"), ElementsAre("breaks-applications"));
  EXPECT_THAT(hazards("ALTER TABLE t RENAME a TO b"), ElementsAre("breaks-applications"));
  EXPECT_THAT(hazards("DO $$ BEGIN END $$"), ElementsAre("unknown-effect"));
  EXPECT_THAT(hazards("SELECT pg_sleep(1)"), ElementsAre("unknown-effect"));
  // A setting of the transaction alone; of the session it would outlive the step.
  EXPECT_THAT(hazards("SELECT set_config('search_path', 'crm', true)"), ElementsAre());
  EXPECT_THAT(hazards("SELECT set_config('search_path', 'crm', false)"), ElementsAre("unknown-effect"));
  EXPECT_THAT(hazards("SELECT set_config('x.y', my_function(), true)"), ElementsAre("unknown-effect"));
  EXPECT_THAT(hazards("ALTER TABLE t VALIDATE CONSTRAINT c"), IsEmpty());
  EXPECT_THAT(hazards("REVOKE SELECT ON t FROM app"), ElementsAre("breaks-applications"));
  EXPECT_THAT(hazards("GRANT SELECT ON t TO app"), IsEmpty());
  EXPECT_THAT(hazards("ALTER TYPE mood ADD VALUE 'new'"), IsEmpty());
  EXPECT_THAT(hazards("ALTER TYPE mood RENAME VALUE 'a' TO 'b'"), ElementsAre("breaks-applications"));
  EXPECT_THAT(hazards("ALTER TABLE t ALTER a SET DEFAULT 1"), IsEmpty());
  EXPECT_THAT(hazards("ALTER TABLE t ALTER a DROP DEFAULT"), ElementsAre("breaks-applications"));
  EXPECT_THAT(hazards("ALTER TABLE t ENABLE ROW LEVEL SECURITY"), ElementsAre("breaks-applications"));
  EXPECT_THAT(hazards("ALTER TABLE t FORCE ROW LEVEL SECURITY"), ElementsAre("breaks-applications"));
  EXPECT_THAT(hazards("CREATE POLICY p ON t AS RESTRICTIVE USING (false)"),
              ElementsAre("breaks-applications"));
  EXPECT_THAT(hazards("CREATE POLICY p ON t USING (true)"), IsEmpty());
  EXPECT_THAT(hazards("ALTER POLICY p ON t USING (false)"), ElementsAre("breaks-applications"));
  EXPECT_THAT(hazards("ALTER TABLE t OWNER TO other"), ElementsAre("breaks-applications"));
  EXPECT_THAT(hazards("ALTER TABLE t ADD a int NOT NULL"), ElementsAre("breaks-applications"));
  EXPECT_THAT(hazards("ALTER TABLE t ADD a public.may_be_a_domain"), ElementsAre("unknown-effect"));
  for (const char* type :
       {"int", "numeric(8,2)", "varchar(3)[]", "timestamp(3) with time zone", "uuid", "interval"}) {
    EXPECT_THAT(hazards(absl::StrCat("ALTER TABLE t ADD a ", type)), IsEmpty()) << type;
  }
  EXPECT_THAT(hazards("CREATE TABLE p PARTITION OF t FOR VALUES IN (1)"), ElementsAre("scans-under-lock"));
  for (const char* unknown : {"SELECT * INTO x FROM t", "CREATE TABLE x AS SELECT * FROM t",
                              "CREATE RULE r AS ON INSERT TO "
                              "t DO INSTEAD NOTHING",
                              "ALTER TABLE t ATTACH PARTITION p DEFAULT",
                              "ALTER DOMAIN d ADD CHECK "
                              "(VALUE > 0)",
                              "WITH d AS (DELETE FROM t RETURNING *) SELECT * FROM d",
                              "COPY t FROM "
                              "'/x'",
                              "ALTER TYPE pair ALTER ATTRIBUTE a TYPE bigint", "CALL p()"}) {
    EXPECT_THAT(hazards(unknown), ElementsAre("unknown-effect")) << unknown;
  }
}

TEST(StatementTest, RefusesWhatTheAgentOwns) {
  for (const char* bad :
       {"BEGIN", "COMMIT", "SET lock_timeout = 0", "VACUUM t", "CREATE DATABASE x", "ALTER SYSTEM RESET ALL",
        "REINDEX INDEX CONCURRENTLY i", "CREATE INDEX CONCURRENTLY ON t (a)", "", ";", "SELEC 1"}) {
    EXPECT_THAT(ParseStatements(bad), StatusIs(kInvalid)) << bad;
  }
}

TEST(StatementTest, NamesTheStrongestLockOnEachTable) {
  auto s = ParseStatements(
      "ALTER TABLE crm.orders ADD CONSTRAINT f FOREIGN KEY (c) REFERENCES contacts (id) NOT VALID");
  ASSERT_THAT(s, IsOk());
  std::vector<std::string> locks;
  for (const auto& l : (*s)[0].locks) locks.push_back(l.table.Quoted() + " " + l.mode);
  EXPECT_THAT(
      locks, UnorderedElementsAre("crm.orders AccessExclusiveLock", "public.contacts ShareRowExclusiveLock"));
}

TEST(RewriteTest, CarriesAnIndexToAnotherColumn) {
  auto text = RewriteIndex(
      "CREATE UNIQUE INDEX i ON public.contacts USING btree (lower(phone), tenant_id DESC NULLS LAST) "
      "INCLUDE (phone) "
      "WHERE (phone IS NOT NULL)",
      {"phone", "Phone No"}, "new name");
  ASSERT_THAT(text, IsOk());
  EXPECT_THAT(text->str(), HasSubstr("CREATE UNIQUE INDEX CONCURRENTLY \"new name\" ON public.contacts"));
  EXPECT_THAT(text->str(), HasSubstr("lower(\"Phone No\")"));
  EXPECT_THAT(text->str(), HasSubstr("tenant_id DESC NULLS LAST"));
  EXPECT_THAT(text->str(), HasSubstr("INCLUDE (\"Phone No\")"));
  EXPECT_THAT(text->str(), HasSubstr("\"Phone No\" IS NOT NULL"));
  EXPECT_THAT(text->str(), Not(HasSubstr("(phone")));
}

TEST(RewriteTest, CarriesAForeignKeyAsNotValid) {
  auto text =
      RewriteForeignKey("FOREIGN KEY (company_id, a) REFERENCES public.companies(id, a) ON DELETE CASCADE",
                        {"company_id", "org_id"}, {"public", "contacts"}, "k");
  ASSERT_THAT(text, IsOk());
  EXPECT_EQ(text->str(),
            "ALTER TABLE public.contacts ADD CONSTRAINT k FOREIGN KEY (org_id, a) REFERENCES "
            "public.companies (id, a) ON "
            "DELETE CASCADE NOT VALID");
}

TEST(RewriteTest, ReadsChecksOfTheCatalogue) {
  EXPECT_EQ(CheckExpression("CHECK ((phone ~ '^\\+'::text))")->columns().count("phone"), 1u);
  EXPECT_THAT(CheckExpression("CHECK ((a > 0)) NO INHERIT"), StatusIs(absl::StatusCode::kUnimplemented));
}

}  // namespace
}  // namespace curlew::sql
