#include "common/sql/subject.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/support/status_matchers.h"

namespace curlew::sql {
namespace {

// "relation app.t + app.other", "curlew" in front where the statement names something there.
std::string Read(const std::string& statement) {
  const absl::StatusOr<Subject> subject = SubjectOf(statement);
  if (!subject.ok()) return subject.status().ToString();
  std::string text = subject->names_curlew ? "curlew " : "";
  switch (subject->kind) {
    case Subject::Kind::kOther:
      return text + "other";
    case Subject::Kind::kRelation:
      text += "relation ";
      break;
    case Subject::Kind::kNewRelation:
      text += "new ";
      break;
    case Subject::Kind::kNewRoutine:
      text += "routine ";
      break;
  }
  text += subject->name.Quoted();
  for (const TableName& other : subject->others) absl::StrAppend(&text, " + ", other.Quoted());
  return text;
}

TEST(SubjectTest, WhatChangesARelationIsAboutIt) {
  EXPECT_EQ(Read("ALTER TABLE app.t ADD COLUMN a int"), "relation app.t");
  EXPECT_EQ(Read("ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES app.p (id) NOT VALID"),
            "relation public.t + app.p");
  EXPECT_EQ(Read("ALTER TABLE app.t ATTACH PARTITION app.p FOR VALUES IN (1)"), "relation app.t + app.p");
  EXPECT_EQ(Read("ALTER INDEX app.i ATTACH PARTITION app.j"), "relation app.i + app.j");
  EXPECT_EQ(Read("CREATE INDEX CONCURRENTLY \"I\" ON app.\"T\" (a)"), "relation app.\"T\"");
  EXPECT_EQ(Read("REINDEX INDEX CONCURRENTLY app.i"), "relation app.i");
  EXPECT_EQ(Read("CREATE TRIGGER g BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.f()"),
            "relation app.t");
  EXPECT_EQ(Read("CREATE POLICY p ON app.t USING (EXISTS (SELECT FROM app.u))"), "relation app.t + app.u");
  EXPECT_EQ(Read("CREATE STATISTICS app.s ON a, b FROM app.t"), "relation app.t");
  EXPECT_EQ(Read("ALTER TABLE app.t RENAME COLUMN a TO b"), "relation app.t");
  EXPECT_EQ(Read("ALTER SEQUENCE app.s OWNED BY app.t.id"), "relation app.s");
  EXPECT_EQ(Read("INSERT INTO app.t SELECT * FROM app.u"), "relation app.t + app.u");
  EXPECT_EQ(Read("UPDATE app.t SET a = 1"), "relation app.t");
  EXPECT_EQ(Read("DELETE FROM app.t USING app.u"), "relation app.t + app.u");
  EXPECT_EQ(Read("VACUUM (TRUNCATE off, PARALLEL 0) app.t"), "relation app.t");
  EXPECT_EQ(Read("ANALYZE app.t"), "relation app.t");
  EXPECT_EQ(Read("REFRESH MATERIALIZED VIEW app.m"), "relation app.m");
}

TEST(SubjectTest, WhatMakesSomethingIsAboutThat) {
  EXPECT_EQ(Read("CREATE TABLE app.t (a int REFERENCES app.p)"), "new app.t");
  EXPECT_EQ(Read("CREATE TABLE app.t (LIKE app.u)"), "new app.t + app.u");
  EXPECT_EQ(Read("CREATE TABLE app.t PARTITION OF app.p FOR VALUES IN (1)"), "new app.t + app.p");
  EXPECT_EQ(Read("CREATE OR REPLACE VIEW app.v AS SELECT * FROM app.t, app.u"), "new app.v + app.t + app.u");
  EXPECT_EQ(Read("CREATE MATERIALIZED VIEW app.m AS SELECT * FROM app.t"), "new app.m + app.t");
  EXPECT_EQ(Read("CREATE SEQUENCE app.s AS bigint"), "new app.s");
  EXPECT_EQ(Read("CREATE TYPE app.e AS ENUM ('curlew')"), "new app.e");
  EXPECT_EQ(Read("CREATE TYPE app.c AS (a int)"), "new app.c");
  EXPECT_EQ(Read("CREATE DOMAIN app.d AS int"), "new app.d");
  EXPECT_EQ(Read("CREATE OR REPLACE FUNCTION app.f(int) RETURNS int LANGUAGE sql AS 'SELECT 1'"),
            "routine app.f");
}

TEST(SubjectTest, WhatMakesNothingIsAboutNothing) {
  for (const char* statement :
       {"DROP TABLE app.t", "DROP INDEX CONCURRENTLY app.i", "COMMENT ON TABLE app.t IS 'x'",
        "GRANT SELECT ON app.t TO r", "SELECT setval('app.s', 1)", "DO 'BEGIN NULL; END'",
        "ALTER TYPE app.e ADD VALUE 'x'", "SET LOCAL check_function_bodies = off",
        "CREATE EXTENSION pg_trgm"}) {
    EXPECT_EQ(Read(statement), "other") << statement;
  }
}

TEST(SubjectTest, SeesWhetherSomethingOfCurlewsIsNamed) {
  EXPECT_EQ(Read("CREATE OR REPLACE FUNCTION curlew.f() RETURNS trigger LANGUAGE plpgsql AS ''"),
            "curlew routine curlew.f");
  EXPECT_EQ(Read("CREATE TRIGGER g BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION curlew.f()"),
            "curlew relation app.t");
  EXPECT_EQ(Read("DROP FUNCTION IF EXISTS curlew.f()"), "curlew other");
  EXPECT_EQ(Read("CREATE SEQUENCE curlew.s"), "curlew new curlew.s");
  EXPECT_EQ(Read("ALTER TABLE app.t ALTER COLUMN a SET DEFAULT nextval('curlew.s'::regclass)"),
            "curlew relation app.t");
  // A value is no name.
  EXPECT_EQ(Read("ALTER TABLE app.t ALTER COLUMN a SET DEFAULT 'curlew'"), "relation app.t");
}

TEST(SubjectTest, TakesOneStatementThatItCanRead) {
  EXPECT_THAT(SubjectOf("ANALYZE a; ANALYZE b"), testing::StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SubjectOf("ALTER NONSENSE"), testing::StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(SubjectOf(""), testing::StatusIs(absl::StatusCode::kInvalidArgument));
}

}  // namespace
}  // namespace curlew::sql
