#include "cli/preview_view.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

v1::TargetPreview Preview(const std::string& target, const std::string& environment,
                          const std::string& type = "text") {
  v1::TargetPreview preview;
  preview.set_target(target);
  preview.set_environment("environments/" + environment);
  preview.set_wave("all");
  *preview.mutable_compiled_plan() = Parse<v1::CompiledPlan>(R"pb(
    plan_digest: "d1"
    steps {
      key: "add-1"
      phase: PHASE_ADD
      title: "Add column b"
      action { execute_sql { statements: "x" } }
      undo { execute_sql { statements: "y" } }
      locks { table: "public.t" mode: "AccessExclusiveLock" }
    }
    warnings: "the table is published")pb");
  preview.mutable_compiled_plan()->set_schema_fingerprint(target);
  preview.mutable_compiled_plan()->mutable_steps(0)->mutable_action()->mutable_execute_sql()->set_statements(
      0, "ALTER TABLE public.t ADD COLUMN b " + type);
  return preview;
}

void AddFinding(v1::TargetPreview& preview, v1::PreflightSeverity severity, const std::string& message) {
  v1::PreflightFinding* finding = preview.mutable_preflight()->add_findings();
  finding->set_severity(severity);
  finding->set_code("disk");
  finding->set_message(message);
}

TEST(PreviewViewTest, TargetsWithTheSameStepsAreShownOnce) {
  const std::string text = RenderPreview(
      "rename", {Preview("s", "staging"), Preview("p1", "production"), Preview("p2", "production")}, {});
  EXPECT_THAT(text, AllOf(HasSubstr("Plan rename on 3 targets: nothing is started, and nothing changes\n"
                                    "  digest    d1\n"),
                          HasSubstr("1 step on 3 targets (steps "),
                          HasSubstr("\n  staging/all: s; production/all: p1, p2\n"),
                          HasSubstr("add-1  ACCESS EXCLUSIVE  -     yes   Add column b\n"),
                          HasSubstr("  * the table is published\n"), HasSubstr("\nIt can run.\n")));
  EXPECT_EQ(text.find("add-1"), text.rfind("add-1"));
}

TEST(PreviewViewTest, ShowsHowTheStepsOfOthersDiffer) {
  const std::vector<v1::TargetPreview> previews = {Preview("s", "staging"),
                                                   Preview("p", "production", "varchar")};
  EXPECT_THAT(RenderPreview("rename", previews, {}),
              AllOf(HasSubstr("differs from the first target's:\n    "),
                    HasSubstr("It can run. The steps are not the same on all targets")));
  EXPECT_EQ(PreviewOutcome(previews), ExitCode::kOk);
}

TEST(PreviewViewTest, AFindingOfManyTargetsIsShownOnceTheWorstFirst) {
  std::vector<v1::TargetPreview> previews = {Preview("s", "staging"), Preview("p", "production")};
  for (v1::TargetPreview& preview : previews) {
    AddFinding(preview, v1::PREFLIGHT_SEVERITY_INFO, "1 GB free");
  }
  AddFinding(previews[1], v1::PREFLIGHT_SEVERITY_ERROR, "no room");
  previews[1].mutable_preflight()->mutable_estimate()->set_seconds(300);
  EXPECT_THAT(
      RenderPreview("rename", previews, {}),
      AllOf(HasSubstr("  takes     about 5m00s on p, the longest\n"),
            HasSubstr("\nPreflight\n  ERROR disk: no room\n    on p\n  INFO disk: 1 GB free\n    on s, p\n"),
            HasSubstr("It cannot run on 1 of 2 targets; see above what to do.\n")));
  EXPECT_EQ(PreviewOutcome(previews), ExitCode::kPrecondition);
}

TEST(PreviewViewTest, TargetsThatCouldNotBeCompiledSayWhy) {
  std::vector<v1::TargetPreview> previews = {Preview("s", "staging")};
  previews.push_back(Parse<v1::TargetPreview>(
      "target: 'p' environment: 'environments/production' error { message: 'no agent serves it' hint: 'start "
      "one' }"));
  EXPECT_THAT(
      RenderPreview("rename", previews, {}),
      HasSubstr("\nCould not be compiled\n  p:\n    error: no agent serves it\n      what to do: start "
                "one\n"));
  EXPECT_EQ(PreviewOutcome(previews), ExitCode::kPrecondition);
}

TEST(PreviewViewTest, HundredsOfTargetsWithHostileNamesFitTheScreen) {
  std::vector<v1::TargetPreview> previews;
  for (int i = 0; i < 300; ++i) {
    previews.push_back(Preview(absl::StrCat("p\033[2J\n", i), "production"));
    AddFinding(previews.back(), v1::PREFLIGHT_SEVERITY_WARNING, "\033[2J slow");
  }
  const std::string text = RenderPreview("\033[2J", previews, {});
  EXPECT_THAT(text, AllOf(Not(HasSubstr("\033")), HasSubstr("292")));
  EXPECT_LT(std::count(text.begin(), text.end(), '\n'), 30);
  for (const std::string& line : std::vector<std::string>(absl::StrSplit(text, '\n'))) {
    EXPECT_LE(DisplayWidth(line), 100) << line;
  }
}

}  // namespace
}  // namespace curlew::cli
