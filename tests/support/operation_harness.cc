#include "tests/support/operation_harness.h"

#include <gmock/gmock.h>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"
#include "common/plan/plan_reader.h"
#include "tests/support/plan_runner.h"
#include "tests/support/status_matchers.h"

namespace curlew::testing {
namespace {

constexpr char kSetup[] = R"(
  CREATE TABLE "Peo ple" (id bigint PRIMARY KEY, "Ph one" text NOT NULL, tenant int NOT NULL, age int, note text);
  INSERT INTO "Peo ple" SELECT g, ' 555-' || g, g % 7, g % 90, 'n' FROM generate_series(1, 1000) AS g;
  CREATE INDEX people_tenant ON "Peo ple" (tenant, note);)";

absl::StatusOr<v1::CompiledPlan> CompileNow(pg::Connection* connection, absl::string_view operations) {
  ASSIGN_OR_RETURN(v1::Plan plan,
                   plan::ReadPlan(absl::StrCat("name: p\noperations:\n", operations), "p.yaml"));
  ASSIGN_OR_RETURN(v1::Schema schema, pg::ReadSchema(connection, compiler::TouchedTables(plan)));
  return compiler::Compile(plan, schema);
}

}  // namespace

std::string OperationTest::Refusal(absl::string_view operations) {
  auto connection = Connect(NewDatabase(kSetup));
  return std::string(CompileNow(connection.get(), operations).status().message());
}

void OperationTest::ExpectLife(absl::string_view operations, absl::string_view expected) {
  conninfo_ = NewDatabase(kSetup);
  auto connection = Connect(conninfo_);
  auto compiled = CompileNow(connection.get(), operations);
  ASSERT_THAT(compiled, IsOk());
  compiled_ = *compiled;
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

}  // namespace curlew::testing
