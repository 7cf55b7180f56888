#include <gmock/gmock.h>

#include "tests/common/operations/plan_test.h"

namespace curlew::operations {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

class RemoveEnumValueTest : public PlanTest {
 protected:
  absl::Status Preflight() {
    for (const v1::Step& step : compiled_->steps()) {
      if (!step.preflight() || step.phase() == v1::PHASE_DROP) continue;
      if (absl::Status s = testing::RunAction(connection_.get(), step.action()); !s.ok()) return s;
    }
    return absl::OkStatus();
  }
};

constexpr char kType[] =
    R"(CREATE SCHEMA "S s"; CREATE TYPE "S s"."Mo od" AS ENUM ('happy', 'so''so', 'sad');)";

std::string Remove(absl::string_view columns) {
  return absl::StrCat(
      R"(  - remove_enum_value: {type: '"S s"."Mo od"', value: so'so, replacement: sad, columns: [)", columns,
      "]}\n");
}

TEST_F(RemoveEnumValueTest, OneTableChangesInOneTransaction) {
  Start(absl::StrCat(kType, R"(
          CREATE TABLE t (id int PRIMARY KEY, m "S s"."Mo od" NOT NULL DEFAULT 'so''so', n "S s"."Mo od");
          CREATE INDEX i ON t (m DESC, id); CREATE UNIQUE INDEX u ON t (id, n);
          REVOKE ALL ON TYPE "S s"."Mo od" FROM PUBLIC; GRANT USAGE ON TYPE "S s"."Mo od" TO pg_monitor;
          COMMENT ON TYPE "S s"."Mo od" IS 'it''s a \ mood';
          INSERT INTO t VALUES (1, 'happy', 'so''so'), (2, 'so''so', NULL), (3, 'sad', 'sad'))"),
        Remove("{table: t, column: m}, {table: t, column: n}"));
  ExpectRollbacks();
  RunTo(v1::PHASE_DUAL_WRITE);
  Run("INSERT INTO t (id) VALUES (4)");
  Run("UPDATE t SET m = 'so''so' WHERE id = 1");
  RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_CONSTRAIN);
  EXPECT_EQ(Ask("SELECT m FROM t WHERE id = 4"), "so'so");
  RunFrom(v1::PHASE_CONSTRAIN, v1::PHASE_DROP);
  ExpectDone();
  EXPECT_EQ(Ask("SELECT string_agg(m || coalesce('/' || n, ''), ' ' ORDER BY id) FROM t"),
            "sad/sad sad sad/sad sad");
  Run("INSERT INTO t (id) VALUES (5)");
  EXPECT_EQ(Ask("SELECT m FROM t WHERE id = 5"), "sad");
  EXPECT_EQ(Ask(R"(SELECT enum_range(NULL::"S s"."Mo od"))"), "{happy,sad}");
  EXPECT_FALSE(connection_->Execute("UPDATE t SET m = 'so''so'").ok());
  EXPECT_EQ(
      Ask("SELECT typacl::text || obj_description(oid, 'pg_type') FROM pg_type WHERE typname = 'Mo od'"),
      "{postgres=U/postgres,pg_monitor=U/postgres}it's a \\ mood");
}

TEST_F(RemoveEnumValueTest, SeveralTablesGetTheTypeOneAfterTheOther) {
  Start(absl::StrCat(kType, R"(
          CREATE TABLE a (id int PRIMARY KEY, m "S s"."Mo od"); CREATE TABLE b (m "S s"."Mo od" DEFAULT 'sad');
          INSERT INTO a VALUES (1, 'so''so'); INSERT INTO b VALUES ('so''so'))"),
        Remove("{table: a, column: m}, {table: b, column: m}") +
            "  - add_column: {table: a, column: other, type: int, up: id}\n");
  ExpectLife();
  EXPECT_EQ(Ask("SELECT a.m || '/' || b.m || other FROM a, b"), "sad/sad1");
  EXPECT_EQ(Ask("SELECT a.m = b.m FROM a, b"), "t");
}

TEST_F(RemoveEnumValueTest, APartitionedTableMayBeInTheList) {
  Start(absl::StrCat(kType, R"(
          CREATE TABLE t (id int, m "S s"."Mo od" DEFAULT 'happy') PARTITION BY LIST (id);
          CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); INSERT INTO t VALUES (1, 'so''so'))"),
        Remove("{table: t, column: m}"));
  ExpectLife();
  EXPECT_EQ(Ask("SELECT m FROM t"), "sad");
}

TEST_F(RemoveEnumValueTest, LooksForOtherUsesBeforeAnythingChanges) {
  for (const char* use :
       {R"(CREATE TABLE other (m "S s"."Mo od"))", R"(CREATE TABLE other (m "S s"."Mo od"[]))",
        R"(CREATE FUNCTION other(m "S s"."Mo od") RETURNS int LANGUAGE sql AS 'SELECT 1')",
        R"(CREATE DOMAIN other AS "S s"."Mo od")",
        R"(CREATE VIEW other AS SELECT 'sad'::"S s"."Mo od" AS m)"}) {
    Start(absl::StrCat(kType, R"(CREATE TABLE t (id int PRIMARY KEY, m "S s"."Mo od");)", use),
          Remove("{table: t, column: m}"));
    ASSERT_THAT(compiled_, IsOk());
    EXPECT_THAT(Preflight(), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("other"))) << use;
  }
  Start(absl::StrCat(kType, R"(CREATE TABLE t (id int PRIMARY KEY, m "S s"."Mo od" DEFAULT 'sad'))"),
        Remove("{table: t, column: m}"));
  ASSERT_THAT(compiled_, IsOk());
  EXPECT_THAT(Preflight(), IsOk());
}

TEST_F(RemoveEnumValueTest, RefusesByNameWhatItCannotDo) {
  const std::string table =
      absl::StrCat(kType, R"(CREATE TABLE t (id int PRIMARY KEY, m "S s"."Mo od", o int);)");
  const std::string column = "{table: t, column: m}";
  auto remove = [&](absl::string_view type, absl::string_view value, absl::string_view replacement) {
    return absl::StrCat("  - remove_enum_value: {type: '", type, "', value: ", value,
                        ", replacement: ", replacement, ", columns: [", column, "]}\n");
  };
  const std::string type = R"("S s"."Mo od")";
  EXPECT_THAT(Refusal(table, remove("nope", "sad", "happy")),
              HasSubstr("enum type public.nope does not exist"));
  EXPECT_THAT(Refusal(table, remove(type, "nope", "happy")), HasSubstr("has no value 'nope'"));
  EXPECT_THAT(Refusal(table, remove(type, "sad", "nope")), HasSubstr("has no value 'nope'"));
  EXPECT_THAT(Refusal(table, remove(type, "sad", "sad")), HasSubstr("the same"));
  EXPECT_THAT(Refusal(table, Remove("{table: t, column: o}")), HasSubstr("is of type integer"));
  EXPECT_THAT(Refusal(table, Remove(column + ", " + column)), HasSubstr("given twice"));
  EXPECT_THAT(Refusal(table + R"(ALTER TABLE t ADD CONSTRAINT the_check CHECK (m <> 'sad'))", Remove(column)),
              HasSubstr("the_check"));
  EXPECT_THAT(Refusal(table + R"(CREATE INDEX the_index ON t (o) WHERE m = 'sad')", Remove(column)),
              HasSubstr("the_index"));
  EXPECT_THAT(Refusal(table + R"(ALTER TABLE t ALTER m SET DEFAULT coalesce(NULL, 'sad'::"S s"."Mo od"))",
                      Remove(column)),
              HasSubstr("no plain value"));
  EXPECT_THAT(Refusal(table, Remove(column) +
                                 absl::StrCat("  - add_column: {table: t, column: z, type: '", type, "'}\n")),
              HasSubstr("a later operation of the plan uses or changes"));
}

}  // namespace
}  // namespace curlew::operations
