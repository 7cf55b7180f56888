#include "agent/guard/signal_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "absl/strings/str_cat.h"
#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

// A reader whose clock goes on by what it is told.
class SignalReaderTest : public ::curlew::testing::PgTest {
 protected:
  void Open(const std::string& table, ThrottleConfig config = {}, const std::string& conninfo = "") {
    connection_ = Connect(conninfo.empty() ? database_ : conninfo);
    reader_ = std::make_unique<SignalReader>(std::move(config), table, absl::Milliseconds(250),
                                             [this] { return now_; });
    ASSERT_OK(reader_->Prepare(connection_.get()));
  }
  // One look at everything, a minute and a half after the one before unless told otherwise.
  void Look(absl::Duration later = absl::Seconds(90)) {
    now_ += later;
    ASSERT_OK(reader_->Look(connection_.get(), {}));
    ASSERT_OK(reader_->LookAtRest(connection_.get()));
  }
  const Signal& At(absl::string_view name) const {
    for (const Signal& signal : reader_->signals()) {
      if (signal.name == name) return signal;
    }
    static const Signal* const none = new Signal;
    ADD_FAILURE() << "no signal " << name;
    return *none;
  }
  bool Fresh(absl::string_view name) const { return now_ - At(name).read <= absl::Seconds(1); }

  const std::string database_ = NewDatabase();
  absl::Time now_ = absl::UnixEpoch();
  std::unique_ptr<pg::Connection> connection_;
  std::unique_ptr<SignalReader> reader_;
};

TEST_F(SignalReaderTest, ReadsEverySignalOfAPlainServer) {
  Query(database_, "CREATE TABLE t (id int)");
  Open("public.t", {.disk_path = "/"});
  Look();
  for (const Signal& signal : reader_->signals()) {
    EXPECT_TRUE(Fresh(signal.name)) << signal.name << ": " << signal.problem;
    EXPECT_EQ(signal.problem, "");
  }
  EXPECT_FALSE(At("lock_waiters").absent);
  EXPECT_FALSE(At("oldest_xmin_age").absent);
  EXPECT_TRUE(At("replica_lag_ms").absent);
  EXPECT_TRUE(At("archive_backlog").absent) << "archiving is off";
  EXPECT_GT(At("disk_used_fraction").value, 0);
  EXPECT_LT(At("disk_used_fraction").value, 1);
}

TEST_F(SignalReaderTest, CannotWriteAndHasATimeOut) {
  Open("");
  EXPECT_THAT(connection_->Execute("CREATE TABLE t (id int)").status(),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(connection_->Execute("SHOW statement_timeout")->Text(0, 0), "1s");
}

TEST_F(SignalReaderTest, SeesAllWithPgMonitorAndWithoutItOnlyWhoWaitsForUs) {
  const std::string role = NewRole("LOGIN"), monitor = NewRole("LOGIN IN ROLE pg_monitor");
  Open("", {}, AsUser(database_, monitor));
  Look();
  EXPECT_TRUE(reader_->sees_sessions());
  EXPECT_FALSE(At("active_sessions").absent);

  Query(database_, "CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
  Open("", {}, AsUser(database_, role));
  EXPECT_FALSE(reader_->sees_sessions());
  const auto ours = Connect(database_), waiting = Connect(database_);
  ASSERT_OK(ours->Execute("BEGIN; UPDATE t SET id = 2"));
  std::thread waiter([&] { (void)waiting->Execute("UPDATE t SET id = 3"); });
  do {
    now_ += absl::Seconds(1);
    ASSERT_OK(reader_->Look(connection_.get(), {ours->backend_pid()}));
  } while (At("lock_waiters").value != 1);
  EXPECT_TRUE(At("active_sessions").absent);
  EXPECT_TRUE(At("oldest_xmin_age").absent);
  EXPECT_OK(ours->Execute("ROLLBACK"));
  waiter.join();
}

TEST_F(SignalReaderTest, CountsDeadRowsOfATableAndItsPartitions) {
  Query(database_, R"(
      CREATE TABLE "Weird""Name" (id int) PARTITION BY RANGE (id);
      CREATE TABLE low PARTITION OF "Weird""Name" FOR VALUES FROM (0) TO (100) WITH (autovacuum_enabled = off);
      CREATE TABLE high PARTITION OF "Weird""Name" FOR VALUES FROM (100) TO (200) PARTITION BY RANGE (id);
      CREATE TABLE higher PARTITION OF high FOR VALUES FROM (100) TO (200) WITH (autovacuum_enabled = off);
      INSERT INTO "Weird""Name" SELECT generate_series(0, 199))");
  Open(R"(public."Weird""Name")");
  Look();
  EXPECT_FALSE(At("dead_rows_per_live_row").absent);
  EXPECT_EQ(At("dead_rows_per_live_row").value, 0);
  // As a walk does it once: one dead row for each. A session tells the server about it when it ends.
  Query(database_, R"(UPDATE "Weird""Name" SET id = id)");
  do {
    Look();
  } while (At("dead_rows_per_live_row").value < 1);
  EXPECT_EQ(At("dead_rows_per_live_row").value, 1);

  Query(database_, R"(DROP TABLE "Weird""Name")");
  Look();
  EXPECT_TRUE(At("dead_rows_per_live_row").absent);
  EXPECT_TRUE(At("autovacuum_on_table").absent);
}

TEST_F(SignalReaderTest, SeesAVacuumOfThePartitions) {
  Query(database_, R"(
      CREATE TABLE t (id int) PARTITION BY RANGE (id);
      CREATE TABLE low PARTITION OF t FOR VALUES FROM (0) TO (100000) WITH (autovacuum_enabled = off);
      INSERT INTO t SELECT generate_series(0, 50000); DELETE FROM t WHERE id % 2 = 0)");
  Open("t");
  Look();
  EXPECT_EQ(At("autovacuum_on_table").value, 0);
  const auto vacuum = Connect(database_);
  ASSERT_OK(vacuum->Execute("SET vacuum_cost_limit = 1; SET vacuum_cost_delay = 100"));
  std::thread vacuuming([&] { (void)vacuum->Execute("VACUUM low"); });
  do {
    Look();
  } while (At("autovacuum_on_table").value != 1);
  EXPECT_EQ(At("wraparound_vacuum_on_table").value, 0);
  Query(database_, absl::StrCat("SELECT pg_cancel_backend(", vacuum->backend_pid(), ")"));
  vacuuming.join();
}

TEST_F(SignalReaderTest, KnowsTheOldestSnapshotThatIsNotOurs) {
  const auto old = Connect(database_);
  ASSERT_OK(old->Execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1"));
  Query(database_,
        "DO $$ BEGIN FOR i IN 1 .. 500 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$");
  Open("");
  now_ += absl::Seconds(1);
  ASSERT_OK(reader_->Look(connection_.get(), {}));
  EXPECT_GE(At("oldest_xmin_age").value, 500);
}

TEST_F(SignalReaderTest, CountsTheCheckpointsOfTheLastMinute) {
  Open("");
  Look();
  EXPECT_EQ(At("requested_checkpoints_per_minute").value, 0);
  Query(database_, "CHECKPOINT; CHECKPOINT");
  do {
    Look(absl::Seconds(2));
  } while (At("requested_checkpoints_per_minute").value == 0);
}

TEST_F(SignalReaderTest, ACheckHasToReturnOneNumber) {
  Open("", {.checks = {{.name = "none", .sql = "SELECT 1 WHERE false", .limit = 1},
                       {.name = "null", .sql = "SELECT NULL", .limit = 1},
                       {.name = "text", .sql = "SELECT 'secret'", .limit = 1},
                       {.name = "nan", .sql = "SELECT 'NaN'::float8", .limit = 1},
                       {.name = "two", .sql = "SELECT * FROM (VALUES (1), (2)) AS v", .limit = 1},
                       {.name = "fine", .sql = "SELECT 1.5::numeric", .limit = 1}}});
  Look();
  for (const char* name : {"none", "null", "text", "nan", "two"}) {
    EXPECT_FALSE(Fresh(name)) << name;
    EXPECT_THAT(At(name).problem, HasSubstr("returned"));
  }
  EXPECT_EQ(At("text").problem.find("secret"), std::string::npos);
  EXPECT_TRUE(Fresh("fine"));
  EXPECT_EQ(At("fine").value, 1.5);
}

TEST_F(SignalReaderTest, ACheckIsMadeAsTheRoleOfChecks) {
  const std::string agent = NewRole(), check = NewRole("NOLOGIN");
  Query(database_, absl::StrCat("CREATE TABLE jobs (id int); GRANT SELECT ON jobs TO ", check));
  const ThrottleConfig config = {.checks = {{.name = "jobs", .sql = "SELECT count(*) FROM jobs", .limit = 1}},
                                 .check_role = check};
  Open("", config, AsUser(database_, agent));
  Look();
  EXPECT_FALSE(Fresh("jobs"));
  EXPECT_THAT(At("jobs").problem, HasSubstr(absl::StrCat("may not act as check_role ", check)));
  EXPECT_TRUE(Fresh("lock_waiters"));
  Query(database_, absl::StrCat("GRANT ", check, " TO ", agent));
  Look();
  EXPECT_TRUE(Fresh("jobs")) << At("jobs").problem;
}

TEST_F(SignalReaderTest, ADiskThatCannotBeReadIsSaid) {
  Open("", {.disk_path = "/no/such/path"});
  Look();
  EXPECT_FALSE(Fresh("disk_used_fraction"));
  EXPECT_THAT(At("disk_used_fraction").problem, HasSubstr("No such file or directory"));
}

}  // namespace
}  // namespace curlew::agent
