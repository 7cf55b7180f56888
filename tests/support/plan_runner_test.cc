#include "tests/support/plan_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::testing {
namespace {

constexpr char kSetup[] = R"sql(
CREATE TABLE "P t" (id int NOT NULL, owner int) PARTITION BY RANGE (id);
CREATE TABLE low PARTITION OF "P t" FOR VALUES FROM (0) TO (10);
CREATE TABLE "Hi'gh" PARTITION OF "P t" FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id);
CREATE TABLE "select" PARTITION OF "Hi'gh" FOR VALUES FROM (10) TO (20);
CREATE TABLE owners (id int PRIMARY KEY);
INSERT INTO "P t" SELECT g FROM generate_series(0, 19) g;
)sql";

class PlanRunnerTest : public PgTest {
 protected:
  void SetUp() override {
    conninfo_ = NewDatabase(kSetup);
    connection_ = Connect(conninfo_);
  }
  absl::Status Run(const v1::Action& action) { return RunAction(connection_.get(), action); }
  std::string Sql(absl::string_view sql) { return Query(conninfo_, sql); }

  std::string conninfo_;
  std::unique_ptr<pg::Connection> connection_;
};

TEST_F(PlanRunnerTest, RunsStatementsOnEachPartitionAndValidatesThere) {
  v1::Action action;
  v1::EachPartition& each = *action.mutable_execute_sql()->mutable_each_partition();
  each.set_table("public.\"P t\"");
  v1::PartitionStatement& statement = *each.add_statements();
  statement.set_before("ALTER TABLE ");
  statement.set_after(" ADD CONSTRAINT fk FOREIGN KEY (owner) REFERENCES owners NOT VALID");
  ASSERT_OK(Run(action));
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_constraint WHERE conname = 'fk' AND NOT convalidated"), "2");
  v1::Action validate;
  validate.mutable_validate_constraint()->set_table("public.\"P t\"");
  validate.mutable_validate_constraint()->set_constraint("fk");
  validate.mutable_validate_constraint()->set_each_partition(true);
  ASSERT_OK(Run(validate));
  ASSERT_OK(Run(validate));
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_constraint WHERE conname = 'fk' AND convalidated"), "2");
}

TEST_F(PlanRunnerTest, MakesAndDropsIndexesAndConstraintsOfPartitionedTables) {
  for (const char* constraint : {"", "UNIQUE (id, owner)"}) {
    v1::Action create;
    v1::ExecuteSqlConcurrently& sql = *create.mutable_execute_sql_concurrently();
    sql.set_effect(v1::ExecuteSqlConcurrently::EFFECT_CREATES);
    sql.set_index("public.\"I x\"");
    sql.set_table("public.\"P t\"");
    sql.mutable_partitioned()->set_unique(true);
    sql.mutable_partitioned()->set_definition("USING btree (id, owner)");
    sql.mutable_partitioned()->set_constraint(constraint);
    ASSERT_OK(Run(create));
    EXPECT_EQ(Sql("SELECT count(*) FROM pg_partition_tree('\"I x\"')"), "4");
    EXPECT_EQ(Sql("SELECT count(*) FROM pg_constraint WHERE conname = 'I x'"), *constraint == 0 ? "0" : "1");
    v1::Action drop;
    v1::ExecuteSqlConcurrently& undo = *drop.mutable_execute_sql_concurrently();
    undo.set_effect(v1::ExecuteSqlConcurrently::EFFECT_DROPS);
    undo.set_index("public.\"I x\"");
    undo.mutable_partitioned();
    ASSERT_OK(Run(drop));
    ASSERT_OK(Run(drop));
    EXPECT_EQ(Sql("SELECT to_regclass('\"I x\"') IS NULL"), "t");
  }
}

TEST_F(PlanRunnerTest, ReindexesAnIndexOrATable) {
  const std::string before = Sql("SELECT pg_relation_filenode('owners_pkey')");
  v1::Action action;
  v1::ExecuteSqlConcurrently& sql = *action.mutable_execute_sql_concurrently();
  sql.set_effect(v1::ExecuteSqlConcurrently::EFFECT_REINDEXES);
  sql.set_table("public.owners");
  ASSERT_OK(Run(action));
  const std::string between = Sql("SELECT pg_relation_filenode('owners_pkey')");
  EXPECT_NE(between, before);
  sql.set_index("public.owners_pkey");
  ASSERT_OK(Run(action));
  EXPECT_NE(Sql("SELECT pg_relation_filenode('owners_pkey')"), between);
}

TEST_F(PlanRunnerTest, DeletesWhatABackfillDeletes) {
  v1::Action action;
  action.mutable_backfill()->set_table("public.\"P t\"");
  action.mutable_backfill()->set_deletes(true);
  action.mutable_backfill()->set_pending("t.id % 2 = 0");
  ASSERT_OK(Run(action));
  EXPECT_EQ(Sql("SELECT count(*) FROM \"P t\""), "10");
}

TEST_F(PlanRunnerTest, ComparesWhatItHasMeasured) {
  v1::Action measure, verify;
  v1::Measurement& measurement = *measure.mutable_measure()->add_measurements();
  measurement.set_name("rows");
  measurement.set_query("SELECT count(*)::text FROM owners");
  verify.mutable_verify()->set_search_path("pg_catalog, public");
  *verify.mutable_verify()->add_unchanged() = measurement;
  ASSERT_OK(Run(measure));
  EXPECT_OK(Run(verify));
  Sql("INSERT INTO owners VALUES (1)");
  EXPECT_THAT(Run(verify), StatusIs(absl::StatusCode::kFailedPrecondition, ::testing::HasSubstr("1, was 0")));
  ASSERT_OK(Run(measure));
  EXPECT_OK(Run(verify));
}

TEST_F(PlanRunnerTest, ComparesAnswersWithWhatIsExpected) {
  v1::Action verify;
  verify.mutable_verify()->set_search_path("pg_catalog, public");
  v1::Expectation& expectation = *verify.mutable_verify()->add_expectations();
  expectation.set_query("SELECT max(id)::text FROM owners");
  EXPECT_OK(Run(verify)) << "NULL";
  expectation.set_expect("7");
  EXPECT_THAT(Run(verify), StatusIs(absl::StatusCode::kFailedPrecondition));
  Sql("INSERT INTO owners VALUES (7)");
  EXPECT_OK(Run(verify));
  expectation.clear_expect();
  EXPECT_THAT(Run(verify), StatusIs(absl::StatusCode::kFailedPrecondition));
  expectation.set_query("SELECT '7' FROM owners WHERE false");
  EXPECT_THAT(Run(verify), StatusIs(absl::StatusCode::kFailedPrecondition)) << "no row is not NULL";
}

TEST_F(PlanRunnerTest, StopsBeforeTheFirstStepOfALaterPhaseAndUndoesWhatItRan) {
  v1::CompiledPlan plan;
  const auto add = [&](int stage, v1::Phase phase, const std::string& sql, const std::string& undo) {
    v1::Step& step = *plan.add_steps();
    step.set_stage(stage);
    step.set_phase(phase);
    step.mutable_action()->mutable_execute_sql()->add_statements(sql);
    step.mutable_undo()->mutable_execute_sql()->add_statements(undo);
  };
  add(0, v1::PHASE_ADD, "CREATE TABLE one ()", "DROP TABLE one");
  add(0, v1::PHASE_DROP, "DROP TABLE owners", "SELECT 1");
  add(1, v1::PHASE_ADD, "CREATE TABLE owners ()", "DROP TABLE owners");
  ASSERT_OK(RunPhases(connection_.get(), plan, v1::PHASE_CONSTRAIN));
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'owners'::regclass AND attnum > 0"), "1");
  ASSERT_OK(UndoPhases(connection_.get(), plan, v1::PHASE_CONSTRAIN));
  EXPECT_EQ(Sql("SELECT to_regclass('one') IS NULL AND to_regclass('owners') IS NOT NULL"), "t");
  ASSERT_OK(RunPhases(connection_.get(), plan, v1::PHASE_DROP));
  EXPECT_EQ(Sql("SELECT count(*) FROM pg_attribute WHERE attrelid = 'owners'::regclass AND attnum > 0"), "0");
}

}  // namespace
}  // namespace curlew::testing
