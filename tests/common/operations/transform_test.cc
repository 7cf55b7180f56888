#include <gmock/gmock.h>

#include <algorithm>

#include "tests/common/operations/plan_test.h"

namespace curlew::operations {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr char kTables[] = R"(
CREATE TABLE contacts (id int PRIMARY KEY, name text, address text, code text NOT NULL);
INSERT INTO contacts SELECT i, 'n' || i, NULLIF('a' || i, 'a2'), 'c' || i FROM generate_series(1, 5) AS i;
CREATE TABLE address (contact int PRIMARY KEY, line text, note text))";

class TransformTest : public PlanTest {
 protected:
  // Of the only step that transforms.
  const v1::Step& Walk() {
    for (const v1::Step& step : compiled_->steps()) {
      if (step.action().has_transform_rows()) return step;
    }
    ADD_FAILURE() << "no step transforms";
    return compiled_->steps(0);
  }
  std::vector<std::string> Key() {
    const auto& key = Walk().action().transform_rows().key();
    return {key.begin(), key.end()};
  }
  std::vector<std::string> Locks() {
    std::vector<std::string> locks;
    for (const v1::TableLock& lock : Walk().locks())
      locks.push_back(absl::StrCat(lock.table(), " ", lock.mode()));
    return locks;
  }
  std::vector<std::string> Warnings() { return {compiled_->warnings().begin(), compiled_->warnings().end()}; }
  int Stages() { return compiled_->steps(compiled_->steps_size() - 1).stage() + 1; }
  std::string RefusedWrite(const std::string& write) {
    return Refusal(kTables, absl::StrCat("  - transform: {table: contacts, irreversible: true, write: '",
                                         write, "'}\n"));
  }
};

TEST_F(TransformTest, WritesTheRowsOfOneTableIntoAnotherAndTakesThemBack) {
  Start(
      R"(CREATE SCHEMA "S s"; CREATE TABLE "S s"."T""t" ("select" int, "B b" text, old text, PRIMARY KEY ("B b", "select"));
           INSERT INTO "S s"."T""t" VALUES (1, 'it''s', 'x'), (2, 'b', 'y'), (3, 'c', NULL);
           CREATE TABLE "Ad dress" (k int, line text))",
      R"yaml(
  - transform:
      table: '"S s"."T""t"'
      where: old IS NOT NULL
      write: |
        -- What people wrote.
        INSERT INTO "Ad dress" (k, line) SELECT "select", "B b" || old FROM batch;
      down: 'DELETE FROM "Ad dress"'
)yaml");
  ExpectRollbacks();
  EXPECT_EQ(Ask(R"(SELECT count(*) FROM "Ad dress")"), "0");
  EXPECT_EQ(Walk().phase(), v1::PHASE_BACKFILL);
  EXPECT_THAT(Key(), ElementsAre("\"B b\"", "\"select\""));
  EXPECT_THAT(Locks(),
              ElementsAre("public.\"Ad dress\" RowExclusiveLock", "\"S s\".\"T\"\"t\" RowShareLock"));
  EXPECT_FALSE(compiled_->steps(compiled_->steps_size() - 1).action().analyze().vacuum_if_bloated());
  EXPECT_THAT(Titles(),
              ElementsAre(HasSubstr("into \"Ad dress\""), "refresh planner statistics of \"Ad dress\""));
  RunTo(v1::PHASE_DROP);
  ExpectDone();
  EXPECT_EQ(Ask(R"(SELECT string_agg(k || line, ' ' ORDER BY k) FROM "Ad dress")"), "1it'sx 2by");
}

TEST_F(TransformTest, RunsBehindTheGateWhereThereIsNoWayBack) {
  Start(kTables, R"yaml(
  - transform:
      table: contacts
      write: UPDATE address SET line = batch.address FROM batch WHERE contact = batch.id
      irreversible: true
)yaml");
  Run("INSERT INTO address VALUES (3, 'old')");
  ExpectRollbacks();
  RunTo(v1::PHASE_CONSTRAIN);
  EXPECT_EQ(Ask("SELECT line FROM address"), "old");
  RunFrom(v1::PHASE_CONSTRAIN, v1::PHASE_DROP);
  ExpectDone();
  EXPECT_EQ(Ask("SELECT line FROM address"), "a3");
  EXPECT_TRUE(compiled_->steps(compiled_->steps_size() - 1).action().analyze().vacuum_if_bloated());
}

TEST_F(TransformTest, FillsATableThatThePlanCreatesInTheSameStage) {
  Start("CREATE TABLE contacts (id int PRIMARY KEY, address text); INSERT INTO contacts VALUES (1, 'x')",
        R"yaml(
  - create_table:
      table: address
      columns: [{name: contact, type: int}, {name: line, type: text, not_null: true}]
      primary_key: [contact]
  - transform:
      table: contacts
      write: INSERT INTO address (contact, line) SELECT id, address FROM batch
      down: DELETE FROM address
  - add_foreign_key: {table: address, name: fk, columns: [contact], references: contacts}
)yaml");
  ExpectLife();
  EXPECT_EQ(Stages(), 1);
  EXPECT_EQ(Ask("SELECT line FROM address"), "x");
}

TEST_F(TransformTest, WalksRowsOnlyOnceTheyAreThere) {
  Start("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE c (id int)", R"yaml(
  - create_table: {table: b, columns: [{name: id, type: int}], primary_key: [id]}
  - transform: {table: b, write: INSERT INTO c SELECT id FROM batch, down: DELETE FROM c}
)yaml");
  ASSERT_OK(compiled_);
  EXPECT_EQ(Stages(), 2);
}

TEST_F(TransformTest, RunsInTheOrderOfThePlan) {
  Start(kTables, R"yaml(
  - transform: {table: contacts, write: "INSERT INTO address (contact, line) SELECT id, address FROM batch", down: DELETE FROM address}
  - transform: {table: address, write: "UPDATE contacts SET name = line FROM batch WHERE id = contact", down: SELECT}
)yaml");
  ASSERT_OK(compiled_);
  EXPECT_EQ(Stages(), 1);
  RunTo(v1::PHASE_DROP);
  EXPECT_EQ(Ask("SELECT name FROM contacts WHERE id = 3"), "a3");
}

TEST_F(TransformTest, SeesRowsAsEarlierOperationsLeaveThem) {
  Start(kTables, R"yaml(
  - purge: {table: contacts, where: id = 1}
  - transform: {table: contacts, write: "INSERT INTO address (contact) SELECT id FROM batch", down: DELETE FROM address}
)yaml");
  ASSERT_OK(compiled_);
  EXPECT_EQ(Stages(), 2);
  RunTo(v1::PHASE_DROP);
  EXPECT_EQ(Ask("SELECT count(*) FROM address"), "4");
}

TEST_F(TransformTest, IsSeenByLaterOperationsThatLookAtRows) {
  Start(absl::StrCat(kTables, "; INSERT INTO address VALUES (1, NULL)"), R"yaml(
  - transform: {table: contacts, where: id = 1, write: "UPDATE address SET line = address FROM batch WHERE contact = id", down: UPDATE address SET line = NULL}
  - set_not_null: {table: address, column: line}
)yaml");
  ASSERT_OK(compiled_);
  EXPECT_EQ(Stages(), 2);
  RunTo(v1::PHASE_DROP);
  ExpectDone();
}

TEST_F(TransformTest, WaitsForWhatThePlanFills) {
  constexpr char kAdd[] =
      "  - add_column: {table: contacts, column: full, type: text, up: \"name || '!'\"}\n";
  for (const char* transform : {"  - transform: {table: contacts, write: 'INSERT INTO address (contact, "
                                "line) SELECT id, \"full\" FROM "
                                "batch', irreversible: true}\n",
                                "  - transform: {table: contacts, where: '\"full\" IS NOT NULL', write: "
                                "'INSERT INTO address (contact) "
                                "SELECT id FROM batch', down: DELETE FROM address}\n"}) {
    Start(kTables, absl::StrCat(kAdd, transform));
    ASSERT_OK(compiled_) << transform;
    EXPECT_EQ(Stages(), 2) << transform;
    RunTo(v1::PHASE_DROP);
    ExpectDone();
    EXPECT_EQ(Ask("SELECT count(*) FROM address"), "5");
  }
  // What it does not name does not concern it; a column that nothing fills is there to be written.
  Start(kTables,
        absl::StrCat(kAdd, "  - add_column: {table: address, column: extra, type: text}\n",
                     "  - transform: {table: contacts, write: 'INSERT INTO address (contact, extra) SELECT "
                     "id, name FROM batch', down: DELETE FROM address}\n"));
  ASSERT_OK(compiled_);
  EXPECT_EQ(Stages(), 1);
  // A row as a whole has the new column, too.
  EXPECT_THAT(
      Refusal(kTables, absl::StrCat("  - transform: {table: contacts, write: 'INSERT INTO address (line) "
                                    "SELECT to_json(batch) FROM batch', down: DELETE FROM address}\n",
                                    kAdd)),
      AllOf(HasSubstr("public.contacts is added by the plan"), HasSubstr("name the columns")));
}

TEST_F(TransformTest, WalksByThePrimaryKeyOrByAnotherThatFits) {
  constexpr char kWrite[] = "write: INSERT INTO o SELECT FROM batch, irreversible: true}\n";
  constexpr char kIndexes[] =
      "CREATE TABLE o (); CREATE TABLE t (a int NOT NULL, b text NOT NULL, c int);"
      "CREATE UNIQUE INDEX a_partial ON t (a) WHERE c > 0; CREATE UNIQUE INDEX b_lower ON t (lower(b));"
      "CREATE UNIQUE INDEX c_null ON t (c); CREATE INDEX d_plain ON t (a);";
  EXPECT_THAT(Refusal(kIndexes, absl::StrCat("  - transform: {table: t, ", kWrite)),
              AllOf(HasSubstr("nothing by which its rows can be walked"), HasSubstr("primary key")));
  const std::string unique =
      absl::StrCat(kIndexes, "CREATE UNIQUE INDEX e_both ON t (b DESC, a) INCLUDE (c)");
  Start(unique, absl::StrCat("  - transform: {table: t, ", kWrite));
  ASSERT_OK(compiled_);
  EXPECT_THAT(Key(), ElementsAre("b", "a"));
  EXPECT_THAT(Refusal(unique, absl::StrCat("  - transform: {table: t, key: [a], ", kWrite)),
              AllOf(HasSubstr("no valid unique index"), HasSubstr("there are: [b, a]")));
  EXPECT_THAT(Refusal(unique, absl::StrCat("  - transform: {table: t, key: [nope], ", kWrite)),
              HasSubstr("nope"));
  const std::string primary = absl::StrCat(unique, "; ALTER TABLE t ADD CONSTRAINT z PRIMARY KEY (a)");
  Start(primary, absl::StrCat("  - transform: {table: t, ", kWrite));
  ASSERT_OK(compiled_);
  EXPECT_THAT(Key(), ElementsAre("a"));
  Start(primary, absl::StrCat("  - transform: {table: t, key: [a, b], ", kWrite));
  ASSERT_OK(compiled_);
  EXPECT_THAT(Key(), ElementsAre("b", "a"));
}

TEST_F(TransformTest, WaitsForAKeyThatThePlanBuilds) {
  Start("CREATE TABLE o (); CREATE TABLE t (a int NOT NULL)", R"yaml(
  - add_unique: {table: t, name: u, columns: [a]}
  - transform: {table: t, write: INSERT INTO o SELECT FROM batch, irreversible: true}
)yaml");
  ASSERT_OK(compiled_);
  EXPECT_EQ(Stages(), 2);
}

TEST_F(TransformTest, WritesTheTableThatItWalksOnlyWhereTheWalkIsNotDisturbed) {
  EXPECT_THAT(RefusedWrite("INSERT INTO contacts (id, code) SELECT id + 100, code FROM batch"),
              HasSubstr("whose rows are being walked"));
  EXPECT_THAT(
      RefusedWrite("UPDATE public.contacts AS c SET id = c.id + 100 FROM batch WHERE c.id = batch.id"),
      HasSubstr("by which the rows are walked"));
  Start(kTables,
        "  - transform: {table: contacts, irreversible: true, write: UPDATE contacts AS c SET name = "
        "c.address FROM "
        "batch WHERE c.id = batch.id}\n");
  ASSERT_OK(compiled_);
  EXPECT_THAT(Locks(), ElementsAre("public.contacts RowExclusiveLock"));
  EXPECT_THAT(Warnings(), ElementsAre(HasSubstr("transform writes public.contacts")));
}

TEST_F(TransformTest, SaysWhatADeleteReaches) {
  Start(absl::StrCat(kTables, "; CREATE TABLE child (r int REFERENCES address ON DELETE CASCADE)"),
        "  - transform: {table: contacts, irreversible: true, write: DELETE FROM address USING batch WHERE "
        "contact = "
        "id}\n");
  ASSERT_OK(compiled_);
  EXPECT_THAT(Warnings(), ElementsAre(HasSubstr("public.child")));
}

TEST_F(TransformTest, LooksWhetherAllRowsCanBeSeen) {
  Start(absl::StrCat(kTables,
                     "; ALTER TABLE contacts ENABLE ROW LEVEL SECURITY; CREATE TABLE names (id int, t text);"
                     "ALTER TABLE names ENABLE ROW LEVEL SECURITY"),
        "  - transform: {table: contacts, down: SELECT, write: INSERT INTO address SELECT id FROM batch JOIN "
        "names "
        "USING (id)}\n");
  ASSERT_OK(compiled_);
  std::vector<std::string> looks;
  for (const v1::Step& step : compiled_->steps()) {
    for (const v1::Check& check : step.action().verify().checks()) looks.push_back(check.description());
  }
  EXPECT_THAT(looks, AllOf(Contains(HasSubstr("row-level security of public.contacts")),
                           Contains(HasSubstr("row-level security of public.names")),
                           Contains(HasSubstr("no table inherits from public.contacts"))));
  EXPECT_THAT(Locks(), Contains("public.names AccessShareLock"));
}

TEST_F(TransformTest, RefusesWhatIsNotThere) {
  EXPECT_THAT(RefusedWrite("INSERT INTO nowhere SELECT id FROM batch"), HasSubstr("table public.nowhere"));
  EXPECT_THAT(RefusedWrite("INSERT INTO address (nope) SELECT id FROM batch"), HasSubstr("nope"));
  EXPECT_THAT(RefusedWrite("UPDATE address SET nope = 1 FROM batch"), HasSubstr("nope"));
  EXPECT_THAT(RefusedWrite("INSERT INTO address VALUES (1)"), HasSubstr("does not read `batch`"));
  EXPECT_THAT(
      Refusal(kTables,
              "  - transform: {table: contacts, where: nope > 1, irreversible: true, write: INSERT INTO "
              "address SELECT id FROM batch}\n"),
      HasSubstr("nope"));
}

TEST_F(TransformTest, HasAWayBackOrSaysThatThereIsNone) {
  constexpr char kWrite[] =
      "  - transform: {table: contacts, write: INSERT INTO address SELECT id FROM batch";
  EXPECT_THAT(Refusal(kTables, absl::StrCat(kWrite, "}\n")), HasSubstr("is required"));
  EXPECT_THAT(Refusal(kTables, absl::StrCat(kWrite, ", irreversible: true, down: DELETE FROM address}\n")),
              HasSubstr("leave out one"));
  EXPECT_THAT(Refusal(kTables, absl::StrCat(kWrite, ", down: DROP INDEX CONCURRENTLY i}\n")),
              HasSubstr("CONCURRENTLY"));
}

TEST_F(TransformTest, WalksAPartitionedTableByItsParentsKey) {
  Start(
      "CREATE TABLE t (r int, id bigint, v text, PRIMARY KEY (id, r)) PARTITION BY LIST (r);"
      "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE t2 PARTITION OF t FOR VALUES IN (2);"
      "INSERT INTO t VALUES (1, 1, 'a'), (2, 1, 'b'); CREATE TABLE o (v text)",
      "  - transform: {table: t, write: INSERT INTO o SELECT v FROM batch, down: TRUNCATE o}\n");
  ExpectLife();
  EXPECT_THAT(Key(), ElementsAre("id", "r"));
  EXPECT_EQ(Ask("SELECT string_agg(v, '' ORDER BY v) FROM o"), "ab");
  EXPECT_THAT(
      Refusal("CREATE TABLE t (id int PRIMARY KEY) PARTITION BY LIST (id);"
              "CREATE TABLE t1 PARTITION OF t FOR VALUES IN (1); CREATE TABLE o ()",
              "  - transform: {table: t1, write: INSERT INTO o SELECT FROM batch, down: TRUNCATE o}\n"),
      HasSubstr("name the parent"));
}

}  // namespace
}  // namespace curlew::operations
