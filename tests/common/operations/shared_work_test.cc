// What several operations of a plan on one table share, and what counts as a write of the old or new shape.
#include <gmock/gmock.h>

#include "common/pg/error.h"
#include "common/sql/identifier.h"
#include "tests/common/operations/plan_test.h"

namespace curlew::operations {
namespace {

using ::curlew::testing::IsOk;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SharedWorkTest : public PlanTest {
 protected:
  int Count(v1::Action::KindCase kind, v1::Phase phase) {
    int count = 0;
    for (const v1::Step& step : compiled_->steps()) {
      count += step.action().kind_case() == kind && step.phase() == phase && !step.preflight();
    }
    return count;
  }

  // The gate's counters, in the order old, new.
  std::vector<std::string> Counters() {
    for (const v1::Step& step : compiled_->steps()) {
      const v1::ShapeUnused& unused = step.action().wait().shape_unused();
      if (unused.counters_size() == 1) {
        return {unused.counters(0), compiled_->rollback_gate().action().wait().shape_unused().counters(0)};
      }
    }
    return {};
  }
  int Value(const std::string& counter) {
    return std::stoi(
        Ask(absl::StrCat("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM ", counter)));
  }
  // How much the counters move by `sql`.
  std::string Moved(absl::string_view sql) { return MovedBy(connection_.get(), sql); }
  std::string MovedBy(pg::Connection* by, absl::string_view sql) {
    const std::vector<std::string> counters = Counters();
    if (counters.empty()) return "no counters";
    const int old_before = Value(counters[0]), new_before = Value(counters[1]);
    EXPECT_THAT(by->Execute(sql), IsOk()) << sql;
    return absl::StrCat("old ", Value(counters[0]) - old_before, " new ", Value(counters[1]) - new_before);
  }
};

// up and down that lose something: a link that is not touched must not be computed again.
TEST_F(SharedWorkTest, AWriteToOneLinkLeavesTheOtherAlone) {
  Start(
      "CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL, c text, other int); INSERT INTO t VALUES (9, "
      "'x', 'y')",
      "  - rename_column: {table: t, from: a, to: b, up: upper(a), down: lower(b)}\n"
      "  - rename_column: {table: t, from: c, to: d, up: upper(c), down: lower(d)}\n");
  RunTo(v1::PHASE_DUAL_WRITE);
  Run("INSERT INTO t (id, b, d) VALUES (1, 'Bee', 'Dee')");
  EXPECT_EQ(Ask("SELECT a || b || c || d FROM t WHERE id = 1"), "beeBeedeeDee");
  Run("UPDATE t SET a = 'new' WHERE id = 1");
  EXPECT_EQ(Ask("SELECT a || b || c || d FROM t WHERE id = 1"), "newNEWdeeDee");
  Run("UPDATE t SET d = 'Doo' WHERE id = 1");
  EXPECT_EQ(Ask("SELECT a || b || c || d FROM t WHERE id = 1"), "newNEWdooDoo");
  Run("UPDATE t SET b = 'Boo', c = 'see' WHERE id = 1");
  EXPECT_EQ(Ask("SELECT a || b || c || d FROM t WHERE id = 1"), "booBooseeSEE");
  Run("UPDATE t SET other = 1 WHERE id = 1");
  EXPECT_EQ(Ask("SELECT a || b || c || d FROM t WHERE id = 1"), "booBooseeSEE");
  // A pending row is completed in all its links, whatever brings the trigger about.
  Run("UPDATE t SET d = 'Doo' WHERE id = 9");
  EXPECT_EQ(Ask("SELECT a || b || c || d FROM t WHERE id = 9"), "xXdooDoo");
  RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_DROP);
  ExpectDone();
}

TEST_F(SharedWorkTest, AFilledColumnAndAPairGoTogether) {
  Start(
      "CREATE TABLE t (id int PRIMARY KEY, a text, other int); INSERT INTO t VALUES (1, 'x'), (2, 'y'), (3, "
      "NULL)",
      "  - rename_column: {table: t, from: a, to: b, up: upper(a), down: lower(b)}\n"
      "  - add_column: {table: t, column: label, type: text, up: \"'L' || id\"}\n");
  RunTo(v1::PHASE_DUAL_WRITE);
  Run("INSERT INTO t (id, a) VALUES (4, 'z')");
  EXPECT_EQ(Ask("SELECT b || label FROM t WHERE id = 4"), "ZL4");
  Run("INSERT INTO t (id, b, label) VALUES (5, 'Five', 'own')");
  EXPECT_EQ(Ask("SELECT a || b || label FROM t WHERE id = 5"), "fiveFiveown");
  Run("UPDATE t SET b = 'Bee' WHERE id = 1");
  EXPECT_EQ(Ask("SELECT a || b || label FROM t WHERE id = 1"), "beeBeeL1");
  // An explicit NULL after it was filled stays, while the pair changes.
  Run("UPDATE t SET label = NULL WHERE id = 1");
  Run("UPDATE t SET a = 'again' WHERE id = 1");
  EXPECT_EQ(Ask("SELECT a || b || coalesce(label, '-') FROM t WHERE id = 1"), "againAGAIN-");
  RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_BACKFILL);
  EXPECT_EQ(Ask("SELECT string_agg(coalesce(b, '-') || coalesce(label, '-'), ' ' ORDER BY id) FROM t"),
            "AGAIN- YL2 -L3 ZL4 Fiveown");
  RunFrom(v1::PHASE_BACKFILL, v1::PHASE_DROP);
  ExpectDone();
}

TEST_F(SharedWorkTest, OneTableHasOneTriggerOneWalkAndOneEnd) {
  Start(
      "CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL, c int, e int, note text); INSERT INTO t VALUES "
      "(1, 'x', 2, 3)",
      "  - add_column: {table: t, column: p, type: int, default: '1'}\n"
      "  - add_column: {table: t, column: q, type: int, up: c + 1}\n"
      "  - rename_column: {table: t, from: a, to: b}\n"
      "  - drop_column: {table: t, column: e}\n"
      "  - drop_column: {table: t, column: note, down: \"'-'\"}\n"
      "  - rename_column: {table: t, from: c, to: d}\n");
  ASSERT_THAT(compiled_, IsOk());
  EXPECT_EQ(Count(v1::Action::kInstallTrigger, v1::PHASE_DUAL_WRITE), 1);
  EXPECT_EQ(Count(v1::Action::kBackfill, v1::PHASE_BACKFILL), 1);
  EXPECT_EQ(Count(v1::Action::kVerify, v1::PHASE_BACKFILL), 1);
  EXPECT_EQ(Count(v1::Action::kExecuteSql, v1::PHASE_ADD), 1);
  EXPECT_EQ(Count(v1::Action::kExecuteSql, v1::PHASE_DROP), 1);
  int alters = 0;
  for (const v1::Step& step : compiled_->steps()) {
    if (step.phase() != v1::PHASE_ADD || step.preflight()) continue;
    for (const std::string& statement : step.action().execute_sql().statements()) {
      alters += statement.rfind("ALTER TABLE", 0) == 0;
      EXPECT_THAT(statement,
                  AllOf(HasSubstr("ADD COLUMN p"), HasSubstr("ADD COLUMN q"), HasSubstr("ADD COLUMN b"),
                        HasSubstr("ADD COLUMN d"), HasSubstr("curlew_pending_")));
    }
  }
  EXPECT_EQ(alters, 1);
  ExpectLife();
  EXPECT_EQ(Ask("SELECT b || d || p || q FROM t"), "x213");
}

TEST_F(SharedWorkTest, CountersMoveWithEachStatementThatWritesAShape) {
  Start(
      "CREATE TABLE t (id int PRIMARY KEY, a text, other int); INSERT INTO t SELECT g, 'a' || g FROM "
      "generate_series(100, 120) AS g",
      "  - rename_column: {table: t, from: a, to: b, up: upper(a), down: lower(b)}\n");
  RunTo(v1::PHASE_DUAL_WRITE);
  EXPECT_EQ(Moved("INSERT INTO t (id, a) VALUES (1, 'x'), (2, 'y'), (3, 'z')"), "old 1 new 0");
  EXPECT_EQ(Moved("INSERT INTO t (id, b) VALUES (4, 'x'), (5, 'y')"), "old 0 new 1");
  EXPECT_EQ(Moved("INSERT INTO t (id, a, b) VALUES (6, 'x', 'X')"), "old 0 new 1");
  EXPECT_EQ(Moved("INSERT INTO t (id, other) VALUES (7, 1)"), "old 0 new 0");
  EXPECT_EQ(Moved("UPDATE t SET a = a || '!' WHERE id < 4"), "old 1 new 0");
  EXPECT_EQ(Moved("UPDATE t SET b = b || '!' WHERE id < 4"), "old 0 new 1");
  EXPECT_EQ(Moved("UPDATE t SET other = 2"), "old 0 new 0");
  EXPECT_EQ(Moved("UPDATE t SET a = a"), "old 0 new 0");
  EXPECT_EQ(Moved("UPDATE t SET a = 'q' WHERE id = 999"), "old 0 new 0");
  EXPECT_EQ(Moved("DELETE FROM t WHERE id = 3"), "old 0 new 0");
  EXPECT_EQ(Moved("INSERT INTO t (id, a) VALUES (1, 'u') ON CONFLICT (id) DO UPDATE SET a = excluded.a"),
            "old 1 new 0");
  EXPECT_EQ(
      Moved("INSERT INTO t (id, b) VALUES (1, 'u') ON CONFLICT (id) DO UPDATE SET b = excluded.b || '?'"),
      "old 0 new 1");
  EXPECT_EQ(Moved("COPY t (id, a) FROM PROGRAM 'echo 20,a; echo 21,b' WITH (FORMAT csv)"), "old 1 new 0");
  EXPECT_EQ(Moved("COPY t (id, b) FROM PROGRAM 'echo 22,a; echo 23,b' WITH (FORMAT csv)"), "old 0 new 1");
  EXPECT_EQ(Moved("SET curlew.shape = new; INSERT INTO t (id, b) VALUES (30, NULL); RESET curlew.shape"),
            "old 0 new 1");
  // Several statements of one transaction each count; one that fails does not.
  EXPECT_EQ(
      Moved(
          "BEGIN; UPDATE t SET a = 'r' WHERE id = 1; UPDATE t SET other = 9; UPDATE t SET b = 's' WHERE id = "
          "1; UPDATE t SET other = 10; COMMIT"),
      "old 1 new 1");
  EXPECT_EQ(
      Moved("BEGIN; SAVEPOINT s; UPDATE t SET a = 'w' WHERE id = 1; ROLLBACK TO s; UPDATE t SET other = 11; "
            "COMMIT"),
      "old 1 new 0");
  // Not the backfill.
  const std::vector<std::string> counters = Counters();
  const int old_before = Value(counters[0]), new_before = Value(counters[1]);
  RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_BACKFILL);
  EXPECT_EQ(Ask("SELECT b FROM t WHERE id = 100"), "A100");
  EXPECT_EQ(Value(counters[0]), old_before);
  EXPECT_EQ(Value(counters[1]), new_before);
}

TEST_F(SharedWorkTest, CountersMoveForARoleWithoutRightsOnOurSchema) {
  Start("CREATE TABLE t (id int PRIMARY KEY, a text, gone int)",
        "  - rename_column: {table: t, from: a, to: b}\n  - drop_column: {table: t, column: gone, down: "
        "'0'}\n");
  RunTo(v1::PHASE_DUAL_WRITE);
  const std::string role = NewRole("LOGIN");
  Run(absl::StrCat("GRANT SELECT, INSERT, UPDATE ON t TO ", sql::Ident(role)));
  auto app = Connect(AsUser(conninfo_, role));
  ASSERT_NE(app, nullptr);
  EXPECT_EQ(MovedBy(app.get(), "INSERT INTO t (id, a) VALUES (1, 'a')"), "old 1 new 0");
  EXPECT_EQ(MovedBy(app.get(), "SET search_path = ''; UPDATE public.t SET b = 'b'"), "old 0 new 1");
  EXPECT_EQ(MovedBy(app.get(), "INSERT INTO public.t (id, b) VALUES (2, 'a')"), "old 0 new 1");
  EXPECT_EQ(MovedBy(app.get(), "INSERT INTO public.t (id, gone) VALUES (3, 4)"), "old 1 new 0");
  EXPECT_EQ(MovedBy(app.get(), "UPDATE public.t SET gone = 5 WHERE id = 3"), "old 1 new 0");
  EXPECT_EQ(Ask("SELECT string_agg(gone::text, ' ' ORDER BY id) FROM t"), "0 0 5");
  EXPECT_FALSE(app->Execute(absl::StrCat("SELECT nextval('", Counters()[0], "')")).ok());
}

TEST_F(SharedWorkTest, ADefaultHidesWhoInserts) {
  Start("CREATE TABLE t (id int PRIMARY KEY, a text DEFAULT 'd', gone int DEFAULT 3)",
        "  - rename_column: {table: t, from: a, to: b}\n  - drop_column: {table: t, column: gone}\n");
  RunTo(v1::PHASE_DUAL_WRITE);
  EXPECT_EQ(Moved("INSERT INTO t (id) VALUES (1)"), "old 0 new 0");
  EXPECT_EQ(Moved("INSERT INTO t (id, a) VALUES (2, 'x')"), "old 0 new 0");
  EXPECT_EQ(Moved("INSERT INTO t (id, b) VALUES (3, 'x')"), "old 0 new 1");
  EXPECT_EQ(Moved("UPDATE t SET a = 'y' WHERE id = 2"), "old 1 new 0");
}

TEST_F(SharedWorkTest, ARowThatMovesBetweenPartitionsIsNoWriteOfTheNewShape) {
  Start(
      "CREATE TABLE t (id int, a text, part int) PARTITION BY LIST (part);"
      "CREATE TABLE t0 PARTITION OF t FOR VALUES IN (0); CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1)",
      "  - rename_column: {table: t, from: a, to: b, up: upper(a), down: lower(b)}\n");
  RunTo(v1::PHASE_DUAL_WRITE);
  EXPECT_EQ(Moved("INSERT INTO t (id, a, part) VALUES (1, 'x', 0)"), "old 1 new 0");
  EXPECT_EQ(Moved("UPDATE t SET part = 1"), "old 0 new 0");
  EXPECT_EQ(Moved("INSERT INTO t (id, b, part) VALUES (2, 'x', 0)"), "old 0 new 1");
}

TEST_F(SharedWorkTest, TwoOperationsCannotFillOneColumn) {
  const char* table = "CREATE TABLE t (id int PRIMARY KEY, a int, c int)";
  EXPECT_THAT(Refusal(table,
                      "  - add_column: {table: t, column: b, type: int, up: a}\n"
                      "  - backfill: {table: t, set: [{column: b, value: c}]}\n"),
              AllOf(HasSubstr("column b"), HasSubstr("by two operations")));
}

// The setting is about the columns that applications know.
TEST_F(SharedWorkTest, TheShapeOfASessionDoesNotConcernAHiddenColumn) {
  Start("CREATE TABLE t (id int PRIMARY KEY, a text, n int NOT NULL)",
        "  - rename_column: {table: t, from: a, to: b}\n  - change_type: {table: t, column: n, type: "
        "bigint}\n");
  RunTo(v1::PHASE_DUAL_WRITE);
  Run("SET curlew.shape = new; INSERT INTO t (id, b, n) VALUES (1, NULL, 5); UPDATE t SET n = 6; RESET "
      "curlew.shape");
  RunFrom(v1::PHASE_DUAL_WRITE, v1::PHASE_DROP);
  ExpectDone();
  EXPECT_EQ(Ask("SELECT n FROM t"), "6");
}

TEST_F(SharedWorkTest, AColumnOfTheSameNameComesBackInALaterStage) {
  Start("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 7)",
        "  - drop_column: {table: t, column: a}\n"
        "  - add_column: {table: t, column: a, type: text, up: \"'n' || id\", not_null: true}\n");
  ASSERT_THAT(compiled_, IsOk());
  EXPECT_EQ(compiled_->steps(compiled_->steps_size() - 1).stage(), 1);
  EXPECT_THAT(std::vector<std::string>(compiled_->warnings().begin(), compiled_->warnings().end()),
              Contains(HasSubstr("2 stages")));
  RunTo(v1::PHASE_DROP);
  ExpectDone();
  EXPECT_EQ(Ask("SELECT a FROM t"), "n1");
}

TEST_F(SharedWorkTest, TwoColumnsSwapTheirNames) {
  Start(
      "CREATE TABLE t (id int PRIMARY KEY, a text NOT NULL, b int NOT NULL); CREATE INDEX i ON t (a, b);"
      "INSERT INTO t VALUES (1, 'A', 2)",
      "  - rename_column: {table: t, from: a, to: c}\n"
      "  - rename_column: {table: t, from: b, to: a}\n"
      "  - rename_column: {table: t, from: c, to: b}\n");
  ASSERT_THAT(compiled_, IsOk());
  EXPECT_EQ(compiled_->steps(compiled_->steps_size() - 1).stage(), 2);
  RunTo(v1::PHASE_DROP);
  ExpectDone();
  EXPECT_EQ(Ask("SELECT a || b FROM t"), "2A");
  EXPECT_EQ(Ask("SELECT pg_get_indexdef('i'::regclass)"), "CREATE INDEX i ON public.t USING btree (b, a)");
}

TEST_F(SharedWorkTest, AnIndexOnTheNewNameNeedsNoLaterStage) {
  Start("CREATE TABLE t (id int PRIMARY KEY, a text); INSERT INTO t VALUES (1, 'A')",
        "  - rename_column: {table: t, from: a, to: b}\n"
        "  - create_index: {table: t, name: i, columns: [b]}\n");
  ASSERT_THAT(compiled_, IsOk());
  EXPECT_EQ(compiled_->steps(compiled_->steps_size() - 1).stage(), 0);
  ExpectLife();
}

TEST_F(SharedWorkTest, IndexesOfPartitionedTablesAndDeferrableConstraintsAreCarried) {
  for (const char* operation : {"  - rename_column: {table: t, from: a, to: b}\n",
                                "  - change_type: {table: t, column: a, type: bigint}\n"}) {
    Start(
        "CREATE TABLE t (id int, a int, part int, CONSTRAINT uni UNIQUE (a, id, part) DEFERRABLE INITIALLY "
        "DEFERRED) "
        "PARTITION BY LIST (part); CREATE TABLE t0 PARTITION OF t FOR VALUES IN (0); CREATE TABLE t1 "
        "PARTITION OF t "
        "FOR VALUES IN (1) PARTITION BY LIST (id); CREATE TABLE t11 PARTITION OF t1 FOR VALUES IN (11); "
        "CREATE INDEX \"Some Index\" ON t (a, id) WHERE a > 0; INSERT INTO t VALUES (1, 2, 0), (11, 3, 1)",
        operation);
    const std::string parts =
        "SELECT string_agg(c.relname || ' ' || i.indrelid::regclass || ' ' || i.indisvalid, ',' ORDER BY "
        "c.relname) "
        "FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE c.relnamespace = "
        "'public'::regnamespace";
    const std::string before = Ask(parts);
    ExpectLife();
    EXPECT_EQ(Ask(parts), before);
  }
}

// The old twin would go with the other column, and its name be missed.
TEST_F(SharedWorkTest, AnIndexOfARenamedAndADroppedColumnGoes) {
  for (const char* operations : {"  - rename_column: {table: t, from: a, to: b}\n"
                                 "  - drop_column: {table: t, column: c, discard: [i]}\n",
                                 "  - drop_column: {table: t, column: c, discard: [i]}\n"
                                 "  - rename_column: {table: t, from: a, to: b}\n"}) {
    Start("CREATE TABLE t (id int PRIMARY KEY, a text, c int); CREATE INDEX i ON t (a, c)", operations);
    ExpectLife();
    EXPECT_EQ(Ask("SELECT count(*) FROM pg_indexes WHERE tablename = 't'"), "1");
  }
}

}  // namespace
}  // namespace curlew::operations
