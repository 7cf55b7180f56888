// Backups, measurements and verifications of a plan, and the look before DROP, as SQL on a real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/common/operations/plan_test.h"

namespace curlew::compiler {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr char kSetup[] = R"sql(
CREATE TABLE people (id bigint PRIMARY KEY, a text, at timestamptz, x float8, raw bytea, d date, "Odd Name" text);
INSERT INTO people SELECT g, 'a' || g, '2026-01-01'::timestamptz + g * interval '1 hour', g / 3.0,
  decode(lpad(to_hex(g), 4, '0'), 'hex'), '2026-01-01'::date + g, NULLIF(g % 3, 0)::text FROM generate_series(1, 100) g;
)sql";

constexpr char kPlan[] = R"(
  - rename_column: {table: people, from: a, to: z, up: upper(a), down: lower(z)}
backup: {dump: {}, restore_point: {}}
verify:
  - {name: rows-kept, row_count: {table: people, where: id <= 100}}
  - {name: values-kept, checksum: {table: people, columns: [id, at, x, raw, d, Odd Name], where: id <= 100}}
  - {name: all-upper, query: {sql: SELECT count(*) FROM people WHERE z <> upper(z), expect: 0}}
  - {name: no-answer, query: {sql: SELECT NULL}}
)";

class SafetyRunTest : public operations::PlanTest {
 protected:
  // The first step whose key begins so.
  absl::Status RunStep(absl::string_view key) {
    for (const v1::Step& step : compiled_->steps()) {
      if (absl::StartsWith(step.key(), key)) return testing::RunAction(connection_.get(), step.action());
    }
    return absl::NotFoundError(key);
  }
  void StartAtTheGate(absl::string_view plan = kPlan) {
    Start(kSetup, plan);
    RunTo(v1::PHASE_CONSTRAIN);
  }
};

auto Finds(const std::string& what) {
  return StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(what));
}

TEST_F(SafetyRunTest, GoesAllTheWayAndBack) {
  Start(kSetup, kPlan);
  ExpectLife();
}

TEST_F(SafetyRunTest, NothingOfTheSessionsSettingsGetsIntoAChecksum) {
  StartAtTheGate();
  Run("SET DateStyle = 'SQL, DMY'; SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = -10;"
      " SET bytea_output = 'escape'; SET IntervalStyle = 'iso_8601'");
  EXPECT_THAT(RunStep("drop-verify"), IsOk());
}

TEST_F(SafetyRunTest, FindsARowMoreOrLess) {
  StartAtTheGate();
  Run("DELETE FROM people WHERE id = 7");
  EXPECT_THAT(RunStep("verify"), Finds("rows-kept"));
  EXPECT_THAT(RunStep("drop-verify"), Finds("rows-kept"));
  Run("INSERT INTO people SELECT 7, 'a7', '2026-01-01'::timestamptz + 7 * interval '1 hour', 7 / 3.0, "
      "'\\x0007',"
      " '2026-01-08', '1'");
  EXPECT_THAT(RunStep("verify"), IsOk()) << "the same row again";
  Run("INSERT INTO people (id, a) VALUES (101, 'new')");
  EXPECT_THAT(RunStep("verify"), IsOk()) << "`where` leaves it out";
}

TEST_F(SafetyRunTest, FindsAValueThatHasChanged) {
  StartAtTheGate();
  for (const char* change : {"x = x + 1e-12", "at = at + interval '1 microsecond'", "raw = '\\xff'",
                             "d = d + 1", "\"Odd Name\" = NULL"}) {
    Run(absl::StrCat("UPDATE people SET ", change, " WHERE id = 8"));
    EXPECT_THAT(RunStep("verify"), Finds("values-kept")) << change;
    Run("UPDATE people SET x = 8 / 3.0, at = '2026-01-01'::timestamptz + 8 * interval '1 hour', raw = "
        "'\\x0008',"
        " d = '2026-01-09', \"Odd Name\" = '2' WHERE id = 8");
    EXPECT_THAT(RunStep("verify"), IsOk()) << change;
  }
  // Two rows that exchange their values.
  Run("UPDATE people SET x = CASE id WHEN 8 THEN 9 ELSE 8 END / 3.0 WHERE id IN (8, 9)");
  EXPECT_THAT(RunStep("verify"), Finds("values-kept"));
}

TEST_F(SafetyRunTest, AnAnswerMustBeTheOneThatIsExpected) {
  StartAtTheGate(R"(
  - rename_column: {table: people, from: a, to: z}
verify: [{name: max, query: {sql: SELECT max(id) FROM people, expect: 100}}]
)");
  Run("INSERT INTO people (id) VALUES (101)");
  EXPECT_THAT(RunStep("verify"), Finds("max: 101, expected 100"));
  for (const auto& [sql, answer] : {std::make_pair("SELECT NULL", "NULL, expected 1"),
                                    std::make_pair("SELECT 1 WHERE false", "not one row"),
                                    std::make_pair("VALUES (1), (2)", "not one row")}) {
    Start(kSetup, absl::StrCat("  - create_index: {table: people, name: i, columns: [a]}\n",
                               "verify: [{name: v, query: {sql: '", sql, "', expect: 1}}]\n"));
    EXPECT_THAT(RunStep("verify"), Finds(answer)) << sql;
  }
}

// The hole that was: triggers disabled by hand while the rollout stood at its gate.
TEST_F(SafetyRunTest, LostTriggersAndRowsOutOfStepAreFoundBeforeTheOldShapeGoes) {
  StartAtTheGate();
  EXPECT_THAT(RunStep("drop-verify"), IsOk());
  Run("ALTER TABLE people DISABLE TRIGGER USER");
  EXPECT_THAT(RunStep("drop-verify"), Finds("~curlew_"));
  EXPECT_THAT(RunStep("drop-verify-2"), Finds("~curlew_")) << "after the wait";
  Run("UPDATE people SET a = 'lost' WHERE id = 42; INSERT INTO people (id, a) VALUES (102, 'pending')");
  Run("DO $$ DECLARE t text; BEGIN FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'people'::regclass"
      " AND NOT tgisinternal LOOP EXECUTE format('ALTER TABLE people ENABLE ALWAYS TRIGGER %I', t); END LOOP;"
      " END $$");
  // In force again; what was written meanwhile is out of step.
  EXPECT_THAT(RunStep("drop-verify"), AllOf(Finds("is still without its z"), Finds("(id)=(102)")));
  Run("UPDATE people SET d = '2026-01-01' WHERE id = 102");
  EXPECT_THAT(RunStep("drop-verify"), AllOf(Finds("a and z agree"), Finds("(id)=(42)")));
  Run("UPDATE people SET a = 'a42' WHERE id = 42");
  EXPECT_THAT(RunStep("drop-verify"), IsOk());
  Run("ALTER TABLE people ENABLE TRIGGER USER");
  EXPECT_THAT(RunStep("drop-verify"), Finds("does not fire always")) << "not for what a subscription applies";
}

TEST_F(SafetyRunTest, TriggersOfPartitionsFireAlwaysToo) {
  Start(R"sql(
CREATE TABLE p (id int PRIMARY KEY, a text) PARTITION BY HASH (id);
CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO p SELECT g, 'a' || g FROM generate_series(1, 20) g;
)sql",
        R"(
  - rename_column: {table: p, from: a, to: z}
verify: [{name: sum, checksum: {table: p, columns: [id]}}]
)");
  RunTo(v1::PHASE_CONSTRAIN);
  EXPECT_THAT(RunStep("drop-verify"), IsOk());
  Run("ALTER TABLE p1 DISABLE TRIGGER USER");
  EXPECT_THAT(RunStep("drop-verify"), Finds("does not fire always"));
}

}  // namespace
}  // namespace curlew::compiler
