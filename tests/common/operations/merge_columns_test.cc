#include <gmock/gmock.h>

#include "tests/common/operations/plan_test.h"

namespace curlew::operations {
namespace {

using ::testing::HasSubstr;

class MergeColumnsTest : public PlanTest {};

constexpr char kTable[] =
    R"(CREATE TABLE "Peo ple" (id int PRIMARY KEY, first text NOT NULL, "La st" text, other int);
       CREATE INDEX by_name ON "Peo ple" ("La st", first);
       INSERT INTO "Peo ple" VALUES (1, 'Ada', 'Okafor', 0), (2, 'Cher', NULL, 0))";

std::string Merge(absl::string_view rest = "discard: [by_name]") {
  return absl::StrCat(R"yaml(
  - merge_columns:
      table: '"Peo ple"'
      columns:
        - {column: first, down: "split_part(\"na\"\"me\", ' ', 1)"}
        - {column: La st, down: "nullif(split_part(\"na\"\"me\", ' ', 2), '')"}
      into: na"me
      type: text
      up: "concat_ws(' ', first, \"La st\")"
      not_null: true
      comment: both
      )yaml",
                      rest, "\n");
}

TEST_F(MergeColumnsTest, BothFormsAreWrittenUntilTheEnd) {
  Start(kTable, Merge());
  ExpectRollbacks();
  RunTo(v1::PHASE_DUAL_WRITE);
  Run(R"(INSERT INTO "Peo ple" (id, first, "La st") VALUES (3, 'Ben', 'Novak'))");
  Run(R"(INSERT INTO "Peo ple" (id, "na""me") VALUES (4, 'Dina Silva'))");
  EXPECT_EQ(Ask(R"(SELECT first || '/' || "La st" FROM "Peo ple" WHERE id = 4)"), "Dina/Silva");
  Run(R"(UPDATE "Peo ple" SET "La st" = NULL WHERE id = 3)");
  Run(R"(UPDATE "Peo ple" SET "na""me" = 'Eve Kumar' WHERE id = 1)");
  RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_BACKFILL);
  EXPECT_EQ(Ask(R"(SELECT string_agg(first || coalesce("La st", '-'), ',' ORDER BY id) FROM "Peo ple")"),
            "EveKumar,Cher-,Ben-,DinaSilva");
  RunFrom(v1::PHASE_BACKFILL, v1::PHASE_DROP);
  ExpectDone();
  EXPECT_EQ(Ask(R"(SELECT string_agg("na""me", ',' ORDER BY id) FROM "Peo ple")"),
            "Eve Kumar,Cher,Ben,Dina Silva");
}

TEST_F(MergeColumnsTest, RefusesWhatItWouldLoseAndWhatItCannotFollow) {
  EXPECT_THAT(Refusal(kTable, Merge("")), HasSubstr("by_name"));
  EXPECT_THAT(Refusal(kTable, Merge("discard: [by_name, nothing]")), HasSubstr("nothing"));
  auto merge = [](absl::string_view columns, absl::string_view up) {
    return absl::StrCat("  - merge_columns: {table: t, columns: [", columns, "], into: n, type: text, up: \"",
                        up, "\"}\n");
  };
  const char* table = "CREATE TABLE t (id int PRIMARY KEY, a text, b text, o text)";
  const std::string a = "{column: a, down: n}", b = "{column: b, down: n}";
  EXPECT_THAT(Refusal(table, merge(a, "a")), HasSubstr("at least two"));
  EXPECT_THAT(Refusal(table, merge(a + ", " + a, "a")), HasSubstr("given twice"));
  EXPECT_THAT(Refusal(table, merge(a + ", " + b, "a || o")), HasSubstr("up names column o"));
  EXPECT_THAT(Refusal(table, merge(a + ", {column: b, down: o}", "a || b")),
              HasSubstr("down names column o"));
  EXPECT_THAT(Refusal(table, merge(a + ", {column: z, down: n}", "a")), HasSubstr("does not exist"));
}

}  // namespace
}  // namespace curlew::operations
