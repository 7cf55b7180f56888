// What the dual-write triggers do, on a real server. The truth table stands in docs/dual-write.md.
#include <fstream>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/compiler/compiler.h"
#include "common/pg/error.h"
#include "common/pg/introspect.h"
#include "common/sql/identifier.h"
#include "tests/support/pg_test.h"
#include "tests/support/plan_runner.h"
#include "tests/support/status_matchers.h"

namespace curlew::operations {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::PgTest;
using ::curlew::testing::RunPhases;
using ::testing::HasSubstr;

// A table t (id, o, other) whose column o is renamed to n with up and down that show whether they ran.
class DualWriteTest : public PgTest {
 protected:
  // Makes the table by `create`, compiles the rename, and runs its phases up to `last`.
  void Start(absl::string_view create, v1::Phase last = v1::PHASE_DUAL_WRITE,
             absl::string_view up = "upper(coalesce(o, 'none'))",
             absl::string_view down = "lower(coalesce(n, 'null'))", bool not_null = false) {
    conninfo_ = NewDatabase(create);
    connection_ = Connect(conninfo_);
    v1::RenameColumn* rename = plan_.add_operations()->mutable_rename_column();
    plan_.set_name("p");
    rename->set_table("t");
    rename->set_from("o");
    rename->set_to("n");
    rename->set_up(std::string(up));
    rename->set_down(std::string(down));
    if (not_null) {
      v1::SetNotNull* set = plan_.add_operations()->mutable_set_not_null();
      set->set_table("t");
      set->set_column("n");
    }
    auto schema = pg::ReadSchema(connection_.get(), {"t"});
    ASSERT_THAT(schema, IsOk());
    auto compiled = compiler::Compile(plan_, *schema);
    ASSERT_THAT(compiled, IsOk());
    compiled_ = *compiled;
    ASSERT_THAT(RunPhases(connection_.get(), compiled_, last), IsOk());
  }

  void Run(absl::string_view sql) { EXPECT_THAT(connection_->Execute(sql), IsOk()) << sql; }
  std::string Ask(absl::string_view sql) {
    auto result = connection_->Execute(sql);
    EXPECT_THAT(result, IsOk()) << sql;
    if (!result.ok() || result->empty()) return "(nothing)";
    return result->IsNull(0, 0) ? "NULL" : result->Text(0, 0);
  }
  const v1::Step& StepOf(v1::Phase phase) {
    for (const v1::Step& step : compiled_.steps()) {
      if (step.phase() == phase && !step.preflight()) return step;
    }
    ADD_FAILURE() << "no step of phase " << phase;
    return v1::Step::default_instance();
  }

  v1::Plan plan_;
  v1::CompiledPlan compiled_;
  std::string conninfo_;
  std::unique_ptr<pg::Connection> connection_;
};

constexpr char kTable[] = "CREATE TABLE t (id int PRIMARY KEY, o text, other int)";

std::string SqlValue(const std::string& value) { return value == "NULL" ? value : sql::Literal(value); }

TEST_F(DualWriteTest, FollowsThePublishedTruthTable) {
  Start(kTable, v1::PHASE_ADD);
  std::ifstream file(absl::StrCat(CURLEW_DOCS, "/dual-write.md"));
  ASSERT_TRUE(file.good());
  int rows = 0;
  std::vector<std::vector<std::string>> cases;
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("| INSERT", 0) != 0 && line.rfind("| UPDATE", 0) != 0) continue;
    std::vector<std::string> cells;
    for (absl::string_view cell : absl::StrSplit(line, '|'))
      cells.emplace_back(absl::StripAsciiWhitespace(cell));
    cases.push_back({cells.begin() + 1, cells.end() - 1});
  }
  // Rows that are pending were there before the triggers.
  for (size_t i = 0; i < cases.size(); ++i) {
    if (cases[i][3] == "yes") Run(absl::StrCat("INSERT INTO t (id, o) VALUES (", i, ", 'a')"));
  }
  ASSERT_THAT(testing::RunAction(connection_.get(), StepOf(v1::PHASE_DUAL_WRITE).action()), IsOk());
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto& c = cases[i];
    SCOPED_TRACE(absl::StrCat("row ", i + 1, " of the table: ", absl::StrJoin(c, " | ")));
    std::string old_value, new_value;  // as written
    if (c[0] == "INSERT") {
      old_value = c[1] == "given" ? "b" : "NULL";
      new_value = c[2] == "not given" ? "NULL" : c[2] == "given, agrees" ? "B" : "X";
      if (c[4] != "not set") Run(absl::StrCat("SET curlew.shape = ", c[4]));
      Run(absl::StrCat("INSERT INTO t (id, o, n) VALUES (", i, ", ", SqlValue(old_value), ", ",
                       SqlValue(new_value), ")"));
    } else {
      if (c[3] == "no") Run(absl::StrCat("INSERT INTO t (id, o) VALUES (", i, ", 'a')"));
      std::string sets = "other = 1";
      old_value = "a";
      new_value = c[3] == "no" ? "A" : "NULL";
      if (c[1] != "unchanged") old_value = c[1] == "changed to NULL" ? "NULL" : "b";
      if (c[2] != "unchanged")
        new_value = c[2] == "changed to NULL" ? "NULL" : c[2] == "changed, agrees" ? "B" : "X";
      if (c[1] != "unchanged") absl::StrAppend(&sets, ", o = ", SqlValue(old_value));
      if (c[2] != "unchanged") absl::StrAppend(&sets, ", n = ", SqlValue(new_value));
      if (c[4] != "not set") Run(absl::StrCat("SET curlew.shape = ", c[4]));
      Run(absl::StrCat("UPDATE t SET ", sets, " WHERE id = ", i));
    }
    Run("RESET curlew.shape");
    if (c[5] == "new := up(old)") {
      new_value = Ask(absl::StrCat("SELECT upper(coalesce(", SqlValue(old_value), ", 'none'))"));
    } else if (c[5] == "old := down(new)") {
      old_value = Ask(absl::StrCat("SELECT lower(coalesce(", SqlValue(new_value), ", 'null'))"));
    } else {
      EXPECT_EQ(c[5], "both stay");
    }
    EXPECT_EQ(Ask(absl::StrCat("SELECT o FROM t WHERE id = ", i)), old_value);
    EXPECT_EQ(Ask(absl::StrCat("SELECT n FROM t WHERE id = ", i)), new_value);
    ++rows;
  }
  EXPECT_GE(rows, 24);
}

TEST_F(DualWriteTest, AnUnrelatedUpdateCompletesAPendingRow) {
  Start(kTable, v1::PHASE_ADD, "upper(o)", "lower(n)", true);
  Run("INSERT INTO t VALUES (1, 'a', 0)");
  ASSERT_THAT(testing::RunAction(connection_.get(), StepOf(v1::PHASE_DUAL_WRITE).action()), IsOk());
  Run("UPDATE t SET other = 1");
  EXPECT_EQ(Ask("SELECT n FROM t"), "A");
}

TEST_F(DualWriteTest, TheBackfillDoesNotEchoAndLeavesWhatTheNewApplicationWrote) {
  Start(absl::StrCat(kTable, "; INSERT INTO t SELECT g, 'a' || g, 0 FROM generate_series(1, 10) AS g"));
  Run("UPDATE t SET n = 'Kept As Written' WHERE id = 3");
  EXPECT_EQ(Ask("SELECT o FROM t WHERE id = 3"), "kept as written");
  ASSERT_THAT(testing::RunAction(connection_.get(), StepOf(v1::PHASE_BACKFILL).action()), IsOk());
  EXPECT_EQ(Ask("SELECT n FROM t WHERE id = 3"), "Kept As Written");
  EXPECT_EQ(Ask("SELECT count(*) FROM t WHERE n = upper(o)"), "9");
  EXPECT_EQ(Ask("SELECT string_agg(o, ' ' ORDER BY id) FROM t WHERE id < 3"), "a1 a2");
}

// The bypass covers the backfill's own write and nothing that an application's trigger does because of it.
TEST_F(DualWriteTest, WhatAnApplicationsTriggerWritesDuringTheBackfillIsKeptInStep) {
  Start(absl::StrCat(kTable, R"(;
    CREATE TABLE log (id int);
    INSERT INTO t SELECT g, 'a' || g, 0 FROM generate_series(1, 10) AS g;
    CREATE FUNCTION before_row() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF NEW.id = 1 THEN NEW.o := 'by trigger'; END IF; RETURN NEW; END $$;
    CREATE TRIGGER app_before BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION before_row();
    CREATE FUNCTION after_row() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN IF OLD.id = 2 AND pg_trigger_depth() = 1 THEN UPDATE t SET o = 'nested' WHERE id = 5; END IF;
      RETURN NULL; END $$;
    CREATE TRIGGER app_after AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION after_row())"));
  ASSERT_THAT(testing::RunAction(connection_.get(), StepOf(v1::PHASE_BACKFILL).action()), IsOk());
  EXPECT_EQ(Ask("SELECT o || '/' || n FROM t WHERE id = 1"), "by trigger/BY TRIGGER");
  EXPECT_EQ(Ask("SELECT o || '/' || n FROM t WHERE id = 5"), "nested/NESTED");
  EXPECT_EQ(Ask("SELECT count(*) FROM t WHERE n IS DISTINCT FROM upper(o)"), "0");
}

TEST_F(DualWriteTest, AnApplicationsBeforeTriggerThatChangesTheOldColumnIsSeen) {
  Start(absl::StrCat(kTable, R"(;
    CREATE FUNCTION trim_o() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.o := btrim(NEW.o); RETURN NEW; END $$;
    CREATE TRIGGER zzz_trim BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION trim_o())"));
  Run("INSERT INTO t (id, o) VALUES (1, '  a ')");
  EXPECT_EQ(Ask("SELECT n FROM t"), "A");
}

TEST_F(DualWriteTest, UpsertsCopyMergeAndCascadesAreFollowed) {
  Start(R"(CREATE TABLE parent (o text PRIMARY KEY);
           INSERT INTO parent VALUES ('a'), ('b'), ('c');
           CREATE TABLE t (id int PRIMARY KEY, o text REFERENCES parent ON UPDATE CASCADE, other int))",
        v1::PHASE_DUAL_WRITE, "o", "n");
  Run("INSERT INTO t (id, o) VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET o = excluded.o");
  Run("INSERT INTO t (id, o) VALUES (1, 'b') ON CONFLICT (id) DO UPDATE SET o = excluded.o");
  EXPECT_EQ(Ask("SELECT n FROM t WHERE id = 1"), "b");
  Run("MERGE INTO t USING (VALUES (1, 'c'), (2, 'c')) AS s (id, o) ON t.id = s.id WHEN MATCHED THEN UPDATE "
      "SET o = s.o "
      "WHEN NOT MATCHED THEN INSERT (id, o) VALUES (s.id, s.o)");
  EXPECT_EQ(Ask("SELECT count(*) FROM t WHERE n = 'c' AND o = 'c'"), "2");
  Run("UPDATE parent SET o = 'd' WHERE o = 'c'");
  EXPECT_EQ(Ask("SELECT count(*) FROM t WHERE n = 'd' AND o = 'd'"), "2");
  Run("COPY t (id, o) FROM PROGRAM 'echo 3,a' WITH (FORMAT csv)");
  EXPECT_EQ(Ask("SELECT n FROM t WHERE id = 3"), "a");
  Run("DELETE FROM t WHERE id = 3; INSERT INTO t (id, n) VALUES (3, 'b')");
  EXPECT_EQ(Ask("SELECT o FROM t WHERE id = 3"), "b");
}

TEST_F(DualWriteTest, RowsMoveBetweenPartitionsUnharmed) {
  Start(R"(CREATE TABLE t (id int, o text, other int, PRIMARY KEY (id, other)) PARTITION BY LIST (other);
           CREATE TABLE t0 PARTITION OF t FOR VALUES IN (0);
           CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1);
           INSERT INTO t VALUES (1, 'a', 0), (2, 'b', 0))");
  Run("INSERT INTO t (id, n, other) VALUES (3, 'Mixed Case', 0)");
  Run("UPDATE t SET other = 1 WHERE id IN (1, 3)");
  EXPECT_EQ(Ask("SELECT o || '/' || n FROM t WHERE id = 1"), "a/A");
  EXPECT_EQ(Ask("SELECT o || '/' || n FROM t WHERE id = 3"), "mixed case/Mixed Case");
  ASSERT_THAT(testing::RunAction(connection_.get(), StepOf(v1::PHASE_BACKFILL).action()), IsOk());
  EXPECT_EQ(Ask("SELECT o || '/' || n FROM t WHERE id = 2"), "b/B");
}

TEST_F(DualWriteTest, TypesWithoutEqualityWork) {
  Start(R"(CREATE TABLE t (id int PRIMARY KEY, o json, other int); INSERT INTO t VALUES (1, '{"a": 1}', 0))",
        v1::PHASE_DUAL_WRITE, "o", "n");
  Run("UPDATE t SET other = 2");
  EXPECT_EQ(Ask("SELECT n FROM t"), R"({"a": 1})");
  Run(R"(UPDATE t SET n = '{"a":1}')");
  EXPECT_EQ(Ask("SELECT o FROM t"), R"({"a":1})");
  for (const v1::Step& step : compiled_.steps()) {
    if (step.phase() != v1::PHASE_BACKFILL) continue;
    EXPECT_THAT(testing::RunAction(connection_.get(), step.action()), IsOk());
  }
}

TEST_F(DualWriteTest, AChangeThatEqualityDoesNotSeeIsFollowed) {
  Start("CREATE TABLE t (id int PRIMARY KEY, o numeric, other int); INSERT INTO t VALUES (1, 1.0, 0)",
        v1::PHASE_DUAL_WRITE, "o", "n");
  Run("UPDATE t SET other = 1");
  Run("UPDATE t SET o = 1.00");
  EXPECT_EQ(Ask("SELECT n FROM t"), "1.00");
}

TEST_F(DualWriteTest, AReplicaSessionCannotSlipPast) {
  Start(kTable);
  Run("SET session_replication_role = replica; INSERT INTO t (id, o) VALUES (1, 'a'); RESET "
      "session_replication_role");
  EXPECT_EQ(Ask("SELECT n FROM t"), "A");
}

TEST_F(DualWriteTest, ARoleWithoutRightsOnOurSchemaCanWrite) {
  Start(kTable);
  const std::string role = NewRole("LOGIN");
  Run(absl::StrCat("GRANT SELECT, INSERT, UPDATE ON t TO ", sql::Ident(role)));
  auto app = Connect(AsUser(conninfo_, role));
  ASSERT_NE(app, nullptr);
  EXPECT_THAT(app->Execute("INSERT INTO t (id, o) VALUES (1, 'a')"), IsOk());
  EXPECT_THAT(app->Execute("SET search_path = ''; UPDATE public.t SET o = 'b'"), IsOk());
  EXPECT_EQ(Ask("SELECT n FROM t"), "B");
  EXPECT_THAT(app->Execute("SELECT curlew.anything()"), ::testing::Not(IsOk()));
}

TEST_F(DualWriteTest, ErrorsNameColumnRowAndExpressionAndKeepTheirCode) {
  Start(kTable, v1::PHASE_DUAL_WRITE, "o::int::text", "n");
  auto result = connection_->Execute("INSERT INTO t (id, o) VALUES (42, 'abc')");
  ASSERT_FALSE(result.ok());
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("public.t.n"));
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("t (id)=(42)"));
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("`up`"));
  EXPECT_EQ(pg::Sqlstate(result.status()), "22P02");
}

TEST_F(DualWriteTest, VerificationCatchesWhatNoTriggerSaw) {
  Start(kTable, v1::PHASE_DUAL_WRITE, "upper(o)", "lower(n)", true);
  Run("INSERT INTO t (id, o) VALUES (1, 'a'), (2, 'b')");
  Run("ALTER TABLE t DISABLE TRIGGER USER; UPDATE t SET o = 'x' WHERE id = 2");
  absl::Status status;
  for (const v1::Step& step : compiled_.steps()) {
    if (step.phase() == v1::PHASE_BACKFILL && step.action().has_verify()) {
      status = testing::RunAction(connection_.get(), step.action());
    }
  }
  EXPECT_THAT(std::string(status.message()), HasSubstr("t (id)=(2)"));
}

TEST_F(DualWriteTest, OneLookAtEachRowFillsWhatIsPendingAndShowsWhatDoesNotAgree) {
  Start(kTable, v1::PHASE_DUAL_WRITE, "upper(o)", "lower(n)", true);
  const v1::Verify* verify = nullptr;
  const v1::Backfill* fill = nullptr;
  for (const v1::Step& step : compiled_.steps()) {
    if (step.phase() != v1::PHASE_BACKFILL) continue;
    if (step.action().has_verify()) verify = &step.action().verify();
    if (step.action().has_backfill()) fill = &step.action().backfill();
    if (step.action().has_analyze()) {
      EXPECT_TRUE(step.action().analyze().vacuum_if_bloated());
    }
  }
  ASSERT_TRUE(verify != nullptr && fill != nullptr);
  EXPECT_EQ(verify->checks_size(), 0);
  ASSERT_EQ(verify->scans_size(), 1);
  const v1::RowScan& scan = verify->scans(0);
  EXPECT_EQ(scan.repair().SerializeAsString(), fill->SerializeAsString());
  ASSERT_EQ(scan.checks_size(), 2);
  EXPECT_TRUE(scan.checks(0).pending());
  EXPECT_EQ(scan.checks(0).violation(), fill->pending());
  EXPECT_FALSE(scan.checks(1).pending());

  // Past the triggers: one is not filled, one does not agree. The look's own expressions tell them apart.
  Run("INSERT INTO t (id, o) VALUES (2, 'b'), (3, 'c')");
  Run("ALTER TABLE t DISABLE TRIGGER USER; INSERT INTO t (id, o) VALUES (1, 'a');"
      " UPDATE t SET o = 'x' WHERE id = 2");
  Run("ALTER TABLE t ENABLE TRIGGER USER");
  const auto keys = [&](const v1::RowCheck& check) {
    return Ask(absl::StrCat("SELECT string_agg(", scan.key(), ", ' ') FROM ", scan.table(), " AS t WHERE ",
                            check.violation()));
  };
  EXPECT_EQ(keys(scan.checks(0)), "t (id)=(1)");
  EXPECT_THAT(keys(scan.checks(1)), HasSubstr("t (id)=(2)"));
  v1::Action repair;
  *repair.mutable_backfill() = scan.repair();
  EXPECT_THAT(testing::RunAction(connection_.get(), repair), IsOk());
  EXPECT_EQ(Ask("SELECT n FROM t WHERE id = 1"), "A");
  EXPECT_EQ(Ask("SELECT o || n FROM t WHERE id = 2"), "xB");
  EXPECT_EQ(keys(scan.checks(1)), "t (id)=(2)");
}

}  // namespace
}  // namespace curlew::operations
