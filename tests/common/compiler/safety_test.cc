// What backups, verifications and the dual write itself add to a plan's steps.
#include "common/compiler/safety.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/error_detail.h"
#include "common/compiler/compiler.h"
#include "common/plan/plan_reader.h"
#include "tests/support/status_matchers.h"

namespace curlew::compiler {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

v1::Table* AddTable(const char* schema_name, const char* name, v1::Schema* schema) {
  v1::Table* table = schema->add_tables();
  table->set_schema(schema_name);
  table->set_name(name);
  table->set_kind(v1::TABLE_KIND_TABLE);
  for (const char* column : {"id", "a", "b"}) {
    v1::Column* added = table->add_columns();
    added->set_name(column);
    added->set_type(column == std::string("id") ? "bigint" : "text");
    added->set_not_null(column == std::string("id"));
    added->set_has_equality(true);
    added->set_statistics_target(-1);
  }
  return table;
}

v1::Schema People() {
  v1::Schema schema;
  AddTable("public", "people", &schema);
  AddTable("public", "other", &schema);
  AddTable("crm", "people", &schema);
  return schema;
}

absl::StatusOr<v1::CompiledPlan> CompileYaml(absl::string_view operations, absl::string_view rest = "",
                                             const v1::Schema& schema = People()) {
  auto plan = plan::ReadPlan(absl::StrCat("name: p\noperations:\n", operations, rest), "p.yaml");
  if (!plan.ok()) return plan.status();
  return Compile(*plan, schema);
}

constexpr char kRename[] = "  - rename_column: {table: people, from: a, to: z}\n";
// a goes in the DROP of the first stage, and comes back in the second.
constexpr char kTwoStages[] =
    "  - rename_column: {table: people, from: a, to: z}\n"
    "  - rename_column: {table: people, from: b, to: a}\n";

std::vector<std::string> Keys(const v1::CompiledPlan& plan) {
  std::vector<std::string> keys;
  for (const v1::Step& step : plan.steps()) keys.push_back(step.key());
  return keys;
}

const v1::Step& Find(const v1::CompiledPlan& plan, const std::string& key) {
  for (const v1::Step& step : plan.steps()) {
    if (step.key() == key) return step;
  }
  ADD_FAILURE() << "there is no " << key << ", but " << absl::StrJoin(Keys(plan), " ");
  return v1::Step::default_instance();
}

TEST(SafetyTest, AllThatIsAskedForHasItsPlace) {
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan, CompileYaml(kRename, R"(
backup:
  restore_point: {}
  commands: [base-backup]
  dump: {}
  archived_within: 5m
verify:
  - {name: rows-kept, row_count: {table: people}}
  - {name: none-empty, query: {sql: SELECT count(*) FROM people WHERE z = '', expect: 0}}
)"));
  EXPECT_THAT(Keys(plan),
              ElementsAre("preflight-1", "backup-1", "backup-2", "backup-3", "backup-4", "measure-1", "add-1",
                          "dual-write-1", "backfill-1", "backfill-2", "backfill-3", "verify-1",
                          "drop-verify-1", "drop-1", "drop-verify-2", "drop-2"));
  v1::Phase phase = v1::PHASE_ADD;
  for (const v1::Step& step : plan.steps()) {
    EXPECT_GE(step.phase(), phase) << step.key();
    phase = step.phase();
    EXPECT_EQ(step.preflight(), step.key() == "preflight-1" || absl::StartsWith(step.key(), "drop-verify"))
        << step.key();
    if (step.action().has_backup() || step.action().has_measure()) {
      EXPECT_FALSE(step.has_undo()) << step.key();
    }
  }
  // What can say no comes first, and the point to go back to last.
  EXPECT_EQ(Find(plan, "backup-1").action().backup().archive().within().seconds(), 300);
  EXPECT_THAT(Find(plan, "backup-2").action().backup().dump().tables(), ElementsAre("public.people"));
  EXPECT_TRUE(Find(plan, "backup-2").scans());
  EXPECT_EQ(Find(plan, "backup-2").locks(0).mode(), "AccessShareLock");
  EXPECT_EQ(Find(plan, "backup-3").action().backup().command().name(), "base-backup");
  EXPECT_TRUE(Find(plan, "backup-4").action().backup().has_restore_point());
  EXPECT_EQ(Find(plan, "verify-1").phase(), v1::PHASE_CONSTRAIN);
}

TEST(SafetyTest, APlanThatAsksForNothingGetsOnlyTheLookBeforeDrop) {
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan, CompileYaml(kRename));
  EXPECT_THAT(Keys(plan), ElementsAre("preflight-1", "add-1", "dual-write-1", "backfill-1", "backfill-2",
                                      "backfill-3", "drop-verify-1", "drop-1", "drop-verify-2", "drop-2"));
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan no_dual_write,
                       CompileYaml("  - drop_index: {table: people, name: i}\n", "", [] {
                         v1::Schema schema = People();
                         v1::Index* index = schema.mutable_tables(0)->add_indexes();
                         index->set_name("i");
                         index->set_definition("CREATE INDEX i ON public.people USING btree (a)");
                         index->set_valid(true);
                         return schema;
                       }()));
  EXPECT_THAT(Keys(no_dual_write), Not(Contains(StartsWith("drop-verify"))));
}

// Triggers that somebody has disabled by hand, and rows out of step, are found before the old shape goes.
TEST(SafetyTest, BeforeDropTriggersAndRowsAreLookedAtOnceMore) {
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan, CompileYaml(kRename));
  const v1::Step& look = Find(plan, "drop-verify-1");
  const v1::Verify& verify = look.action().verify();
  EXPECT_TRUE(look.preflight());
  EXPECT_TRUE(look.scans());
  EXPECT_EQ(look.phase(), v1::PHASE_DROP);
  EXPECT_FALSE(look.has_undo());
  ASSERT_EQ(verify.triggers_size(), 1);
  EXPECT_EQ(verify.triggers(0).table(), "public.people");
  EXPECT_THAT(verify.triggers(0).triggers(),
              ::testing::ElementsAreArray(Find(plan, "dual-write-1").action().install_trigger().triggers()));
  // The look of BACKFILL, but nothing is filled now, and the advice is another one.
  const v1::Verify& before = Find(plan, "backfill-3").action().verify();
  ASSERT_EQ(verify.scans_size(), 1);
  EXPECT_FALSE(verify.scans(0).has_repair());
  EXPECT_EQ(verify.search_path(), before.search_path());
  ASSERT_EQ(verify.scans(0).checks_size(), before.scans(0).checks_size());
  for (int i = 0; i < verify.scans(0).checks_size(); ++i) {
    EXPECT_EQ(verify.scans(0).checks(i).violation(), before.scans(0).checks(i).violation());
    EXPECT_EQ(verify.scans(0).checks(i).pending(), before.scans(0).checks(i).pending());
    EXPECT_THAT(verify.scans(0).checks(i).hint(), Not(HasSubstr("what is pending is filled")));
  }
  // The triggers alone once more, when the wait for the old applications is over.
  EXPECT_TRUE(Find(plan, "drop-1").action().has_wait());
  const v1::Verify& after_wait = Find(plan, "drop-verify-2").action().verify();
  EXPECT_EQ(after_wait.triggers_size(), 1);
  EXPECT_THAT(after_wait.scans(), IsEmpty());
}

TEST(SafetyTest, OneLookBeforeDropHoldsAllTablesOfASearchPath) {
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan,
                       CompileYaml("  - rename_column: {table: people, from: a, to: z}\n"
                                   "  - rename_column: {table: other, from: a, to: z}\n"
                                   "  - rename_column: {table: crm.people, from: a, to: z}\n",
                                   "verify: [{name: v, row_count: {table: other}}]\n"));
  const v1::Verify& first = Find(plan, "drop-verify-1").action().verify();
  const v1::Verify& second = Find(plan, "drop-verify-2").action().verify();
  EXPECT_EQ(first.scans_size(), 2);
  EXPECT_EQ(first.triggers_size(), 3) << "of all tables: they have no search_path";
  EXPECT_EQ(first.unchanged_size(), 1);
  ASSERT_EQ(second.scans_size(), 1);
  EXPECT_EQ(second.scans(0).table(), "crm.people");
  EXPECT_NE(second.search_path(), first.search_path());
  EXPECT_THAT(second.triggers(), IsEmpty());
}

TEST(SafetyTest, TriggersWithoutRowsToCompareAreLookedAtToo) {
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan,
                       CompileYaml("  - drop_column: {table: people, column: a, down: \"''\"}\n"));
  EXPECT_EQ(Find(plan, "drop-verify-1").action().verify().triggers_size(), 1);
  EXPECT_FALSE(Find(plan, "drop-verify-1").scans());
}

TEST(SafetyTest, AChangeInPlaceHasItsTriggersInDropAlone) {
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan,
                       CompileYaml("  - backfill: {table: people, set: [{column: a, value: upper(a)}]}\n"));
  EXPECT_THAT(Keys(plan), Not(Contains(StartsWith("drop-verify"))));
}

TEST(SafetyTest, EachStageIsLookedAtBeforeItsDropAndQueriesBeforeTheLast) {
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan, CompileYaml(kTwoStages, R"(
backup: {restore_point: {}}
verify:
  - {name: rows-kept, row_count: {table: people}}
  - {name: none-empty, query: {sql: SELECT count(*) FROM people WHERE a = '', expect: 0}}
)"));
  EXPECT_EQ(Find(plan, "stage-1-backup-1").stage(), 0);
  EXPECT_EQ(Find(plan, "stage-1-measure-1").stage(), 0);
  EXPECT_EQ(Find(plan, "stage-2-verify-1").stage(), 1);
  EXPECT_THAT(Keys(plan), Not(Contains("stage-1-verify-1")));
  // What is to stay as it is must be so whenever something goes.
  const v1::Verify& first = Find(plan, "stage-1-drop-verify-1").action().verify();
  EXPECT_EQ(first.unchanged_size(), 1);
  EXPECT_THAT(first.expectations(), IsEmpty());
  EXPECT_EQ(first.scans_size(), 1);
  const v1::Verify& last = Find(plan, "stage-2-drop-verify-1").action().verify();
  EXPECT_EQ(last.unchanged_size(), 1);
  EXPECT_EQ(last.expectations_size(), 1);
  EXPECT_EQ(last.scans_size(), 1);
}

TEST(SafetyTest, QueriesAreTakenAsTables) {
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan, CompileYaml(kRename, R"(
verify:
  - {name: q, query: {sql: "SELECT max(b) FROM people; -- the last"}}
  - {name: e, query: {sql: "SELECT ''", expect: ""}}
)"));
  const v1::Verify& verify = Find(plan, "verify-1").action().verify();
  EXPECT_EQ(verify.expectations(0).query(),
            "SELECT CAST(q.v AS text) FROM (SELECT max(b) FROM people) AS q(v)");
  EXPECT_FALSE(verify.expectations(0).has_expect());
  EXPECT_TRUE(verify.expectations(1).has_expect());
  EXPECT_EQ(verify.search_path(), "pg_catalog, public, pg_temp");
  EXPECT_THAT(Keys(plan), Not(Contains("measure-1"))) << "nothing to compare with";
}

TEST(SafetyTest, WhatIsMeasuredIsComparedByTheSameQuery) {
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan, CompileYaml(kRename, R"(
verify:
  - {name: rows-kept, row_count: {table: crm.people, where: "id < 10 OR b IS NULL"}}
  - {name: ids-kept, checksum: {table: people, columns: [id, b]}}
)"));
  const v1::Step& measure = Find(plan, "measure-1");
  ASSERT_EQ(measure.action().measure().measurements_size(), 2);
  EXPECT_EQ(measure.action().measure().measurements(0).query(),
            "SELECT CAST(count(*) AS text) FROM crm.people AS t WHERE (t.id < 10 OR t.b IS NULL)");
  EXPECT_EQ(measure.action().measure().measurements(0).description(),
            "rows of crm.people where id < 10 OR b IS NULL");
  EXPECT_THAT(measure.action().measure().measurements(1).query(), HasSubstr("ROW(t.id, t.b)"));
  EXPECT_EQ(measure.action().measure().measurements(1).description(), "checksum of id, b of public.people");
  EXPECT_EQ(measure.locks_size(), 2);
  for (const char* key : {"verify-1", "drop-verify-1"}) {
    const v1::Verify& verify = Find(plan, key).action().verify();
    ASSERT_EQ(verify.unchanged_size(), 2) << key;
    EXPECT_EQ(verify.unchanged(1).query(), measure.action().measure().measurements(1).query());
  }
}

TEST(SafetyTest, WhatRowLevelSecurityHidesIsNotCompared) {
  v1::Schema schema = People();
  schema.mutable_tables(1)->set_row_security("enabled");
  ASSERT_OK_AND_ASSIGN(
      const v1::CompiledPlan plan,
      CompileYaml(kRename,
                  "verify: [{name: v, row_count: {table: other}}, {name: w, row_count: {table: other}}]\n",
                  schema));
  int looks = 0;
  for (const v1::Step& step : plan.steps()) {
    for (const v1::Check& check : step.action().verify().checks()) {
      looks += absl::StrContains(check.description(), "row-level security of public.other");
    }
  }
  EXPECT_EQ(looks, 1);
  EXPECT_TRUE(plan.steps(0).preflight() && plan.steps(1).preflight() && !plan.steps(2).preflight());
}

// --- What does not fit. ---

auto RefusedAt(const std::string& field, const std::string& what) {
  return StatusIs(absl::StatusCode::kFailedPrecondition,
                  AllOf(StartsWith(absl::StrCat(field, ": ")), HasSubstr(what)));
}

absl::Status Verify(absl::string_view operations, absl::string_view what) {
  return CompileYaml(operations, absl::StrCat("verify: [{name: v, ", what, "}]\n")).status();
}

TEST(SafetyTest, ADumpedTableMustExist) {
  const absl::Status status = CompileYaml(kRename, "backup: {dump: {tables: [people, nope]}}\n").status();
  EXPECT_THAT(status, RefusedAt("backup.dump.tables[1]",
                                "table public.nope does not exist; of those that the "
                                "plan names there are: public.people, public.other"));
  EXPECT_EQ(base::Detail(status, base::kField), "backup.dump.tables[1]");
  constexpr char kMade[] = "  - create_table: {table: made, columns: [{name: id, type: bigint}]}\n";
  EXPECT_THAT(CompileYaml(kMade, "backup: {dump: {}}\n").status(),
              RefusedAt("backup.dump", "name no table that exists; give `tables`"));
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan,
                       CompileYaml(kMade, "backup: {dump: {tables: [other, public.other]}}\n"));
  EXPECT_THAT(Find(plan, "backup-1").action().backup().dump().tables(), ElementsAre("public.other"));
}

TEST(SafetyTest, ADumpByDefaultSaysWhatItCannotKnow) {
  ASSERT_OK_AND_ASSIGN(
      const v1::CompiledPlan plan,
      CompileYaml(absl::StrCat(
                      kRename,
                      "  - sql: {up: COMMENT ON TABLE other IS 'x', down: COMMENT ON TABLE other IS NULL}\n"),
                  "backup: {dump: {}}\n"));
  EXPECT_THAT(plan.warnings(), Contains(HasSubstr("what `sql` changes cannot be told")));
}

TEST(SafetyTest, AMeasuredColumnMustBeThereBefore) {
  EXPECT_THAT(
      Verify(kRename, "checksum: {table: people, columns: [id, z]}"),
      RefusedAt("verify[0].checksum.columns[1]",
                "column z of public.people does not exist before the plan, when it is measured; "
                "operations[0].rename_column makes it from a, which is there until DROP: write a; there "
                "are: id, a, b"));
  EXPECT_OK(Verify(kRename, "checksum: {table: people, columns: [id, a]}"));
  EXPECT_THAT(Verify(kRename, "row_count: {table: people, where: nope > 1}"),
              RefusedAt("verify[0].row_count.where", "column nope of public.people does not exist"));
  EXPECT_THAT(Verify(kRename, "row_count: {table: nope}"),
              RefusedAt("verify[0].row_count", "table public.nope does not exist before the plan"));
}

TEST(SafetyTest, AMeasuredColumnMustStayUntilTheLastDrop) {
  EXPECT_THAT(Verify(kTwoStages, "checksum: {table: people, columns: [b]}"), IsOk())
      << "b is there until the last DROP";
  EXPECT_THAT(Verify(kTwoStages, "checksum: {table: people, columns: [a]}"),
              RefusedAt("verify[0].checksum.columns[0]",
                        "column a of public.people is not there any more when it is looked at again, before "
                        "the last DROP: operations[0].rename_column takes it away in the DROP of an earlier "
                        "stage; leave it out, or write two plans; it is z then"));
  constexpr char kRetyped[] =
      "  - change_type: {table: people, column: id, type: numeric}\n"
      "  - rename_column: {table: people, from: id, to: key}\n";
  EXPECT_THAT(Verify(kRetyped, "checksum: {table: people, columns: [id]}"),
              RefusedAt("verify[0].checksum.columns[0]", "operations[0].change_type gives it type numeric"));
  constexpr char kDropped[] =
      "  - drop_table: {table: other}\n"
      "  - create_table: {table: other, columns: [{name: id, type: bigint}]}\n";
  EXPECT_THAT(Verify(kDropped, "row_count: {table: other}"),
              RefusedAt("verify[0].row_count", "table public.other is not there any more"));
}

TEST(SafetyTest, RowsThatThePlanItselfChangesAreWarnedOf) {
  const auto warnings = [](absl::string_view operations, absl::string_view what) {
    auto plan = CompileYaml(operations, absl::StrCat("verify: [{name: v, ", what, "}]\n"));
    EXPECT_OK(plan);
    return plan.ok() ? absl::StrJoin(plan->warnings(), "\n") : "";
  };
  constexpr char kChanged[] = "verification v: operations[0].";
  const std::string purge =
      "  - purge: {table: people, where: a IS NULL}\n  - set_not_null: {table: people, column: a}\n";
  EXPECT_THAT(warnings(purge, "row_count: {table: people}"), HasSubstr(kChanged));
  EXPECT_THAT(warnings(purge, "row_count: {table: other}"), Not(HasSubstr(kChanged)));
  const std::string fill =
      "  - backfill: {table: people, set: [{column: a, value: upper(a)}]}\n"
      "  - set_not_null: {table: people, column: a}\n";
  EXPECT_THAT(warnings(fill, "checksum: {table: people, columns: [id]}"), HasSubstr(kChanged));
  EXPECT_THAT(warnings(fill, "row_count: {table: people}"), Not(HasSubstr(kChanged)));
  // In the DROP of the last stage, when all has been looked at.
  EXPECT_THAT(warnings("  - purge: {table: people, where: a IS NULL}\n", "row_count: {table: people}"),
              Not(HasSubstr(kChanged)));
}

TEST(SafetyTest, TheScopeHoldsWhatBackupsAndVerificationsName) {
  ASSERT_OK_AND_ASSIGN(const v1::Plan plan, plan::ReadPlan(R"(name: p
operations:
  - set_not_null: {table: people, column: a}
backup: {dump: {tables: [people, dumped]}}
verify:
  - {name: v, row_count: {table: counted}}
  - {name: w, checksum: {table: crm.summed, columns: [id]}}
)",
                                                           "p.yaml"));
  EXPECT_THAT(ScopeOf(plan).tables(), ElementsAre("people", "dumped", "counted", "crm.summed"));
}

// --- Settings. ---

TEST(SafetyTest, VacuumInAnyCaseIsForWhatWasWalked) {
  const auto analyzes = [](absl::string_view rest) {
    auto plan = CompileYaml(
        "  - rename_column: {table: people, from: a, to: z}\n"
        "  - backfill: {table: other, set: [{column: a, value: upper(a)}]}\n"
        "  - create_statistics: {table: other, name: s, columns: [a, b]}\n",
        rest);
    EXPECT_OK(plan);
    std::vector<std::string> lines;
    if (!plan.ok()) return lines;
    for (const v1::Step& step : plan->steps()) {
      if (step.action().has_analyze()) {
        lines.push_back(absl::StrCat(step.action().analyze().vacuum() ? "vacuums: " : "", step.title()));
      }
    }
    return lines;
  };
  EXPECT_THAT(analyzes("settings: {vacuum: true}\n"),
              ElementsAre("analyze other, which fills them",
                          "vacuums: refresh planner statistics of people, and vacuum it",
                          "vacuums: refresh planner statistics of other, and vacuum it"));
  EXPECT_THAT(analyzes(""), ::testing::Each(Not(StartsWith("vacuums"))));
}

// Also where rows were only inserted.
TEST(SafetyTest, VacuumInAnyCaseIsForWhatWasWrittenFromAnotherTable) {
  v1::Schema schema = People();
  v1::Index* key = schema.mutable_tables(0)->add_indexes();
  key->set_name("people_pkey");
  key->set_definition("CREATE UNIQUE INDEX people_pkey ON public.people USING btree (id)");
  key->set_unique(true);
  key->set_valid(true);
  const std::string transform =
      "  - transform: {table: people, write: 'INSERT INTO other SELECT id, a, b FROM batch', irreversible: "
      "true}\n";
  for (const bool vacuum : {true, false}) {
    ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan plan,
                         CompileYaml(transform, vacuum ? "settings: {vacuum: true}\n" : "", schema));
    const v1::Step& last = plan.steps(plan.steps_size() - 1);
    EXPECT_EQ(last.action().analyze().table(), "public.other");
    EXPECT_EQ(last.action().analyze().vacuum(), vacuum);
  }
}

}  // namespace
}  // namespace curlew::compiler
