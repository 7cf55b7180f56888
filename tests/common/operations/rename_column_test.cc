// What rename_column carries along, and what it refuses by name.
#include "absl/strings/str_cat.h"
#include "common/compiler/compiler.h"
#include "common/pg/introspect.h"
#include "tests/support/operation_harness.h"
#include "tests/support/pg_test.h"
#include "tests/support/plan_runner.h"
#include "tests/support/status_matchers.h"

namespace curlew::operations {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::PgTest;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

class RenameColumnTest : public PgTest {
 protected:
  static v1::Plan Rename(absl::string_view table, absl::string_view from, absl::string_view to) {
    v1::Plan plan;
    plan.set_name("p");
    v1::RenameColumn* rename = plan.add_operations()->mutable_rename_column();
    rename->set_table(std::string(table));
    rename->set_from(std::string(from));
    rename->set_to(std::string(to));
    return plan;
  }

  absl::StatusOr<v1::CompiledPlan> CompileOn(pg::Connection* connection, const v1::Plan& plan) {
    auto schema = pg::ReadSchema(connection, compiler::ScopeOf(plan));
    if (!schema.ok()) return schema.status();
    return compiler::Compile(plan, *schema);
  }

  // Compiles the rename of t.o on a database made by `setup` and gives the refusal.
  absl::Status Refusal(absl::string_view setup, absl::string_view up = "") {
    auto connection = Connect(NewDatabase(setup));
    v1::Plan plan = Rename("t", "o", "n");
    plan.mutable_operations(0)->mutable_rename_column()->set_up(std::string(up));
    return CompileOn(connection.get(), plan).status();
  }
};

constexpr auto kRefused = absl::StatusCode::kFailedPrecondition;

// Everything at once, under hostile names; rolled back from each phase, then completed.
TEST_F(RenameColumnTest, CarriesEverythingAlongAndLeavesNothingWhenRolledBack) {
  const std::string conninfo = NewDatabase(R"(
    CREATE SCHEMA "Odd ""Schema";
    CREATE TABLE "Odd ""Schema".companies ("Id" bigint PRIMARY KEY, "select" text);
    INSERT INTO "Odd ""Schema".companies SELECT g, 'c' || g FROM generate_series(1, 5) AS g;
    CREATE TABLE "Odd ""Schema"."Con tacts" (
      "Id" bigserial PRIMARY KEY, tenant int NOT NULL DEFAULT 1,
      "Cömpany" bigint NOT NULL DEFAULT 3 CONSTRAINT "Positive!" CHECK ("Cömpany" > 0)
        CONSTRAINT "to company" REFERENCES "Odd ""Schema".companies ON DELETE CASCADE,
      note text,
      CONSTRAINT "uniq ue" UNIQUE ("Cömpany", "Id"));
    CREATE INDEX "In Dex" ON "Odd ""Schema"."Con tacts" (tenant, "Cömpany" DESC) WHERE "Cömpany" <> 4;
    CREATE STATISTICS "Odd ""Schema"."Stat S" (dependencies) ON tenant, "Cömpany" FROM "Odd ""Schema"."Con tacts";
    COMMENT ON COLUMN "Odd ""Schema"."Con tacts"."Cömpany" IS 'it''s a \ company';
    ALTER TABLE "Odd ""Schema"."Con tacts" ALTER "Cömpany" SET STATISTICS 500;
    GRANT SELECT ("Cömpany") ON "Odd ""Schema"."Con tacts" TO PUBLIC;
    INSERT INTO "Odd ""Schema"."Con tacts" ("Cömpany", note) SELECT 1 + g % 5, 'x' FROM generate_series(1, 100) AS g;)");
  auto connection = Connect(conninfo);
  const v1::Plan plan = Rename("\"Odd \"\"Schema\".\"Con tacts\"", "Cömpany", "select");
  const std::string before = PgDump(conninfo);
  auto compiled = CompileOn(connection.get(), plan);
  ASSERT_THAT(compiled, IsOk());

  for (v1::Phase last : {v1::PHASE_ADD, v1::PHASE_DUAL_WRITE, v1::PHASE_BACKFILL, v1::PHASE_CONSTRAIN}) {
    ASSERT_THAT(testing::RunPhases(connection.get(), *compiled, last), IsOk()) << last;
    EXPECT_NE(PgDump(conninfo), before);
    ASSERT_THAT(testing::UndoPhases(connection.get(), *compiled, last), IsOk()) << last;
    EXPECT_EQ(PgDump(conninfo), before) << "rolled back from phase " << last;
  }
  // Undo is right after a step that never ran, too.
  ASSERT_THAT(testing::UndoPhases(connection.get(), *compiled, v1::PHASE_DUAL_WRITE), IsOk());

  ASSERT_THAT(testing::RunPhases(connection.get(), *compiled, v1::PHASE_DROP), IsOk());
  // The same schema as a plain rename gives, but for the order of the columns and the objects' own names.
  std::string after = PgDump(conninfo);
  EXPECT_THAT(after, Not(HasSubstr("\"Cömpany\"")));
  EXPECT_THAT(after, Not(HasSubstr("curlew")));
  for (const char* part :
       {"\"select\" bigint DEFAULT 3 NOT NULL", "CONSTRAINT \"Positive!\" CHECK ((\"select\" > 0))",
        "ADD CONSTRAINT \"uniq ue\" UNIQUE (\"select\", \"Id\")",
        "CREATE INDEX \"In Dex\" ON \"Odd \"\"Schema\".\"Con tacts\" USING btree (tenant, \"select\" DESC) "
        "WHERE (\"select\" <> 4)",
        "ADD CONSTRAINT \"to company\" FOREIGN KEY (\"select\") REFERENCES \"Odd "
        "\"\"Schema\".companies(\"Id\") ON DELETE CASCADE;",
        "CREATE STATISTICS \"Odd \"\"Schema\".\"Stat S\" (dependencies) ON tenant, \"select\"",
        "\"select\" IS 'it''s a \\ company'", "ALTER COLUMN \"select\" SET STATISTICS 500",
        "GRANT SELECT(\"select\")"}) {
    EXPECT_THAT(after, HasSubstr(part));
  }
  EXPECT_EQ(Query(conninfo, "SELECT sum(\"select\") FROM \"Odd \"\"Schema\".\"Con tacts\""), "300");
}

TEST_F(RenameColumnTest, KeepsASerialColumnsSequence) {
  const std::string conninfo =
      NewDatabase("CREATE TABLE t (id int PRIMARY KEY, o serial); INSERT INTO t VALUES (1), (2)");
  auto connection = Connect(conninfo);
  auto compiled = CompileOn(connection.get(), Rename("t", "o", "n"));
  ASSERT_THAT(compiled, IsOk());
  ASSERT_THAT(testing::RunPhases(connection.get(), *compiled, v1::PHASE_DROP), IsOk());
  Query(conninfo, "INSERT INTO t (id) VALUES (3)");
  EXPECT_EQ(Query(conninfo, "SELECT n FROM t WHERE id = 3"), "3");
  EXPECT_EQ(Query(conninfo, "SELECT pg_get_serial_sequence('t', 'n')"), "public.t_o_seq");
}

TEST_F(RenameColumnTest, KeepsAnIdentityColumnsSequence) {
  const std::string conninfo = NewDatabase(
      "CREATE TABLE t (id int PRIMARY KEY, o smallint GENERATED BY DEFAULT AS IDENTITY (MINVALUE 5)); INSERT "
      "INTO t "
      "VALUES (1), (2)");
  auto connection = Connect(conninfo);
  auto compiled = CompileOn(connection.get(), Rename("t", "o", "n"));
  ASSERT_THAT(compiled, IsOk());
  ASSERT_THAT(testing::RunPhases(connection.get(), *compiled, v1::PHASE_DUAL_WRITE), IsOk());
  Query(conninfo, "INSERT INTO t (id) VALUES (3)");
  Query(conninfo, "INSERT INTO t (id, n) VALUES (4, 99)");
  EXPECT_EQ(Query(conninfo, "SELECT string_agg(o::text, ' ' ORDER BY id) FROM t"), "5 6 7 99");
  ASSERT_THAT(testing::UndoPhases(connection.get(), *compiled, v1::PHASE_DUAL_WRITE), IsOk());
  ASSERT_THAT(testing::RunPhases(connection.get(), *compiled, v1::PHASE_DROP), IsOk());
  Query(conninfo, "INSERT INTO t (id) VALUES (5)");
  EXPECT_EQ(Query(conninfo, "SELECT string_agg(n::text, ' ' ORDER BY id) FROM t"), "5 6 7 99 9");
  EXPECT_EQ(Query(conninfo, "SELECT pg_get_serial_sequence('t', 'n')"), "public.t_o_seq");
}

TEST_F(RenameColumnTest, CarriesADefaultThroughUp) {
  const std::string conninfo = NewDatabase("CREATE TABLE t (id int PRIMARY KEY, o text DEFAULT 'x')");
  auto connection = Connect(conninfo);
  v1::Plan plan = Rename("t", "o", "n");
  plan.mutable_operations(0)->mutable_rename_column()->set_up("upper(o)");
  auto compiled = CompileOn(connection.get(), plan);
  ASSERT_THAT(compiled, IsOk());
  ASSERT_THAT(testing::RunPhases(connection.get(), *compiled, v1::PHASE_DROP), IsOk());
  Query(conninfo, "INSERT INTO t (id) VALUES (1)");
  EXPECT_EQ(Query(conninfo, "SELECT n FROM t"), "X");
}

TEST_F(RenameColumnTest, RefusesByNameWhatItCannotCarry) {
  struct Case {
    const char* setup;
    const char* named;
  };
  for (const Case& c : std::vector<Case>{
           {"CREATE TABLE t (o int PRIMARY KEY)", "primary key t_pkey"},
           {"CREATE TABLE t (a int, o int GENERATED ALWAYS AS (a + 1) STORED)", "generated column"},
           {"CREATE TABLE t (o int, g int GENERATED ALWAYS AS (o + 1) STORED)", "depends on it"},
           {"CREATE TABLE t (o int); CREATE VIEW the_view AS SELECT o FROM t", "the_view"},
           {"CREATE TABLE t (o int UNIQUE); CREATE TABLE child (r int CONSTRAINT child_key REFERENCES t (o))",
            "child_key"},
           {"CREATE TABLE t (o int); ALTER TABLE t ENABLE ROW LEVEL SECURITY; CREATE POLICY the_policy ON t "
            "USING (o > 0)",
            "the_policy"},
           {"CREATE TABLE t (o int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN "
            "NEW; END'; "
            "CREATE TRIGGER the_trigger AFTER UPDATE OF o ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "the_trigger"},
           {"CREATE TABLE t (o int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN "
            "NEW; END'; "
            "CREATE TRIGGER \"~z\" BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "would run after Curlew's"},
           {"CREATE TABLE t (o int, id int PRIMARY KEY); CREATE PUBLICATION the_publication FOR TABLE t (id, "
            "o)",
            "the_publication"},
           {"CREATE TABLE t (o int, EXCLUDE USING btree (o WITH =))", "t_o_excl"},
           {"CREATE TABLE t (o int) PARTITION BY LIST (o)", "partitioned by it"},
           {"CREATE TABLE parent (o int); CREATE TABLE t () INHERITS (parent)", "name the parent"},
           {"CREATE TABLE t (o int NOT NULL UNIQUE); ALTER TABLE t REPLICA IDENTITY USING INDEX t_o_key",
            "replica identity"},
           {"CREATE TABLE t (o int, n int)", "exists already"},
           {"CREATE TABLE t (x int)", "does not exist"},
           {"CREATE TABLE other (x int)", "table public.t does not exist"},
       }) {
    EXPECT_THAT(Refusal(c.setup), StatusIs(kRefused, HasSubstr(c.named))) << c.setup;
  }
  EXPECT_THAT(Refusal("CREATE TABLE t (o int CONSTRAINT old_check CHECK (o > 0))", "o + 1"),
              StatusIs(kRefused, HasSubstr("old_check")));
  EXPECT_THAT(Refusal("CREATE TABLE t (o int GENERATED ALWAYS AS IDENTITY)", "o + 1"),
              StatusIs(kRefused, HasSubstr("identity column")));
  EXPECT_THAT(Refusal("CREATE TABLE t (o int, other int)", "o + other"),
              StatusIs(kRefused, HasSubstr("up names column other")));
}

TEST_F(RenameColumnTest, APublishedTableStopsUntilTheAuthorSaysThatSubscribersAreReady) {
  auto connection =
      Connect(NewDatabase("CREATE TABLE t (id int PRIMARY KEY, o int); CREATE PUBLICATION p FOR TABLE t"));
  v1::Plan plan = Rename("t", "o", "n");
  EXPECT_THAT(CompileOn(connection.get(), plan), StatusIs(kRefused, HasSubstr("published-table")));
  plan.mutable_settings()->add_acknowledge("published-table");
  EXPECT_THAT(CompileOn(connection.get(), plan), IsOk());
}

TEST_F(RenameColumnTest, DiscardLetsAnObjectGo) {
  const std::string conninfo = NewDatabase(
      "CREATE TABLE t (o int CONSTRAINT old_check CHECK (o > 0), a int); CREATE INDEX old_index ON t (o)");
  auto connection = Connect(conninfo);
  v1::Plan plan = Rename("t", "o", "n");
  auto* rename = plan.mutable_operations(0)->mutable_rename_column();
  rename->add_discard("old_check");
  rename->add_discard("old_index");
  auto compiled = CompileOn(connection.get(), plan);
  ASSERT_THAT(compiled, IsOk());
  ASSERT_THAT(testing::RunPhases(connection.get(), *compiled, v1::PHASE_DROP), IsOk());
  EXPECT_THAT(PgDump(conninfo), Not(HasSubstr("old_")));
  rename->add_discard("no_such");
  auto again = Connect(NewDatabase(
      "CREATE TABLE t (o int CONSTRAINT old_check CHECK (o > 0)); CREATE INDEX old_index ON t (o)"));
  EXPECT_THAT(CompileOn(again.get(), plan), StatusIs(kRefused, HasSubstr("no_such")));
}

class RenameColumnLifeTest : public ::curlew::testing::OperationTest {};

TEST_F(RenameColumnLifeTest, GoesThroughItsLifeInAnotherForm) {
  ExpectLife(R"yaml(
  - rename_column: {table: '"Peo ple"', from: Ph one, to: Pho"ne, up: btrim("Ph one"), down: '"Pho""ne"'}
  - add_check: {table: '"Peo ple"', name: Che ck, expression: length("Pho""ne") > 2}
  - add_unique: {table: '"Peo ple"', name: Uni que, columns: [Pho"ne, tenant]}
  - create_index: {table: '"Peo ple"', name: In dex, columns: [Pho"ne], include: [age], where: tenant > 3}
)yaml",
             "\"Pho\"\"ne\" text NOT NULL");
}

TEST_F(RenameColumnLifeTest, GoesThroughItsLifeAsNullableOfAnotherType) {
  ExpectLife(R"yaml(
  - rename_column: {table: '"Peo ple"', from: age, to: years, type: bigint}
)yaml",
             "years bigint");
}

}  // namespace
}  // namespace curlew::operations
