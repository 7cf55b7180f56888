// The SQL that each example plan compiles to, against the demo's CRM, word for word. A change that is meant:
//   CURLEW_UPDATE_GOLDEN=1 build/tests/bin/golden_golden_test     writes tests/golden/*.txt anew
// What an example needs beside the CRM stands in examples/plans/setup/<plan>.sql, as for
// demo/test_examples.py. Those of examples/safety are also run here, as they need more of an agent than the
// demo has.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"
#include "common/plan/plan_reader.h"
#include "tests/golden/crm_test.h"
#include "tests/support/plan_runner.h"

namespace curlew::compiler {
namespace {

namespace fs = std::filesystem;
using ::curlew::testing::Content;
using ::curlew::testing::CrmTest;

std::string Indented(const std::string& text) {
  std::string indented;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    absl::StrAppend(&indented, line.empty() ? "" : "    ", line, "\n");
  }
  while (!indented.empty() && indented.back() == '\n') indented.pop_back();
  return indented + "\n";
}

// Statements bare; everything else as YAML, so that no field can be forgotten.
std::string ActionText(v1::Action action) {
  std::string text;
  if (action.has_execute_sql() && !action.execute_sql().has_each_partition()) {
    return Indented(absl::StrJoin(action.execute_sql().statements(), ";\n"));
  }
  if (action.has_install_trigger()) {
    text = Indented(absl::StrJoin(action.install_trigger().statements(), ";\n"));
    action.mutable_install_trigger()->clear_statements();
  }
  return text + Indented(plan::ToYaml(action));
}

std::string Uses(const google::protobuf::RepeatedPtrField<v1::ShapeUse>& uses) {
  return absl::StrJoin(uses, ", ", [](std::string* out, const v1::ShapeUse& use) {
    absl::StrAppend(out, use.table(), use.column().empty() ? "" : ".", use.column());
  });
}

std::string StepText(const v1::Step& step) {
  std::string text = absl::StrCat("\n", step.key(), ": ", step.title(), "\n");
  if (step.stage() > 0) absl::StrAppend(&text, "  stage ", step.stage(), "\n");
  if (step.scans() || step.rewrites()) {
    absl::StrAppend(&text, "  ", step.scans() ? "scans " : "", step.rewrites() ? "rewrites" : "", "\n");
  }
  for (const v1::TableLock& lock : step.locks())
    absl::StrAppend(&text, "  locks ", lock.table(), " ", lock.mode(), "\n");
  absl::StrAppend(&text, "  do\n", ActionText(step.action()));
  if (step.has_undo()) absl::StrAppend(&text, "  undo\n", ActionText(step.undo()));
  return text;
}

std::string PlanText(const v1::CompiledPlan& compiled) {
  std::string text = absl::StrCat(compiled.plan_name(), "\n");
  for (const std::string& warning : compiled.warnings()) absl::StrAppend(&text, "warning: ", warning, "\n");
  if (!compiled.old_shape().empty()) absl::StrAppend(&text, "old shape: ", Uses(compiled.old_shape()), "\n");
  if (!compiled.new_shape().empty()) absl::StrAppend(&text, "new shape: ", Uses(compiled.new_shape()), "\n");
  if (compiled.has_rollback_gate()) text += StepText(compiled.rollback_gate());
  for (const v1::Step& step : compiled.steps()) text += StepText(step);
  return text;
}

class GoldenTest : public CrmTest, public ::testing::WithParamInterface<std::string> {};

std::vector<std::string> PlansIn(const char* folder) {
  std::vector<std::string> plans;
  for (const auto& entry : fs::directory_iterator(absl::StrCat(CURLEW_SOURCE "/examples/", folder))) {
    if (entry.path().extension() == ".yaml") plans.push_back(entry.path().stem().string());
  }
  std::sort(plans.begin(), plans.end());
  return plans;
}

std::vector<std::string> Plans() {
  std::vector<std::string> plans = PlansIn("plans");
  for (std::string& plan : PlansIn("safety")) plans.push_back(std::move(plan));
  return plans;
}

fs::path FileOf(const std::string& plan) {
  const fs::path file = absl::StrCat(CURLEW_SOURCE "/examples/plans/", plan, ".yaml");
  return fs::exists(file) ? file : fs::path(absl::StrCat(CURLEW_SOURCE "/examples/safety/", plan, ".yaml"));
}

std::string NameOf(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

TEST_P(GoldenTest, CompilesToTheSameSql) {
  const std::string& name = GetParam();
  ASSERT_NO_FATAL_FAILURE(LoadCrm(name));
  const fs::path file = FileOf(name);
  ASSERT_OK_AND_ASSIGN(const v1::Plan plan, plan::ReadPlan(Content(file), file.string()));
  const auto connection = Connect(conninfo_);
  ASSERT_OK_AND_ASSIGN(const v1::Schema schema, pg::ReadSchema(connection.get(), ScopeOf(plan)));
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan compiled, Compile(plan, schema));
  const std::string text = PlanText(compiled);
  const fs::path golden = absl::StrCat(CURLEW_SOURCE "/tests/golden/", name, ".txt");
  if (std::getenv("CURLEW_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(golden) << text;
    return;
  }
  EXPECT_EQ(text, Content(golden)) << golden
                                   << ": where the change is meant, CURLEW_UPDATE_GOLDEN=1 writes it";
}

class SafetyTest : public GoldenTest {};

TEST_P(SafetyTest, IsUndoneAndThenCarriedThrough) {
  ASSERT_NO_FATAL_FAILURE(LoadCrm(GetParam()));
  const fs::path file = FileOf(GetParam());
  ASSERT_OK_AND_ASSIGN(const v1::Plan plan, plan::ReadPlan(Content(file), file.string()));
  const auto connection = Connect(conninfo_);
  ASSERT_OK_AND_ASSIGN(const v1::Schema schema, pg::ReadSchema(connection.get(), ScopeOf(plan)));
  ASSERT_OK_AND_ASSIGN(const v1::CompiledPlan compiled, Compile(plan, schema));
  const std::string before = PgDump(conninfo_);
  ASSERT_OK(testing::RunPhases(connection.get(), compiled, v1::PHASE_CONSTRAIN));
  ASSERT_OK(testing::UndoPhases(connection.get(), compiled, v1::PHASE_CONSTRAIN));
  EXPECT_EQ(PgDump(conninfo_), before);
  EXPECT_OK(testing::RunPhases(connection.get(), compiled, v1::PHASE_DROP));
  for (const v1::PlanCheck& check : plan.checks()) {
    EXPECT_EQ(Query(conninfo_, check.sql()), "t") << check.name();
  }
}

INSTANTIATE_TEST_SUITE_P(Examples, SafetyTest, ::testing::ValuesIn(PlansIn("safety")), NameOf);

TEST(GoldenFilesTest, EachBelongsToAnExample) {
  for (const auto& entry : fs::directory_iterator(CURLEW_SOURCE "/tests/golden")) {
    if (entry.path().extension() != ".txt" || entry.path().stem() == "CMakeLists") continue;
    const std::string plan = entry.path().stem().string();
    EXPECT_TRUE(fs::exists(FileOf(plan))) << entry.path();
  }
}

INSTANTIATE_TEST_SUITE_P(Examples, GoldenTest, ::testing::ValuesIn(Plans()), NameOf);

}  // namespace
}  // namespace curlew::compiler
