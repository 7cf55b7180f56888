#include <gmock/gmock.h>

#include "tests/common/operations/plan_test.h"

namespace curlew::operations {
namespace {

using ::curlew::testing::IsOk;
using ::testing::HasSubstr;

class SplitColumnTest : public PlanTest {};

constexpr char kTable[] =
    R"(CREATE TABLE "Peo ple" (id int PRIMARY KEY, "Full na""me" text NOT NULL, other int);
       CREATE INDEX by_name ON "Peo ple" ("Full na""me");
       INSERT INTO "Peo ple" VALUES (1, 'Ada Okafor', 0), (2, 'Cher', 0))";

std::string Split(absl::string_view rest = "discard: [by_name]") {
  return absl::StrCat(R"yaml(
  - split_column:
      table: '"Peo ple"'
      column: Full na"me
      into:
        - {column: first, type: text, up: "split_part(\"Full na\"\"me\", ' ', 1)", not_null: true, comment: it's first}
        - {column: La st, type: varchar(20), collation: '"C"', up: "nullif(split_part(\"Full na\"\"me\", ' ', 2), '')"}
      down: "concat_ws(' ', first, \"La st\")"
      )yaml",
                      rest, "\n");
}

TEST_F(SplitColumnTest, BothFormsAreWrittenUntilTheEnd) {
  Start(kTable, Split());
  ExpectRollbacks();
  RunTo(v1::PHASE_DUAL_WRITE);
  Run(R"(INSERT INTO "Peo ple" (id, "Full na""me") VALUES (3, 'Ben Novak'))");
  EXPECT_EQ(Ask(R"(SELECT first || '/' || "La st" FROM "Peo ple" WHERE id = 3)"), "Ben/Novak");
  Run(R"(INSERT INTO "Peo ple" (id, first) VALUES (4, 'Pelé'))");
  Run(R"(UPDATE "Peo ple" SET "La st" = 'Silva' WHERE id = 3)");
  Run(R"(UPDATE "Peo ple" SET first = 'Eve' WHERE id = 1)");  // pending: the other part is lost, as down says
  Run(R"(UPDATE "Peo ple" SET other = 1 WHERE id = 2)");
  EXPECT_EQ(Ask(R"(SELECT string_agg("Full na""me", ',' ORDER BY id) FROM "Peo ple")"),
            "Eve,Cher,Ben Silva,Pelé");
  RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_DROP);
  ExpectDone();
  EXPECT_EQ(
      Ask(R"(SELECT string_agg(first || '/' || coalesce("La st", '-'), ',' ORDER BY id) FROM "Peo ple")"),
      "Eve/-,Cher/-,Ben/Silva,Pelé/-");
}

TEST_F(SplitColumnTest, RefusesWhatItWouldLoseAndWhatItCannotFollow) {
  EXPECT_THAT(Refusal(kTable, Split("")), HasSubstr("by_name"));
  EXPECT_THAT(Refusal(kTable, Split("discard: [by_name, nothing]")), HasSubstr("nothing"));
  auto split = [](absl::string_view into, absl::string_view down) {
    return absl::StrCat("  - split_column: {table: t, column: v, into: [", into, "], down: \"", down,
                        "\"}\n");
  };
  const char* table = "CREATE TABLE t (id int PRIMARY KEY, v text, o text)";
  const std::string a = "{column: a, type: text, up: v}", b = "{column: b, type: text, up: v}";
  EXPECT_THAT(Refusal(table, split(a, "a")), HasSubstr("at least two"));
  EXPECT_THAT(Refusal(table, split(a + ", " + a, "a")), HasSubstr("given twice"));
  EXPECT_THAT(Refusal(table, split(a + ", " + b, "a || o")), HasSubstr("down names column o"));
  EXPECT_THAT(Refusal(table, split(a + ", {column: b, type: text, up: o}", "a")),
              HasSubstr("up names column o"));
  EXPECT_THAT(Refusal(table, split(a + ", {column: o, type: text, up: v}", "a")),
              HasSubstr("exists already"));
  EXPECT_THAT(Refusal("CREATE TABLE t (v text PRIMARY KEY)", split(a + ", " + b, "a")),
              HasSubstr("primary key"));
  EXPECT_THAT(Refusal("CREATE TABLE t (v int GENERATED ALWAYS AS IDENTITY)", split(a + ", " + b, "a::int")),
              HasSubstr("identity"));
}

}  // namespace
}  // namespace curlew::operations
