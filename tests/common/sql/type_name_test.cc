#include "common/sql/type_name.h"

#include <gmock/gmock.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::sql {
namespace {

using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;

class TypeNameTest : public ::curlew::testing::PgTest {};

TEST_F(TypeNameTest, PrintsBuiltInTypesAsTheServerDoes) {
  const std::string db = NewDatabase(
      "CREATE TYPE \"Odd Mood\" AS ENUM ('a'); CREATE SCHEMA \"S\"; "
      "CREATE DOMAIN \"S\".select AS text");
  for (const char* type : {
           "int",
           "INT4",
           "integer",
           "int2",
           "smallint",
           "int8",
           "bigint",
           "real",
           "float",
           "float(10)",
           "float(30)",
           "float4",
           "float8",
           "double precision",
           "bool",
           "boolean",
           "text",
           "varchar",
           "varchar(20)",
           "character varying(7)",
           "char",
           "char(3)",
           "character",
           "nchar(4)",
           "\"char\"",
           "bpchar",
           "pg_catalog.bpchar",
           "pg_catalog.\"bit\"",
           "bit",
           "bit(5)",
           "bit varying",
           "varbit(9)",
           "numeric",
           "decimal(10,2)",
           "numeric(4)",
           "numeric(3,-2)",
           "dec(6, 6)",
           "time",
           "time(3)",
           "timetz",
           "timetz(2)",
           "time(0) with time zone",
           "timestamp",
           "timestamp(9)",
           "timestamp(3) without time zone",
           "timestamptz",
           "timestamptz(0)",
           "timestamp with time zone",
           "interval",
           "interval(3)",
           "interval year",
           "interval month",
           "interval day",
           "interval hour",
           "interval minute",
           "interval second",
           "interval second(2)",
           "interval year to month",
           "interval day to hour",
           "interval day to minute",
           "interval day to second(4)",
           "interval hour to minute",
           "interval hour to second",
           "interval minute to second(9)",
           "int[]",
           "int[3][4]",
           "int ARRAY[4]",
           "_int4",
           "pg_catalog._text",
           "varchar(10)[]",
           "timestamptz[]",
           "pg_catalog.int4",
           "json",
           "jsonb",
           "uuid",
           "bytea",
           "name",
           "oid",
           "inet",
           "money",
           "xml",
           "tsvector",
           "int4range",
           "datemultirange",
           "pg_lsn",
           "regclass",
           "jsonpath",
           "xid8",
           "tid",
           "\"S\".select",
           "\"S\".\"select\"[]",
           "public.\"Odd Mood\"",
       }) {
    const std::string printed = Query(
        db, absl::StrCat(
                "SET search_path = pg_catalog; CREATE TEMP TABLE t (c ", type,
                "); SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 't'::regclass "
                "AND attname = 'c'"));
    EXPECT_THAT(CanonicalType(type), IsOkAndHolds(printed)) << type;
    EXPECT_THAT(CanonicalType(printed), IsOkAndHolds(printed)) << type;
  }
}

TEST(CanonicalTypeTest, LeavesUsersTypesAsTheyStand) {
  EXPECT_THAT(CanonicalType("mood"), IsOkAndHolds("mood"));
  EXPECT_THAT(CanonicalType("Mood[]"), IsOkAndHolds("mood[]"));
  EXPECT_THAT(CanonicalType("CRM.\"Mood\""), IsOkAndHolds("crm.\"Mood\""));
  EXPECT_THAT(CanonicalType("public.geometry(Point,4326)"), IsOkAndHolds("public.geometry(Point,4326)"));
}

TEST(CanonicalTypeTest, RefusesWhatIsNoType) {
  EXPECT_THAT(CanonicalType("bigserial"), StatusIs(kInvalid, HasSubstr("identity: by_default")));
  EXPECT_THAT(CanonicalType("serial4"), StatusIs(kInvalid, HasSubstr("bigint")));
  for (const char* bad :
       {"", "int NOT NULL", "int, b int", "int; SELECT 1", "a.b.c", "int -- x", "(int)", "int("}) {
    EXPECT_THAT(CanonicalType(bad), StatusIs(kInvalid)) << bad;
  }
}

TEST(ClassifyTypeChangeTest, IsConservative) {
  EXPECT_EQ(ClassifyTypeChange("int", "integer"), TypeChange::kSame);
  EXPECT_EQ(ClassifyTypeChange("varchar(5)", "character varying(5)"), TypeChange::kSame);
  EXPECT_EQ(ClassifyTypeChange("varchar(5)", "mood"), TypeChange::kRewrite);
  EXPECT_EQ(ClassifyTypeChange("mood", "text"), TypeChange::kRewrite);
  EXPECT_EQ(ClassifyTypeChange("varchar(5)[]", "varchar(9)[]"), TypeChange::kRewrite);
  EXPECT_EQ(ClassifyTypeChange("int", "no type at all"), TypeChange::kRewrite);
}

// A change, and what it has to be judged as.
struct Case {
  const char* from;
  const char* to;
  TypeChange change;
};

constexpr Case kCases[] = {
    {"varchar(10)", "varchar(20)", TypeChange::kCatalogueOnly},
    {"varchar(10)", "varchar", TypeChange::kCatalogueOnly},
    {"varchar(10)", "text", TypeChange::kCatalogueOnly},
    {"varchar", "text", TypeChange::kCatalogueOnly},
    {"text", "varchar", TypeChange::kCatalogueOnly},
    {"numeric(10,2)", "numeric(12,2)", TypeChange::kCatalogueOnly},
    {"numeric(10,2)", "numeric", TypeChange::kCatalogueOnly},
    {"numeric(4)", "numeric(8)", TypeChange::kCatalogueOnly},
    {"timestamp(3)", "timestamp(5)", TypeChange::kCatalogueOnly},
    {"timestamp(3)", "timestamp", TypeChange::kCatalogueOnly},
    {"timestamp", "timestamp(6)", TypeChange::kCatalogueOnly},
    {"timestamptz(0)", "timestamptz(3)", TypeChange::kCatalogueOnly},
    {"timestamptz(0)", "timestamptz", TypeChange::kCatalogueOnly},
    {"time(1)", "time(2)", TypeChange::kCatalogueOnly},
    {"timetz(1)", "timetz", TypeChange::kCatalogueOnly},
    {"interval(2)", "interval(4)", TypeChange::kCatalogueOnly},
    {"interval(2)", "interval", TypeChange::kCatalogueOnly},
    {"interval", "interval(6)", TypeChange::kCatalogueOnly},
    {"interval day to hour", "interval", TypeChange::kCatalogueOnly},
    {"interval day to second(2)", "interval(3)", TypeChange::kCatalogueOnly},
    {"interval day to second(2)", "interval day to second(3)", TypeChange::kCatalogueOnly},
    {"varbit(8)", "varbit(16)", TypeChange::kCatalogueOnly},
    {"varbit(8)", "varbit", TypeChange::kCatalogueOnly},
    {"cidr", "inet", TypeChange::kCatalogueOnly},
    {"varchar(20)", "varchar(10)", TypeChange::kRewrite},
    {"varchar", "varchar(10)", TypeChange::kRewrite},
    {"text", "varchar(10)", TypeChange::kRewrite},
    {"char(3)", "char(5)", TypeChange::kRewrite},
    {"char(3)", "text", TypeChange::kRewrite},
    {"varchar(3)", "char(3)", TypeChange::kRewrite},
    {"int", "bigint", TypeChange::kRewrite},
    {"bigint", "int", TypeChange::kRewrite},
    {"numeric(10,2)", "numeric(12,3)", TypeChange::kRewrite},
    {"numeric(10,2)", "numeric(8,2)", TypeChange::kRewrite},
    {"numeric", "numeric(10,2)", TypeChange::kRewrite},
    {"timestamp(5)", "timestamp(3)", TypeChange::kRewrite},
    {"timestamp", "timestamp(3)", TypeChange::kRewrite},
    {"timestamp", "date", TypeChange::kRewrite},
    {"interval(4)", "interval(2)", TypeChange::kRewrite},
    {"interval", "interval day to hour", TypeChange::kRewrite},
    {"interval", "interval(2)", TypeChange::kRewrite},
    {"varbit(16)", "varbit(8)", TypeChange::kRewrite},
    {"bit(8)", "bit(9)", TypeChange::kRewrite},
    {"bit(8)", "varbit", TypeChange::kRewrite},  // its indexes are built anew
    {"inet", "cidr", TypeChange::kRewrite},
    {"json", "jsonb", TypeChange::kRewrite},
};

class TypeChangeTest : public ::curlew::testing::PgTest {};

// What a session has counted is seen by others before its query returns.
constexpr char kFlush[] = "SELECT pg_stat_force_next_flush()";
constexpr char kReads[] = "SELECT seq_tup_read FROM pg_stat_user_tables WHERE relid = 't'::regclass";

// File numbers of the table and its indexes.
constexpr char kFiles[] =
    "SELECT string_agg(c.relname || ' ' || pg_relation_filenode(c.oid), ', ' ORDER BY c.relname) FROM "
    "pg_class AS c "
    "WHERE c.oid = 't'::regclass OR c.oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = "
    "'t'::regclass)";

TEST_F(TypeChangeTest, CatalogueOnlyNeitherReadsNorRewritesNorBuildsAnIndex) {
  const std::string db = NewDatabase();
  for (const Case& c : kCases) {
    const std::string what = absl::StrCat(c.from, " -> ", c.to);
    EXPECT_EQ(ClassifyTypeChange(c.from, c.to), c.change) << what;
    // An index of each kind where the type has one; json has none.
    const bool indexed = absl::string_view(c.from) != "json";
    Query(db, absl::StrCat(
                  "DROP TABLE IF EXISTS t; CREATE TABLE t (id int PRIMARY KEY, c ", c.from,
                  ", d int); INSERT INTO t SELECT g, NULL, g FROM generate_series(1, 500) AS g;",
                  indexed ? "CREATE INDEX t_c ON t (c); CREATE INDEX t_dc ON t (d DESC, c DESC) INCLUDE (id);"
                            "CREATE UNIQUE INDEX t_u ON t (c, id);"
                          : "",
                  kFlush));
    const std::string before = Query(db, kFiles);
    const std::string reads = Query(db, kReads);
    Query(db, absl::StrCat("ALTER TABLE t ALTER COLUMN c TYPE ", c.to, " USING c::", c.to, ";", kFlush));
    const bool touched = Query(db, kFiles) != before;
    EXPECT_EQ(touched, c.change == TypeChange::kRewrite) << what << "\n"
                                                         << before << "\n"
                                                         << Query(db, kFiles);
    if (c.change == TypeChange::kCatalogueOnly) {
      EXPECT_EQ(Query(db, kReads), reads) << what;
    }
  }
}

TEST_F(TypeChangeTest, ChecksAndExpressionIndexesAreReadAnyway) {
  const std::string db = NewDatabase(
      "CREATE TABLE t (c varchar(10)); INSERT INTO t SELECT 'a' FROM generate_series(1, 500); "
      "CREATE INDEX t_e ON t (lower(c))");
  const std::string before = Query(db, kFiles);
  Query(db, "ALTER TABLE t ALTER COLUMN c TYPE varchar(20)");
  EXPECT_NE(Query(db, kFiles), before);
}

TEST_F(TypeChangeTest, APartitionedTablesIndexesAreBuiltAnew) {
  const std::string db = NewDatabase(
      "CREATE TABLE p (id int, c varchar(10)) PARTITION BY RANGE (id); CREATE TABLE t PARTITION OF p "
      "DEFAULT; "
      "INSERT INTO p SELECT g, 'a' FROM generate_series(1, 500) AS g; CREATE INDEX p_c ON p (c)");
  const std::string before = Query(db, kFiles);
  Query(db, "ALTER TABLE p ALTER COLUMN c TYPE varchar(20)");
  EXPECT_NE(Query(db, kFiles), before);
}

}  // namespace
}  // namespace curlew::sql
