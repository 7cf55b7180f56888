#include "cli/explain_view.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/messages.h"

namespace curlew::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

v1::CompilePlanResponse Compiled() {
  auto compiled = Parse<v1::CompilePlanResponse>(R"(
    digest: "c0ffee"
    compiled_plan {
      plan_name: "rename-contact-phone" plan_digest: "abc" schema_fingerprint: "def"
      steps {
        key: "add-1" phase: PHASE_ADD title: "Check the data before anything is changed" preflight: true
        action { verify { checks { description: "no duplicates" count_query: "SELECT count(*) FROM t" } } }
        locks { table: "public.contacts" mode: "AccessShareLock" } scans: true
      }
      steps {
        key: "add-2" phase: PHASE_ADD title: "Add column phone_number to public.contacts"
        action { execute_sql { statements: "ALTER TABLE public.contacts ADD COLUMN phone_number text" } }
        undo { execute_sql { statements: "ALTER TABLE public.contacts DROP COLUMN IF EXISTS phone_number" } }
        locks { table: "public.contacts" mode: "AccessExclusiveLock" }
      }
      steps {
        key: "drop-1" phase: PHASE_DROP title: "Drop column phone"
        action { execute_sql { statements: "ALTER TABLE public.contacts DROP COLUMN phone" } }
        locks { table: "public.contacts" mode: "AccessExclusiveLock" }
      }
      rollback_gate { title: "No session uses the new shape" }
    })");
  return compiled;
}

TEST(ExplainViewTest, ShowsSqlLocksCostAndUndoOfEachStep) {
  const std::string text = RenderExplain(Compiled(), "target staging-crm", {});
  EXPECT_THAT(
      text,
      AllOf(HasSubstr("Plan rename-contact-phone: 3 steps, compiled against target staging-crm"),
            HasSubstr("does    ALTER TABLE public.contacts ADD COLUMN phone_number text;"),
            HasSubstr("locks   public.contacts: ACCESS EXCLUSIVE, blocks reads and writes"),
            HasSubstr("undo    ALTER TABLE public.contacts DROP COLUMN IF EXISTS phone_number;"),
            HasSubstr("cost    neither scans nor rewrites"),
            HasSubstr("cost    reads the whole table, under a lock that blocks no write"),
            HasSubstr("undo    nothing needs to be undone"), HasSubstr("undo    none: this cannot be undone"),
            HasSubstr("Before a rollback"), HasSubstr("No warnings.")));
}

TEST(ExplainViewTest, SummarisesTheStepsInATable) {
  const std::string text = RenderExplain(Compiled(), "x", {});
  EXPECT_THAT(
      text,
      HasSubstr("  STEP    STRONGEST LOCK    COST   UNDO  WHAT\n"
                "  add-1   ACCESS SHARE      scans  -     Check the data before anything is changed\n"
                "  add-2   ACCESS EXCLUSIVE  -      yes   Add column phone_number to public.contacts\n"));
}

TEST(ExplainViewTest, EachPhaseStandsOnceAboveItsSteps) {
  const std::string text = RenderExplain(Compiled(), "x", {});
  const size_t add = text.find("\nADD: ");
  ASSERT_NE(add, text.npos);
  EXPECT_EQ(text.find("\nADD: ", add + 1), text.npos);
  EXPECT_NE(text.find("\nDROP: "), text.npos);
}

TEST(ExplainViewTest, WarningsComeLast) {
  auto compiled = Compiled();
  compiled.mutable_compiled_plan()->add_warnings("prepared SELECT * will fail once");
  const std::string text = RenderExplain(compiled, "x", {});
  EXPECT_THAT(text, ::testing::EndsWith("Warnings (1)\n  * prepared SELECT * will fail once\n"));
  EXPECT_THAT(text, Not(HasSubstr("No warnings")));
}

TEST(ExplainViewTest, LinesFitAHundredColumns) {
  auto compiled = Compiled();
  for (v1::Step& step : *compiled.mutable_compiled_plan()->mutable_steps()) {
    step.set_title(
        "Replace all that stands between the old and the new shape of the column by something that "
        "is very long indeed, and then some more of it");
    if (step.action().has_execute_sql()) {
      step.mutable_action()->mutable_execute_sql()->add_statements(
          absl::StrCat("CREATE INDEX x ON t (", std::string(30, 'a'), ", ", std::string(30, 'b'), ", ",
                       std::string(30, 'c'), ") WHERE a IS NOT NULL AND b IS NOT NULL AND c IS NOT NULL"));
    }
    auto& lock = *step.add_locks();
    lock.set_table("public.another_table_with_quite_a_long_name_that_a_person_chose");
    lock.set_mode("ShareUpdateExclusiveLock");
  }
  compiled.mutable_compiled_plan()->add_warnings(
      absl::StrCat(std::string(60, 'w'), " ", std::string(60, 'w')));
  for (const std::string& line :
       std::vector<std::string>(absl::StrSplit(RenderExplain(compiled, "x", {}), '\n'))) {
    EXPECT_LE(DisplayWidth(line), 100) << line;
  }
}

}  // namespace
}  // namespace curlew::cli
