// Plans in YAML on small tables, without an agent: each phase and back, then to the end.
#ifndef CURLEW_TESTS_COMMON_OPERATIONS_PLAN_TEST_H_
#define CURLEW_TESTS_COMMON_OPERATIONS_PLAN_TEST_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"
#include "common/plan/plan_reader.h"
#include "tests/harness/promise.h"
#include "tests/support/pg_test.h"
#include "tests/support/plan_runner.h"
#include "tests/support/status_matchers.h"

namespace curlew::operations {

class PlanTest : public ::curlew::testing::PgTest {
 protected:
  // Makes a database by `setup` and compiles `operations`, a list in YAML, into compiled_.
  void Start(absl::string_view setup, absl::string_view operations) {
    conninfo_ = NewDatabase(setup);
    connection_ = Connect(conninfo_);
    auto plan = plan::ReadPlan(absl::StrCat("name: p\noperations:\n", operations), "p.yaml");
    if (!plan.ok()) {
      compiled_ = plan.status();
      return;
    }
    plan_ = *plan;
    auto schema = pg::ReadSchema(connection_.get(), compiler::ScopeOf(plan_));
    ASSERT_THAT(schema, testing::IsOk());
    before_ = *schema;
    compiled_ = compiler::Compile(plan_, *schema);
  }
  // The refusal of a plan, or "".
  std::string Refusal(absl::string_view setup, absl::string_view operations) {
    Start(setup, operations);
    return std::string(compiled_.status().message());
  }

  // Every phase and back, with the same dump and the same compiled plan as before.
  void ExpectRollbacks() {
    ASSERT_THAT(compiled_, testing::IsOk());
    const std::string before = PgDump(conninfo_);
    for (v1::Phase last : {v1::PHASE_ADD, v1::PHASE_DUAL_WRITE, v1::PHASE_BACKFILL, v1::PHASE_CONSTRAIN}) {
      ASSERT_THAT(testing::RunPhases(connection_.get(), *compiled_, last), testing::IsOk())
          << v1::Phase_Name(last);
      ASSERT_THAT(testing::UndoPhases(connection_.get(), *compiled_, last), testing::IsOk())
          << v1::Phase_Name(last);
      EXPECT_EQ(PgDump(conninfo_), before) << "rolled back from " << v1::Phase_Name(last);
      auto schema = pg::ReadSchema(connection_.get(), compiler::ScopeOf(plan_));
      ASSERT_THAT(schema, testing::IsOk());
      auto again = compiler::Compile(plan_, *schema);
      ASSERT_THAT(again, testing::IsOk());
      EXPECT_EQ(compiler::Digest(*again), compiler::Digest(*compiled_));
    }
  }
  // Every step of a phase after `done` up to `last`.
  void RunFrom(v1::Phase done, v1::Phase last) {
    ASSERT_THAT(compiled_, testing::IsOk());
    for (const v1::Step& step : compiled_->steps()) {
      if (step.phase() <= done || step.phase() > last) continue;
      ASSERT_THAT(testing::RunAction(connection_.get(), step.action()), testing::IsOk()) << step.title();
    }
  }
  void RunTo(v1::Phase last) { RunFrom(v1::PHASE_UNSPECIFIED, last); }
  // Nothing of Curlew's is left, and the schema is what Apply promised.
  void ExpectDone() {
    const std::string dump = PgDump(conninfo_);
    EXPECT_EQ(dump.find("curlew"), std::string::npos) << dump.substr(dump.find("curlew") - 80, 200);
    EXPECT_EQ(Ask("SELECT count(*) FROM pg_attribute WHERE attname LIKE 'curlew%'"), "0");
    EXPECT_EQ(Ask("SELECT count(*) FROM pg_proc WHERE pronamespace = to_regnamespace('curlew')"), "0");
    EXPECT_EQ(Ask("SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('curlew')"), "0");
    auto promised = compiler::Apply(plan_, before_);
    ASSERT_THAT(promised, testing::IsOk());
    auto found = pg::ReadSchema(connection_.get(), compiler::ScopeOf(plan_));
    ASSERT_THAT(found, testing::IsOk());
    if (compiler::ScopeOf(plan_).types().empty()) {
      // Known because of the columns that use them, before or after.
      promised->clear_enums();
      found->clear_enums();
    }
    EXPECT_THAT(testing::BrokenPromises(*promised, *found), ::testing::IsEmpty());
  }
  // ExpectRollbacks, then to the end.
  void ExpectLife() {
    ExpectRollbacks();
    RunTo(v1::PHASE_DROP);
    ExpectDone();
  }

  void Run(absl::string_view sql) { EXPECT_THAT(connection_->Execute(sql), testing::IsOk()) << sql; }
  std::string Ask(absl::string_view sql) {
    auto result = connection_->Execute(sql);
    EXPECT_THAT(result, testing::IsOk()) << sql;
    if (!result.ok() || result->empty()) return "(nothing)";
    return result->IsNull(0, 0) ? "NULL" : result->Text(0, 0);
  }
  // Titles of the steps that are no preflights.
  std::vector<std::string> Titles() {
    std::vector<std::string> titles;
    for (const v1::Step& step : compiled_->steps()) {
      if (!step.preflight()) titles.push_back(step.title());
    }
    return titles;
  }

  v1::Plan plan_;
  v1::Schema before_;
  std::string conninfo_;
  std::unique_ptr<pg::Connection> connection_;
  absl::StatusOr<v1::CompiledPlan> compiled_;
};

}  // namespace curlew::operations

#endif  // CURLEW_TESTS_COMMON_OPERATIONS_PLAN_TEST_H_
