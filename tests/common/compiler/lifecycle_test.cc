// Every operation through its life on a real server: each phase and back again, then to the end.
#include "absl/strings/str_cat.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"
#include "common/plan/plan_reader.h"
#include "tests/support/pg_test.h"
#include "tests/support/plan_runner.h"
#include "tests/support/status_matchers.h"

namespace curlew::compiler {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::PgTest;
using ::testing::HasSubstr;

struct Case {
  const char* name;
  const char* plan;  // operations in YAML
  const char* expected;  // in the dump afterwards
};

class LifecycleTest : public PgTest, public ::testing::WithParamInterface<Case> {};

constexpr char kSetup[] = R"(
  CREATE TABLE "Peo ple" (id bigint PRIMARY KEY, "Ph one" text NOT NULL, tenant int NOT NULL, age int, note text);
  INSERT INTO "Peo ple" SELECT g, ' 555-' || g, g % 7, g % 90, 'n' FROM generate_series(1, 1000) AS g;
  CREATE INDEX people_tenant ON "Peo ple" (tenant, note);)";

TEST_P(LifecycleTest, GoesToEachPhaseAndBackThenToTheEnd) {
  const std::string conninfo = NewDatabase(kSetup);
  auto connection = Connect(conninfo);
  auto plan = plan::ReadPlan(absl::StrCat("name: p\noperations:\n", GetParam().plan), "p.yaml");
  ASSERT_THAT(plan, IsOk());
  auto schema = pg::ReadSchema(connection.get(), TouchedTables(*plan));
  ASSERT_THAT(schema, IsOk());
  auto compiled = Compile(*plan, *schema);
  ASSERT_THAT(compiled, IsOk());
  const std::string before = PgDump(conninfo);
  for (v1::Phase last : {v1::PHASE_ADD, v1::PHASE_DUAL_WRITE, v1::PHASE_BACKFILL, v1::PHASE_CONSTRAIN}) {
    ASSERT_THAT(testing::RunPhases(connection.get(), *compiled, last), IsOk());
    ASSERT_THAT(testing::UndoPhases(connection.get(), *compiled, last), IsOk());
    EXPECT_EQ(PgDump(conninfo), before) << "rolled back from phase " << last;
    auto again = pg::ReadSchema(connection.get(), TouchedTables(*plan));
    ASSERT_THAT(again, IsOk());
    auto recompiled = Compile(*plan, *again);
    ASSERT_THAT(recompiled, IsOk());
    EXPECT_EQ(Digest(*recompiled), Digest(*compiled));
  }
  ASSERT_THAT(testing::RunPhases(connection.get(), *compiled, v1::PHASE_DROP), IsOk());
  const std::string after = PgDump(conninfo);
  EXPECT_THAT(after, HasSubstr(GetParam().expected));
  EXPECT_THAT(after, ::testing::Not(HasSubstr("curlew")));
  EXPECT_EQ(Query(conninfo, "SELECT count(*) FROM pg_proc WHERE pronamespace = to_regnamespace('curlew')"), "0");
}

INSTANTIATE_TEST_SUITE_P(
    Operations, LifecycleTest,
    ::testing::Values(
        Case{"AddColumnWithDefault", R"(
  - add_column: {table: '"Peo ple"', column: st ate, type: text, default: "'new'", not_null: true, comment: it's new}
)",
             "\"st ate\" text DEFAULT 'new'::text NOT NULL"},
        Case{"AddColumnFilled", R"(
  - add_column: {table: '"Peo ple"', column: label, type: text, up: '"Ph one" || tenant', default: "'none'", not_null: true}
)",
             "label text DEFAULT 'none'::text NOT NULL"},
        Case{"AddNullableColumnFilledByAVolatileExpression", R"(
  - add_column: {table: '"Peo ple"', column: token, type: uuid, up: gen_random_uuid()}
)",
             "token uuid"},
        Case{"RenameColumnInAnotherForm", R"(
  - rename_column: {table: '"Peo ple"', from: Ph one, to: Pho"ne, up: btrim("Ph one"), down: '"Pho""ne"'}
  - add_check: {table: '"Peo ple"', name: Che ck, expression: length("Pho""ne") > 2}
  - add_unique: {table: '"Peo ple"', name: Uni que, columns: [Pho"ne, tenant]}
  - create_index: {table: '"Peo ple"', name: In dex, columns: [Pho"ne], include: [age], where: tenant > 3}
)",
             "\"Pho\"\"ne\" text NOT NULL"},
        Case{"RenameNullableColumnToAnotherType", R"(
  - rename_column: {table: '"Peo ple"', from: age, to: years, type: bigint}
)",
             "years bigint"},
        Case{"SetNotNull", R"(
  - set_not_null: {table: '"Peo ple"', column: note}
)",
             "note text NOT NULL"},
        Case{"AddCheck", R"(
  - add_check: {table: '"Peo ple"', name: adult, expression: age < 200}
)",
             "CONSTRAINT adult CHECK ((age < 200))"},
        Case{"AddUnique", R"(
  - add_unique: {table: '"Peo ple"', name: u, columns: ["Ph one"]}
)",
             "ADD CONSTRAINT u UNIQUE (\"Ph one\")"},
        Case{"CreateIndex", R"(
  - create_index: {table: '"Peo ple"', name: i, columns: [age, note], method: btree, unique: false, where: age > 3}
)",
             "CREATE INDEX i ON public.\"Peo ple\" USING btree (age, note) WHERE (age > 3)"},
        Case{"DropColumn", R"(
  - drop_column: {table: '"Peo ple"', column: Ph one, down: "'-'"}
)",
             "tenant integer NOT NULL"},
        Case{"DropColumnWithItsIndex", R"(
  - drop_column: {table: '"Peo ple"', column: note, discard: [people_tenant]}
)",
             "age integer"},
        Case{"Sql", R"(
  - sql:
      up: |
        CREATE TYPE mood AS ENUM ('good; bad');
        COMMENT ON TYPE mood IS 'x';
      down: DROP TYPE mood
)",
             "CREATE TYPE public.mood"}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace curlew::compiler
