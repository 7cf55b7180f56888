// What a plan says beyond operations and settings: after, backup, verify, checks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/plan/plan_reader.h"
#include "tests/support/status_matchers.h"

namespace curlew::plan {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// The fourth line is the first of `rest`.
constexpr char kOperations[] = "name: p\noperations:\n  - set_not_null: {table: t, column: c}\n";

absl::StatusOr<v1::Plan> Read(absl::string_view rest) {
  return ReadPlan(absl::StrCat(kOperations, rest), "p.yaml");
}

// Refused at that place ("4:3") because of the field at `path`, with `what` in the message.
auto RefusedAt(const std::string& place, const std::string& path, const std::string& what) {
  return StatusIs(absl::StatusCode::kInvalidArgument,
                  AllOf(StartsWith(absl::StrCat("p.yaml:", place, ": ", path, ": ")), HasSubstr(what)));
}

TEST(SafetyTest, ReadsAllOfIt) {
  ASSERT_OK_AND_ASSIGN(const v1::Plan plan, Read(R"(after: [first, second-one]
backup:
  archived_within: 5m
  dump: {tables: [t, crm.u]}
  restore_point: {}
  commands: [base-backup, tell-them]
verify:
  - name: no-null
    query: {sql: SELECT count(*) FROM t WHERE d IS NULL, expect: 0}
  - name: nothing
    query: {sql: SELECT max(d) FROM t}
  - name: rows-kept
    row_count: {table: t, where: id < 10}
  - name: ids-kept
    checksum: {table: t, columns: [id, c]}
checks:
  - name: lag
    sql: SELECT pg_catalog.pg_is_in_recovery() IS FALSE
settings:
  vacuum: true
)"));
  EXPECT_EQ(plan.after(1), "second-one");
  EXPECT_EQ(plan.backup().archived_within().seconds(), 300);
  EXPECT_EQ(plan.backup().dump().tables(1), "crm.u");
  EXPECT_TRUE(plan.backup().has_restore_point());
  EXPECT_EQ(plan.backup().commands(0), "base-backup");
  EXPECT_EQ(plan.verify(0).query().expect(), "0");
  EXPECT_FALSE(plan.verify(1).query().has_expect()) << "NULL";
  EXPECT_EQ(plan.verify(2).row_count().where(), "id < 10");
  EXPECT_EQ(plan.verify(3).checksum().columns_size(), 2);
  EXPECT_EQ(plan.checks(0).name(), "lag");
  EXPECT_TRUE(plan.settings().vacuum());
  ASSERT_OK_AND_ASSIGN(const v1::Plan again, ReadPlan(ToYaml(plan), "again.yaml"));
  EXPECT_EQ(Digest(again), Digest(plan));
}

TEST(SafetyTest, APlanComesAfterOthersThatAreNotItself) {
  EXPECT_THAT(Read("after: [other, p]\n"), RefusedAt("4:16", "after[1]", "is this plan itself"));
  EXPECT_THAT(Read("after:\n  - other\n  - other\n"), RefusedAt("6:5", "after[1]", "twice"));
  EXPECT_THAT(Read("after: [plans/other]\n"), RefusedAt("4:9", "after[0]", "\"plans/other\" is not 1 to 63"));
}

TEST(SafetyTest, ABackupSaysWhatIsToBeDone) {
  EXPECT_THAT(Read("backup: {}\n"), RefusedAt("4:1", "backup", "says nothing"));
  EXPECT_THAT(Read("backup:\n  archived_within: 0s\n"),
              RefusedAt("5:3", "backup.archived_within", "give more than 0"));
  EXPECT_THAT(Read("backup:\n  archived_within: -5m\n"),
              RefusedAt("5:3", "backup.archived_within", "give more than 0"));
  EXPECT_THAT(Read("backup:\n  commands: [ok, Not_An_Id]\n"),
              RefusedAt("5:18", "backup.commands[1]", "\"Not_An_Id\" is not 1 to 63"));
  EXPECT_THAT(Read("backup:\n  commands: [same, same]\n"), RefusedAt("5:20", "backup.commands[1]", "twice"));
  EXPECT_THAT(Read("backup:\n  dump: {tables: ['a.b.c']}\n"),
              RefusedAt("5:19", "backup.dump.tables[0]", "a.b.c"));
  // Written without its value.
  EXPECT_THAT(Read("backup:\n  restore_point:\n"),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("{} for all defaults")));
}

TEST(SafetyTest, NamesAreIdsAndGivenOnce) {
  const std::string lag = "  - {name: lag, sql: SELECT true}\n";
  EXPECT_THAT(Read(absl::StrCat("checks:\n", lag, lag)),
              RefusedAt("6:6", "checks[1].name", "\"lag\" is the name of checks[0].name already"));
  EXPECT_THAT(Read("checks:\n  - {name: Lag, sql: SELECT true}\n"),
              RefusedAt("5:6", "checks[0].name", "\"Lag\" is not 1 to 63"));
  EXPECT_THAT(Read("checks:\n  - {sql: SELECT true}\n"), RefusedAt("5:5", "checks[0].name", "is required"));
  const std::string rows = "  - {name: lag, row_count: {table: t}}\n";
  EXPECT_THAT(Read(absl::StrCat("verify:\n", rows, rows)),
              RefusedAt("6:6", "verify[1].name", "is the name of verify[0].name already"));
  // Of two kinds.
  EXPECT_OK(Read(absl::StrCat("checks:\n", lag, "verify:\n", rows)));
  EXPECT_THAT(Read("verify:\n  - name: empty\n"), RefusedAt("5:5", "verify[0]", "give one of: query"));
}

TEST(SafetyTest, AQueryIsOneSelectOfOneColumnThatOnlyReads) {
  const auto check = [](absl::string_view sql) {
    return Read(absl::StrCat("checks:\n  - name: c\n    sql: \"", sql, "\"\n")).status();
  };
  const auto refused = [](const std::string& what) { return RefusedAt("6:5", "checks[0].sql", what); };
  EXPECT_OK(check("SELECT count(*) = 0 FROM t WHERE c IS NULL;"));
  EXPECT_OK(check("WITH x AS (SELECT 1 AS a) SELECT a = 1 FROM x"));
  EXPECT_OK(check("VALUES (true)"));
  EXPECT_THAT(check("SELEC 1"), refused("syntax error"));
  EXPECT_THAT(check("SELECT 1; SELECT 2"), refused("one"));
  EXPECT_THAT(check("UPDATE t SET c = 1 RETURNING true"), refused("another kind of statement"));
  EXPECT_THAT(check("WITH x AS (DELETE FROM t RETURNING id) SELECT count(*) = 0 FROM x"),
              refused("nothing that writes"));
  EXPECT_THAT(check("SELECT true INTO u"), refused("INTO"));
  EXPECT_THAT(check("SELECT true FROM t FOR UPDATE"), refused("FOR UPDATE"));
  EXPECT_THAT(check("SELECT (SELECT true FROM t FOR SHARE)"), refused("FOR UPDATE, FOR SHARE"));
  EXPECT_THAT(check("SELECT $1::boolean"), refused("parameter"));
  EXPECT_THAT(check("SELECT true, false"), refused("gives 2 columns"));
  EXPECT_THAT(check("SELECT * FROM t"), refused("cannot be told"));
  EXPECT_THAT(check("TABLE t"), refused("cannot be told"));
  EXPECT_THAT(check(absl::StrCat("SELECT ", std::string(5000, '('), "true", std::string(5000, ')'))),
              refused("nested"));
  EXPECT_THAT(Read("verify:\n  - name: v\n    query: {sql: 'DELETE FROM t'}\n"),
              RefusedAt("6:13", "verify[0].query.sql", "another kind of statement"));
}

TEST(SafetyTest, MeasuredColumnsAndRowsAreWrittenAsInOperations) {
  EXPECT_THAT(Read("verify:\n  - {name: v, checksum: {table: t, columns: []}}\n"),
              RefusedAt("5:36", "verify[0].checksum.columns", "at least one"));
  EXPECT_THAT(Read("verify:\n  - {name: v, checksum: {table: t, columns: [a, a]}}\n"),
              RefusedAt("5:49", "verify[0].checksum.columns[1]", "twice"));
  EXPECT_THAT(Read("verify:\n  - {name: v, row_count: {table: t, where: 'id <'}}\n"),
              RefusedAt("5:37", "verify[0].row_count.where", "syntax error"));
  EXPECT_THAT(Read("verify:\n  - {name: v, row_count: {table: t, where: '(SELECT true)'}}\n"),
              RefusedAt("5:37", "verify[0].row_count.where", "quer"));
}

}  // namespace
}  // namespace curlew::plan
