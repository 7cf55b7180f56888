// Changes in place, each row once; and columns that the plan adds.
#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "tests/common/operations/plan_test.h"

namespace curlew::operations {
namespace {

using ::curlew::testing::IsOk;
using ::testing::HasSubstr;

class BackfillTest : public PlanTest {
 protected:
  // Runs the steps of DROP that come before the one that walks over the rows.
  void RunToTheWalk() {
    for (const v1::Step& step : compiled_->steps()) {
      if (step.action().has_backfill()) {
        walk_ = &step;
        return;
      }
      ASSERT_THAT(testing::RunAction(connection_.get(), step.action()), IsOk()) << step.title();
    }
  }
  void RunTheRest() {
    bool reached = false;
    for (const v1::Step& step : compiled_->steps()) {
      reached = reached || &step == walk_;
      if (!reached) continue;
      ASSERT_THAT(testing::RunAction(connection_.get(), step.action()), IsOk()) << step.title();
    }
  }
  const v1::Step* walk_ = nullptr;
};

TEST_F(BackfillTest, EachRowIsChangedOnceWhateverIsWrittenMeanwhile) {
  Start(R"(CREATE TABLE "T t" (id int PRIMARY KEY, "count er" int NOT NULL, "select" text, other int);
           INSERT INTO "T t" SELECT g, 0, 'x' FROM generate_series(1, 20) AS g)",
        "  - backfill: {table: '\"T t\"', set: [{column: count er, value: '\"count er\" + 1'}, "
        "{column: select, value: 'upper(\"select\")'}]}\n");
  ExpectRollbacks();
  RunToTheWalk();
  Run(R"(UPDATE "T t" SET other = 1 WHERE id <= 5)");  // touched: changed at once
  Run(R"(UPDATE "T t" SET "count er" = "count er" + 10 WHERE id BETWEEN 4 AND 8)");  // and written
  Run(R"(UPDATE "T t" SET "count er" = "count er" + 10 WHERE id = 4)");
  Run(R"(INSERT INTO "T t" VALUES (30, 100, 'y', 0))");  // new: stays
  Run(R"(DELETE FROM "T t" WHERE id = 20; INSERT INTO "T t" VALUES (20, 100, 'z'))");
  EXPECT_EQ(Ask(R"(SELECT string_agg("count er"::text, ' ' ORDER BY id) FROM "T t" WHERE id < 10)"),
            "1 1 1 21 11 11 11 11 0");
  RunTheRest();
  EXPECT_EQ(
      Ask(R"(SELECT string_agg("count er" || "select", ' ' ORDER BY id) FROM "T t" WHERE id < 10 OR id > 18)"),
      "1X 1X 1X 21X 11X 11X 11X 11X 1X 1X 100z 100y");
  ExpectDone();
}

TEST_F(BackfillTest, TheLookAfterTheWalkChangesWhatWasLeft) {
  Start(
      "CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT g, g FROM generate_series(1, 5) AS g",
      "  - backfill: {table: t, set: [{column: n, value: n + 100}], where: n <> 3}\n");
  RunToTheWalk();
  for (const v1::Step& step : compiled_->steps()) {
    if (step.action().verify().scans().empty()) continue;
    const v1::RowScan& scan = step.action().verify().scans(0);
    // The walk has not been: all but one are pending. What fills them does so once.
    EXPECT_EQ(Ask(absl::StrCat("SELECT count(*) FROM t WHERE ", scan.checks(0).violation())), "4");
    v1::Action repair;
    *repair.mutable_backfill() = scan.repair();
    for (int i = 0; i < 2; ++i) EXPECT_THAT(testing::RunAction(connection_.get(), repair), IsOk());
    EXPECT_EQ(Ask(absl::StrCat("SELECT count(*) FROM t WHERE ", scan.checks(0).violation())), "0");
  }
  EXPECT_EQ(Ask("SELECT string_agg(n::text, ' ' ORDER BY id) FROM t"), "101 102 3 104 105");
  RunTheRest();
  ExpectDone();
}

TEST_F(BackfillTest, OnlyRowsThatTheConditionNamesAreChanged) {
  Start(
      "CREATE TABLE t (id int PRIMARY KEY, n int, kind text); INSERT INTO t SELECT g, g, CASE WHEN g % 2 = 0 "
      "THEN "
      "'a' END FROM generate_series(1, 6) AS g",
      "  - backfill: {table: t, set: [{column: n, value: n * 10}], where: kind = 'a'}\n");
  RunToTheWalk();
  Run("UPDATE t SET kind = 'b' WHERE id = 2");  // no longer
  Run("UPDATE t SET kind = 'a' WHERE id = 1");  // too late
  RunTheRest();
  ExpectDone();
  EXPECT_EQ(Ask("SELECT string_agg(n::text, ' ' ORDER BY id) FROM t"), "1 2 3 40 5 60");
}

TEST_F(BackfillTest, APartitionedTableIsChangedInAllItsPartitions) {
  Start(
      "CREATE TABLE t (id int, n int) PARTITION BY LIST (id); CREATE TABLE t1 PARTITION OF t FOR VALUES IN "
      "(1);"
      "CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2); INSERT INTO t VALUES (1, 1), (2, 2), (1, 3)",
      "  - backfill: {table: t, set: [{column: n, value: n + 1}]}\n");
  RunToTheWalk();
  Run("UPDATE t SET id = 2 WHERE n = 1");  // moves to another partition
  RunTheRest();
  ExpectDone();
  EXPECT_EQ(Ask("SELECT string_agg(n::text, ' ' ORDER BY n) FROM t"), "2 3 4");
}

TEST_F(BackfillTest, AColumnThatThePlanAddsIsFilledBeforeTheGate) {
  Start("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x')",
        "  - add_column: {table: t, column: b, type: text}\n"
        "  - backfill: {table: t, set: [{column: b, value: upper(a)}]}\n"
        "  - set_not_null: {table: t, column: b}\n");
  // The value comes from a backfill that set_not_null cannot see.
  if (!compiled_.ok()) {
    EXPECT_THAT(std::string(compiled_.status().message()), HasSubstr("without a value"));
    Start("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'x')",
          "  - add_column: {table: t, column: b, type: text}\n"
          "  - backfill: {table: t, set: [{column: b, value: upper(a)}]}\n");
  }
  ExpectLife();
  EXPECT_EQ(Ask("SELECT b FROM t"), "X");
}

TEST_F(BackfillTest, RefusesByNameWhatItCannotDo) {
  const char* table = "CREATE TABLE t (id int PRIMARY KEY, n int, g int GENERATED ALWAYS AS (n + 1) STORED)";
  auto fill = [](absl::string_view rest) { return absl::StrCat("  - backfill: {table: t, ", rest, "}\n"); };
  EXPECT_THAT(Refusal(table, fill("set: [{column: g, value: n}]")), HasSubstr("is generated"));
  EXPECT_THAT(Refusal(table, fill("set: [{column: n, value: z}]")), HasSubstr("column z"));
  EXPECT_THAT(Refusal(table, fill("set: [{column: n, value: n}], where: z > 1")), HasSubstr("column z"));
  EXPECT_THAT(Refusal(table, fill("set: [{column: n, value: n}, {column: n, value: '1'}]")),
              HasSubstr("given twice"));
  EXPECT_THAT(Refusal(absl::StrCat(table, "; CREATE PUBLICATION p FOR TABLE t"),
                      fill("set: [{column: n, value: n}]")),
              HasSubstr("published"));
}

}  // namespace
}  // namespace curlew::operations
