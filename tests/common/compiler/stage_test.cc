// How operations of a plan go together, or after each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/compiler/compiler.h"
#include "common/plan/plan_reader.h"
#include "tests/support/status_matchers.h"

namespace curlew::compiler {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

v1::Schema People() {
  v1::Schema schema;
  for (const char* name : {"other", "people"}) {
    v1::Table* table = schema.add_tables();
    table->set_schema("public");
    table->set_name(name);
    table->set_kind(v1::TABLE_KIND_TABLE);
    for (const char* column : {"id", "a", "b", "c"}) {
      v1::Column* added = table->add_columns();
      added->set_name(column);
      added->set_type(column == std::string("id") ? "bigint" : "text");
      added->set_not_null(column == std::string("id"));
      added->set_has_equality(true);
      added->set_statistics_target(-1);
    }
  }
  return schema;
}

absl::StatusOr<v1::CompiledPlan> CompileYaml(absl::string_view operations) {
  auto plan = plan::ReadPlan(absl::StrCat("name: p\noperations:\n", operations), "p.yaml");
  if (!plan.ok()) return plan.status();
  return Compile(*plan, People());
}

std::vector<const v1::Step*> StepsOf(const v1::CompiledPlan& plan, v1::Action::KindCase kind) {
  std::vector<const v1::Step*> steps;
  for (const v1::Step& step : plan.steps()) {
    if (step.action().kind_case() == kind && !step.preflight()) steps.push_back(&step);
  }
  return steps;
}

int Stages(const v1::CompiledPlan& plan) { return plan.steps(plan.steps_size() - 1).stage() + 1; }

TEST(StageTest, RowsThatAreToBeQuarantinedDoNotKeepAPlanFromBeginning) {
  const auto looks_at_rows = [](const std::string& settings) {
    const auto plan = CompileYaml(absl::StrCat(
        "  - rename_column: {table: people, from: a, to: d, up: upper(a), down: lower(d)}\n", settings));
    EXPECT_THAT(plan, IsOk());
    int looks = 0;
    for (const v1::Step& step : plan->steps()) {
      for (const v1::Check& check : step.action().verify().checks()) {
        looks += step.preflight() && check.description().find("can be computed") != std::string::npos;
      }
    }
    return looks;
  };
  EXPECT_EQ(looks_at_rows(""), 1);
  EXPECT_EQ(looks_at_rows("settings: {backfill: {on_row_error: quarantine}}\n"), 0);
}

TEST(StageTest, OperationsOnOneTableShareTriggerBackfillVerificationAndEnd) {
  auto plan = CompileYaml(R"(
  - rename_column: {table: people, from: a, to: a2, up: upper(a), down: lower(a2)}
  - add_column: {table: people, column: d, type: int, up: length(b)}
  - rename_column: {table: people, from: b, to: b2}
  - drop_column: {table: people, column: c}
)");
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(Stages(*plan), 1);
  EXPECT_THAT(StepsOf(*plan, v1::Action::kInstallTrigger), SizeIs(1));
  EXPECT_THAT(StepsOf(*plan, v1::Action::kBackfill), SizeIs(1));
  EXPECT_THAT(StepsOf(*plan, v1::Action::kVerify), SizeIs(1));
  EXPECT_THAT(StepsOf(*plan, v1::Action::kAnalyze), SizeIs(1));
  // One lock to add all columns and the marker, one to end.
  const auto sql = StepsOf(*plan, v1::Action::kExecuteSql);
  ASSERT_THAT(sql, SizeIs(2));
  EXPECT_EQ(sql[0]->phase(), v1::PHASE_ADD);
  for (const char* column : {"a2", "b2", "d", "curlew_pending_"}) {
    EXPECT_THAT(sql[0]->action().execute_sql().statements(0), HasSubstr(absl::StrCat("ADD COLUMN ", column)));
  }
  EXPECT_EQ(sql[1]->phase(), v1::PHASE_DROP);
  const auto& last = sql[1]->action().execute_sql().statements();
  EXPECT_THAT(last, Contains(HasSubstr("DROP COLUMN a, DROP COLUMN b, DROP COLUMN c")));
}

TEST(StageTest, TablesAreKeptApart) {
  auto plan = CompileYaml(R"(
  - rename_column: {table: people, from: a, to: a2}
  - rename_column: {table: other, from: a, to: a2}
)");
  ASSERT_THAT(plan, IsOk());
  EXPECT_THAT(StepsOf(*plan, v1::Action::kInstallTrigger), SizeIs(2));
  EXPECT_THAT(StepsOf(*plan, v1::Action::kBackfill), SizeIs(2));
}

TEST(StageTest, ColumnsAddedWithSomethingBetweenKeepTheirOrder) {
  auto plan = CompileYaml(R"(
  - add_column: {table: people, column: d, type: int}
  - sql: {up: 'CREATE TABLE t ()', down: DROP TABLE t}
  - add_column: {table: people, column: e, type: int}
)");
  ASSERT_THAT(plan, IsOk());
  std::vector<std::string> titles;
  for (const v1::Step* step : StepsOf(*plan, v1::Action::kExecuteSql)) titles.push_back(step->title());
  EXPECT_THAT(titles, ElementsAre(HasSubstr("people.d"), HasSubstr("CREATE TABLE"), HasSubstr("people.e")));
}

TEST(StageTest, ANameThatIsDroppedAndUsedAgainMakesAnotherStage) {
  auto plan = CompileYaml(R"(
  - drop_column: {table: people, column: a}
  - add_column: {table: people, column: a, type: int, up: length(b)}
)");
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(Stages(*plan), 2);
  int stage = 0;
  std::vector<std::string> keys;
  for (const v1::Step& step : plan->steps()) {
    EXPECT_GE(step.stage(), stage);
    stage = step.stage();
    keys.push_back(step.key());
  }
  EXPECT_THAT(keys, Contains("stage-1-drop-2"));
  EXPECT_THAT(keys, Contains("stage-2-add-1"));
  EXPECT_THAT(plan->warnings(), Contains(HasSubstr("2 stages")));
}

TEST(StageTest, ASwapIsARunOfRenames) {
  auto plan = CompileYaml(R"(
  - rename_column: {table: people, from: a, to: swapped}
  - rename_column: {table: people, from: b, to: a}
  - rename_column: {table: people, from: swapped, to: b}
)");
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(Stages(*plan), 3);
  auto yaml = plan::ReadPlan(R"(name: p
operations:
  - rename_column: {table: people, from: a, to: swapped}
  - rename_column: {table: people, from: b, to: a}
  - rename_column: {table: people, from: swapped, to: b}
)",
                             "p.yaml");
  ASSERT_THAT(yaml, IsOk());
  auto after = Apply(*yaml, People());
  ASSERT_THAT(after, IsOk());
  EXPECT_EQ(after->tables(1).columns_size(), 4);
}

TEST(StageTest, WhatUsesAReplacedColumnComesInTheNextStage) {
  auto plan = CompileYaml(R"(
  - change_type: {table: people, column: a, type: integer, up: length(a), down: a::text}
  - change_type: {table: people, column: b, type: integer, up: length(b), down: b::text}
  - create_index: {table: people, name: people_a, columns: [a]}
)");
  ASSERT_THAT(plan, IsOk());
  EXPECT_EQ(Stages(*plan), 2);
  EXPECT_THAT(StepsOf(*plan, v1::Action::kBackfill), SizeIs(1));
  EXPECT_EQ(plan->steps(plan->steps_size() - 1).title().find("build index"), 0u);
}

TEST(StageTest, ARefusalOfTheFirstOperationOfAStageReachesTheAuthor) {
  EXPECT_THAT(CompileYaml("  - add_column: {table: people, column: a, type: int}\n"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("operations[0].add_column")));
  EXPECT_THAT(CompileYaml(R"(
  - drop_column: {table: people, column: c}
  - rename_column: {table: people, from: nowhere, to: b}
)"),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("operations[1].rename_column")));
}

TEST(StageTest, TwoOperationsThatFillOneColumnAreRefused) {
  EXPECT_THAT(
      CompileYaml(R"(
  - add_column: {table: people, column: d, type: int, up: length(b)}
  - backfill: {table: people, set: [{column: d, value: length(c)}]}
)"),
      StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("filled or followed by two operations")));
}

TEST(StageTest, TheGateKnowsTheCountersOfItsStage) {
  auto plan = CompileYaml("  - rename_column: {table: people, from: a, to: a2}\n");
  ASSERT_THAT(plan, IsOk());
  const auto waits = StepsOf(*plan, v1::Action::kWait);
  ASSERT_THAT(waits, SizeIs(1));
  EXPECT_THAT(waits[0]->action().wait().shape_unused().counters(),
              ElementsAre(HasSubstr("curlew.old_writes_")));
  EXPECT_THAT(plan->rollback_gate().action().wait().shape_unused().counters(),
              ElementsAre(HasSubstr("curlew.new_writes_")));
  EXPECT_EQ(waits[0]->action().wait().shape_unused().quiet().seconds(), 10);
}

TEST(StageTest, NothingOldGoesBeforeEverythingNewIsVerifiedAndValidated) {
  auto plan = CompileYaml(R"(
  - rename_column: {table: people, from: a, to: a2}
  - set_not_null: {table: people, column: a2}
  - add_check: {table: people, name: k, expression: "a2 <> ''"}
  - drop_column: {table: people, column: c}
)");
  ASSERT_THAT(plan, IsOk());
  const auto proved = [](const v1::Step& step) {
    return step.action().has_validate_constraint() || step.action().has_verify();
  };
  int last_proof = -1, first_drop = plan->steps_size();
  for (int i = 0; i < plan->steps_size(); ++i) {
    if (proved(plan->steps(i))) last_proof = i;
    const bool goes = plan->steps(i).phase() == v1::PHASE_DROP && plan->steps(i).action().has_execute_sql();
    if (goes && i < first_drop) first_drop = i;
  }
  ASSERT_GE(last_proof, 0);
  ASSERT_LT(first_drop, plan->steps_size());
  EXPECT_LT(last_proof, first_drop);
}

TEST(StageTest, TheBackfillComesAfterTheTriggersOfItsTable) {
  auto plan = CompileYaml("  - rename_column: {table: people, from: a, to: a2}\n");
  ASSERT_THAT(plan, IsOk());
  int triggers = -1;
  for (int i = 0; i < plan->steps_size(); ++i) {
    if (plan->steps(i).action().has_install_trigger()) triggers = i;
    if (plan->steps(i).action().has_backfill()) {
      EXPECT_GE(triggers, 0);
      EXPECT_LT(triggers, i);
    }
  }
  EXPECT_GE(triggers, 0);
}

TEST(StageTest, AChangeInPlaceWaitsForTheGate) {
  auto plan =
      CompileYaml("  - backfill: {table: people, set: [{column: a, value: upper(a)}], where: b = 'x'}\n");
  ASSERT_THAT(plan, IsOk());
  for (const v1::Step& step : plan->steps()) {
    if (step.preflight()) continue;
    EXPECT_EQ(step.phase(), v1::PHASE_DROP) << step.title();
  }
}

TEST(StageTest, ALookAtRowsWaitsForTheChangeOfThem) {
  for (const char* change :
       {"backfill: {table: people, set: [{column: a, value: \"'x'\"}], where: a IS NULL}",
        "purge: {table: people, where: a IS NULL}",
        "sql: {up: \"DELETE FROM people WHERE a IS NULL\", irreversible: true, phase: drop}"}) {
    for (const char* look : {"set_not_null: {table: people, column: a}",
                             "add_check: {table: people, name: k, expression: a <> ''}",
                             "create_index: {table: people, name: k, columns: [a], unique: true}",
                             "add_column: {table: people, column: d, type: text, up: upper(a)}"}) {
      auto plan = CompileYaml(
          absl::StrCat("  - ", change, "\n  - ", look, "\nsettings: {acknowledge: [unbatched-data]}\n"));
      ASSERT_THAT(plan, IsOk()) << change << look;
      EXPECT_EQ(Stages(*plan), 2) << change << look;
    }
  }
}

TEST(StageTest, WhatLooksAtNoRowsDoesNotWait) {
  const std::string change = "  - purge: {table: people, where: a IS NULL}\n";
  for (const char* other : {"create_index: {table: people, name: k, columns: [a]}",
                            "add_column: {table: people, column: d, type: text}",
                            "add_check: {table: other, name: k, expression: a <> ''}"}) {
    auto plan = CompileYaml(absl::StrCat(change, "  - ", other, "\n"));
    ASSERT_THAT(plan, IsOk()) << other;
    EXPECT_EQ(Stages(*plan), 1) << other;
  }
  auto filled = CompileYaml(R"(
  - add_column: {table: people, column: d, type: text}
  - backfill: {table: people, set: [{column: d, value: a}]}
  - add_check: {table: people, name: k, expression: d <> ''}
)");
  ASSERT_THAT(filled, IsOk());
  EXPECT_EQ(Stages(*filled), 1);
}

// What rows will get cannot be looked at before, nor be taken from a sequence that is not there yet.
TEST(StageTest, ANumberOfASequenceIsNotLookedAtBefore) {
  auto plan = CompileYaml(R"yaml(
  - create_sequence: {sequence: s}
  - add_column: {table: people, column: d, type: bigint, up: "nextval('s')", not_null: true}
  - add_unique: {table: people, name: k, columns: [d]}
)yaml");
  ASSERT_THAT(plan, IsOk());
  for (const v1::Step& step : plan->steps()) {
    if (step.preflight()) {
      EXPECT_THAT(step.DebugString(), Not(HasSubstr("nextval")));
    }
  }
}

}  // namespace
}  // namespace curlew::compiler
