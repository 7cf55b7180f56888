#include "tests/support/operation_harness.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"
#include "common/plan/plan_reader.h"
#include "common/schema/schema.h"
#include "tests/support/plan_runner.h"
#include "tests/support/status_matchers.h"

namespace curlew::testing {
namespace {

constexpr char kSetup[] = R"(
  CREATE TABLE "Peo ple" (id bigint PRIMARY KEY, "Ph one" text NOT NULL, tenant int NOT NULL, age int, note text);
  INSERT INTO "Peo ple" SELECT g, ' 555-' || g, g % 7, g % 90, 'n' FROM generate_series(1, 1000) AS g;
  CREATE INDEX people_tenant ON "Peo ple" (tenant, note);)";

absl::StatusOr<v1::Plan> ToPlan(absl::string_view operations) {
  return plan::ReadPlan(absl::StrCat("name: p\noperations:\n", operations), "p.yaml");
}

absl::StatusOr<v1::CompiledPlan> CompileNow(pg::Connection* connection, absl::string_view operations) {
  ASSIGN_OR_RETURN(v1::Plan plan, ToPlan(operations));
  ASSIGN_OR_RETURN(v1::Schema schema, pg::ReadSchema(connection, compiler::ScopeOf(plan)));
  return compiler::Compile(plan, schema);
}

}  // namespace

std::string OperationTest::Refusal(absl::string_view operations) {
  auto connection = Connect(NewDatabase(absl::StrCat(kSetup, setup_)));
  return std::string(CompileNow(connection.get(), operations).status().message());
}

void OperationTest::ExpectLife(absl::string_view operations, absl::string_view expected) {
  conninfo_ = NewDatabase(absl::StrCat(kSetup, setup_));
  auto connection = Connect(conninfo_);
  ASSERT_THAT(Prepare(operations), IsOk());
  const std::string before = PgDump(conninfo_);
  for (v1::Phase last : {v1::PHASE_ADD, v1::PHASE_DUAL_WRITE, v1::PHASE_BACKFILL, v1::PHASE_CONSTRAIN}) {
    ASSERT_THAT(RunPhases(connection.get(), compiled_, last), IsOk());
    ASSERT_THAT(UndoPhases(connection.get(), compiled_, last), IsOk());
    EXPECT_EQ(PgDump(conninfo_), before) << "rolled back from phase " << last;
    auto again = CompileNow(connection.get(), operations);
    ASSERT_THAT(again, IsOk());
    EXPECT_EQ(compiler::Digest(*again), compiler::Digest(compiled_));
  }
  ASSERT_THAT(RunPhases(connection.get(), compiled_, v1::PHASE_DROP), IsOk());
  const std::string after = PgDump(conninfo_);
  EXPECT_THAT(after, ::testing::HasSubstr(std::string(expected)));
  EXPECT_THAT(after, ::testing::Not(::testing::HasSubstr("curlew")));
  EXPECT_EQ(Query(conninfo_, "SELECT count(*) FROM pg_proc WHERE pronamespace = to_regnamespace('curlew')"),
            "0");
}

absl::Status OperationTest::Prepare(absl::string_view operations) {
  auto connection = Connect(conninfo_);
  ASSIGN_OR_RETURN(const v1::Plan plan, ToPlan(operations));
  scope_ = compiler::ScopeOf(plan);
  ASSIGN_OR_RETURN(const v1::Schema schema, pg::ReadSchema(connection.get(), scope_));
  ASSIGN_OR_RETURN(compiled_, compiler::Compile(plan, schema));
  ASSIGN_OR_RETURN(promised_, compiler::Apply(plan, schema));
  return absl::OkStatus();
}

std::string OperationTest::RunError(absl::string_view operations) {
  conninfo_ = NewDatabase(absl::StrCat(kSetup, setup_));
  return RunAgain(operations);
}

std::string OperationTest::RunUntil(absl::string_view operations, v1::Phase last) {
  conninfo_ = NewDatabase(absl::StrCat(kSetup, setup_));
  absl::Status status = Prepare(operations);
  auto connection = Connect(conninfo_);
  if (status.ok()) status = RunPhases(connection.get(), compiled_, last);
  return std::string(status.message());
}

std::string OperationTest::RunAgain(absl::string_view operations) {
  absl::Status status = Prepare(operations);
  auto connection = Connect(conninfo_);
  for (int i = 0; status.ok() && i < compiled_.steps_size(); ++i) {
    status = RunAction(connection.get(), compiled_.steps(i).action());
  }
  return std::string(status.message());
}

std::string OperationTest::Undo() {
  auto connection = Connect(conninfo_);
  return std::string(UndoPhases(connection.get(), compiled_, v1::PHASE_CONSTRAIN).message());
}

std::vector<std::string> OperationTest::Unpromised() {
  auto connection = Connect(conninfo_);
  auto schema = pg::ReadSchema(connection.get(), scope_);
  EXPECT_THAT(schema, IsOk());
  return schema::Diff(promised_, *schema);
}

}  // namespace curlew::testing
