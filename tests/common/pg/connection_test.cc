#include "common/pg/connection.h"

#include <sys/socket.h>

#include <filesystem>
#include <future>
#include <map>
#include <set>
#include <thread>

#include "common/base/error_detail.h"
#include "common/pg/error.h"
#include "tests/support/pg_test.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::pg {
namespace {

using curlew::testing::Cluster;
using curlew::testing::IsOk;
using curlew::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class ConnectionTest : public curlew::testing::PgTest {
 protected:
  // Waits until the backend does what `condition` over pg_stat_activity says.
  void AwaitBackend(const std::string& db, int pid, const std::string& condition) {
    const std::string sql = absl::StrCat(
        "DO $$ BEGIN FOR i IN 1..2000 LOOP PERFORM pg_stat_clear_snapshot();"
        " IF EXISTS (SELECT FROM pg_stat_activity WHERE pid = ",
        pid, " AND ", condition,
        ") THEN RETURN; END IF; PERFORM pg_sleep(0.01); END LOOP; RAISE 'never'; END $$");
    Query(db, sql);
  }
  // The sockets that this process has open.
  static std::set<int> Sockets() {
    std::set<int> sockets;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
      if (target.rfind("socket:", 0) == 0) sockets.insert(std::stoi(entry.path().filename()));
    }
    return sockets;
  }
  // Ends a backend and waits until it is gone.
  void Terminate(const std::string& db, int pid) {
    EXPECT_EQ(Query(db, absl::StrCat("SELECT pg_terminate_backend(", pid, ", 20000)")), "t");
  }
};

TEST_F(ConnectionTest, PassesParametersAndNulls) {
  auto c = Connect(NewDatabase());
  ASSERT_OK_AND_ASSIGN(Result r,
                       c->Execute("SELECT $1::text, $2::text IS NULL, $3::int + 1, $4::text[]",
                                  {"it's \"q\" \\ ä", std::nullopt, "41", ArrayParam({"a,b", "\"", ""})}));
  EXPECT_EQ(r.Text(0, 0), "it's \"q\" \\ ä");
  EXPECT_TRUE(r.Bool(0, 1));
  EXPECT_EQ(r.Int(0, 2), 42);
  EXPECT_THAT(r.Array(0, 3), ElementsAre("a,b", "\"", ""));
  ASSERT_OK_AND_ASSIGN(r, c->Execute("SELECT ''::text AS empty, NULL AS nothing"));
  EXPECT_FALSE(r.IsNull(0, 0));
  EXPECT_TRUE(r.IsNull(0, 1));
  EXPECT_THAT(r.columns(), ElementsAre("empty", "nothing"));
}

TEST_F(ConnectionTest, CountsAffectedRowsAndReturnsTheLastResultOfSeveralStatements) {
  auto c = Connect(NewDatabase());
  ASSERT_OK_AND_ASSIGN(Result r,
                       c->Execute("CREATE TABLE t (i int); INSERT INTO t SELECT generate_series(1, 7)"));
  EXPECT_EQ(r.affected(), 7);
  ASSERT_OK_AND_ASSIGN(r, c->Execute("UPDATE t SET i = i WHERE i > $1", {"4"}));
  EXPECT_EQ(r.affected(), 3);
}

TEST_F(ConnectionTest, OutsideATransactionEachStatementCommitsAndConcurrentlyWorks) {
  const std::string db = NewDatabase("CREATE TABLE t (i int)");
  auto c = Connect(db);
  ASSERT_OK(c->Execute("INSERT INTO t VALUES (1)"));
  EXPECT_FALSE(c->in_transaction());
  EXPECT_EQ(Query(db, "SELECT count(*) FROM t"), "1");
  EXPECT_OK(c->Execute("CREATE INDEX CONCURRENTLY t_i ON t (i)"));
  EXPECT_OK(c->Execute("VACUUM t"));
}

TEST_F(ConnectionTest, SetsUpTheSession) {
  ASSERT_OK_AND_ASSIGN(auto c, Connection::Connect({.conninfo = NewDatabase() + " application_name=theirs",
                                                    .application_name = std::string(80, 'a'),
                                                    .statement_timeout = absl::Milliseconds(1500),
                                                    .idle_in_transaction_timeout = absl::Seconds(7)}));
  auto show = [&](const std::string& name) { return c->Execute("SHOW " + name)->Text(0, 0); };
  EXPECT_EQ(show("application_name"), std::string(63, 'a'));
  EXPECT_EQ(show("statement_timeout"), "1500ms");
  EXPECT_EQ(show("idle_in_transaction_session_timeout"), "7s");
  EXPECT_EQ(show("client_encoding"), "UTF8");
  EXPECT_EQ(c->Execute("SELECT pg_backend_pid()")->Int(0, 0), c->backend_pid());
  EXPECT_EQ(c->Execute("SHOW server_version_num")->Int(0, 0), c->server_version_num());
}

TEST_F(ConnectionTest, ResetDropsLocksAndSettingsAndSetsUpAnew) {
  const std::string db = NewDatabase();
  ASSERT_OK_AND_ASSIGN(auto c, Connection::Connect({.conninfo = db, .statement_timeout = absl::Seconds(9)}));
  ASSERT_OK(c->Execute("SELECT pg_advisory_lock(42)"));
  ASSERT_OK(c->Execute("SET statement_timeout = 1234; SET work_mem = '5MB'; CREATE TEMP TABLE tt (i int)"));
  ASSERT_OK(c->Reset());
  EXPECT_EQ(c->Execute("SHOW statement_timeout")->Text(0, 0), "9s");
  EXPECT_EQ(c->Execute("SELECT to_regclass('tt')")->Text(0, 0), "");
  EXPECT_EQ(Query(db, "SELECT pg_try_advisory_lock(42)"), "t");
  ASSERT_OK_AND_ASSIGN(auto t, Transaction::Begin(c.get()));
  EXPECT_FALSE(c->Reset().ok());
}

TEST_F(ConnectionTest, ErrorsCarryTheSqlstateAndNoDetail) {
  auto c = Connect(NewDatabase("CREATE TABLE t (secret text UNIQUE)"));
  auto undefined = c->Execute("SELECT * FROM nowhere");
  EXPECT_THAT(undefined,
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("relation \"nowhere\" does not exist")));
  EXPECT_EQ(Sqlstate(undefined.status()), "42P01");
  ASSERT_OK(c->Execute("INSERT INTO t VALUES ('hunter2')"));
  auto duplicate = c->Execute("INSERT INTO t VALUES ($1)", {"hunter2"});
  EXPECT_THAT(duplicate, StatusIs(absl::StatusCode::kAlreadyExists, Not(HasSubstr("hunter2"))));
  EXPECT_THAT(duplicate, StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("t_secret_key")));
  EXPECT_OK(c->Execute("SELECT 1")) << "the session goes on after an error";
}

TEST_F(ConnectionTest, ATransactionCommitsOrLeavesNothing) {
  const std::string db = NewDatabase("CREATE TABLE t (i int)");
  auto c = Connect(db);
  {
    ASSERT_OK_AND_ASSIGN(auto t, Transaction::Begin(c.get()));
    ASSERT_OK(t->Execute("INSERT INTO t VALUES (1)"));
    ASSERT_OK(c->Execute("INSERT INTO t VALUES (2)")) << "it is part of the transaction";
    EXPECT_TRUE(c->in_transaction());
    EXPECT_THAT(Transaction::Begin(c.get()), StatusIs(absl::StatusCode::kFailedPrecondition));
    EXPECT_EQ(Query(db, "SELECT count(*) FROM t"), "0");
    ASSERT_OK(t->Commit());
    EXPECT_THAT(t->Commit(), StatusIs(absl::StatusCode::kFailedPrecondition));
  }
  EXPECT_EQ(Query(db, "SELECT count(*) FROM t"), "2");
  {
    ASSERT_OK_AND_ASSIGN(auto t, Transaction::Begin(c.get()));
    ASSERT_OK(t->Execute("INSERT INTO t VALUES (3)"));
  }
  EXPECT_FALSE(c->in_transaction());
  EXPECT_EQ(Query(db, "SELECT count(*) FROM t"), "2");
}

TEST_F(ConnectionTest, ACommitAfterAFailedStatementIsNoSuccess) {
  const std::string db = NewDatabase("CREATE TABLE t (i int)");
  auto c = Connect(db);
  ASSERT_OK_AND_ASSIGN(auto t, Transaction::Begin(c.get()));
  ASSERT_OK(t->Execute("INSERT INTO t VALUES (1)"));
  EXPECT_FALSE(t->Execute("SELECT 1 / 0").ok());
  EXPECT_THAT(t->Commit(), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("division by zero")));
  EXPECT_EQ(Query(db, "SELECT count(*) FROM t"), "0");
  EXPECT_FALSE(c->in_transaction());
}

TEST_F(ConnectionTest, ACommitAfterAnErrorThatASavepointTookBackIsOne) {
  const std::string db = NewDatabase("CREATE TABLE t (i int)");
  auto c = Connect(db);
  ASSERT_OK_AND_ASSIGN(auto t, Transaction::Begin(c.get()));
  ASSERT_OK(t->Execute("INSERT INTO t VALUES (1)"));
  ASSERT_OK(t->Execute("SAVEPOINT s"));
  EXPECT_FALSE(t->Execute("SELECT 1 / 0").ok());
  ASSERT_OK(t->Execute("ROLLBACK TO s"));
  EXPECT_OK(t->Commit());
  EXPECT_EQ(Query(db, "SELECT count(*) FROM t"), "1");
}

TEST_F(ConnectionTest, ADeferredConstraintFailsTheCommit) {
  auto c = Connect(NewDatabase("CREATE TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)"));
  ASSERT_OK_AND_ASSIGN(auto t, Transaction::Begin(c.get()));
  ASSERT_OK(t->Execute("INSERT INTO t VALUES (1), (1)"));
  EXPECT_THAT(t->Commit(), StatusIs(absl::StatusCode::kAlreadyExists));
}

TEST_F(ConnectionTest, ASnapshotSeesOneMomentAndWritesNothing) {
  const std::string db = NewDatabase("CREATE TABLE t (i int)");
  auto c = Connect(db);
  ASSERT_OK_AND_ASSIGN(auto t, Transaction::Begin(c.get(), Transaction::Mode::kReadOnlySnapshot));
  EXPECT_EQ(t->Execute("SELECT count(*) FROM t")->Int(0, 0), 0);
  Query(db, "INSERT INTO t VALUES (1)");
  EXPECT_EQ(t->Execute("SELECT count(*) FROM t")->Int(0, 0), 0);
  EXPECT_EQ(Sqlstate(t->Execute("INSERT INTO t VALUES (2)").status()), "25006");
}

TEST_F(ConnectionTest, CancelEndsTheStatementAndNothingElse) {
  const std::string db = NewDatabase();
  auto c = Connect(db);
  c->Cancel();
  EXPECT_OK(c->Execute("SELECT 1")) << "there was nothing to cancel";
  auto slow = std::async(std::launch::async, [&] { return c->Execute("SELECT pg_sleep(60)"); });
  AwaitBackend(db, c->backend_pid(), "wait_event = 'PgSleep'");
  c->Cancel();
  const auto result = slow.get();
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kCancelled));
  EXPECT_EQ(Sqlstate(result.status()), "57014");
  EXPECT_OK(c->Execute("SELECT pg_sleep(0.01)"));
}

TEST_F(ConnectionTest, ACancelThatComesLateNeverMeetsTheNextStatement) {
  auto c = Connect(NewDatabase());
  std::atomic<bool> done = false;
  std::thread canceller([&] {
    while (!done) c->Cancel();
  });
  int ended = 0;
  for (int i = 0; i < 200; ++i) {
    const auto result = c->Execute("SELECT 1");
    if (!result.ok()) {
      // Each one that failed was cancelled while it was under way.
      EXPECT_THAT(result, StatusIs(absl::StatusCode::kCancelled));
      ++ended;
    }
  }
  done = true;
  canceller.join();
  EXPECT_OK(c->Execute("SELECT 1")) << ended << " were cancelled";
}

TEST_F(ConnectionTest, TimeoutsAreNoCancellations) {
  const std::string db = NewDatabase("CREATE TABLE t (i int)");
  auto c = Connect(db);
  ASSERT_OK(c->Execute("SET statement_timeout = '20ms'"));
  EXPECT_THAT(c->Execute("SELECT pg_sleep(60)"), StatusIs(absl::StatusCode::kDeadlineExceeded));
  auto other = Connect(db);
  ASSERT_OK_AND_ASSIGN(auto t, Transaction::Begin(other.get()));
  ASSERT_OK(t->Execute("LOCK TABLE t"));
  ASSERT_OK(c->Execute("SET statement_timeout = 0; SET lock_timeout = '20ms'"));
  const auto locked = c->Execute("SELECT * FROM t");
  EXPECT_THAT(locked, StatusIs(absl::StatusCode::kDeadlineExceeded));
  EXPECT_EQ(Sqlstate(locked.status()), "55P03");
}

TEST_F(ConnectionTest, ABrokenSessionIsNeverMadeAnew) {
  const std::string db = NewDatabase();
  auto c = Connect(db);
  ASSERT_TRUE(c->alive());
  Terminate(db, c->backend_pid());
  EXPECT_FALSE(c->alive()) << "seen without a round trip";
  EXPECT_THAT(c->Execute("SELECT 1"), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("was lost")));
  EXPECT_THAT(c->Execute("SELECT 1"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(Transaction::Begin(c.get()), StatusIs(absl::StatusCode::kUnavailable));
  c->Cancel();
}

TEST_F(ConnectionTest, ASessionThatDiesInAStatementSaysWhy) {
  const std::string db = NewDatabase();
  auto c = Connect(db);
  auto slow = std::async(std::launch::async, [&] { return c->Execute("SELECT pg_sleep(60)"); });
  AwaitBackend(db, c->backend_pid(), "wait_event = 'PgSleep'");
  Terminate(db, c->backend_pid());
  EXPECT_THAT(slow.get(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("terminating connection")));
  EXPECT_FALSE(c->alive());
}

TEST_F(ConnectionTest, ASessionThatIsCutOffWithoutAWordIsLostAndNoFaultOfTheStatement) {
  const std::string db = NewDatabase();
  const std::set<int> before = Sockets();
  auto c = Connect(db);
  auto slow = std::async(std::launch::async, [&] { return c->Execute("SELECT pg_sleep(60)"); });
  AwaitBackend(db, c->backend_pid(), "wait_event = 'PgSleep'");
  for (const int fd : Sockets()) {
    if (before.count(fd) == 0) shutdown(fd, SHUT_RDWR);
  }
  EXPECT_THAT(slow.get(), StatusIs(absl::StatusCode::kUnavailable, HasSubstr("was lost")));
  EXPECT_FALSE(c->alive());
}

TEST_F(ConnectionTest, ASessionThatDiesBeforeCommitHasRolledBackAndOneThatDiesInItIsInDoubt) {
  const std::string db = NewDatabase(R"(
      CREATE TABLE t (i int);
      CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
      CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
        WHEN (NEW.i = 2) EXECUTE FUNCTION slow();)");
  auto c = Connect(db);
  {
    ASSERT_OK_AND_ASSIGN(auto t, Transaction::Begin(c.get()));
    ASSERT_OK(t->Execute("INSERT INTO t VALUES (1)"));
    Terminate(db, c->backend_pid());
    EXPECT_THAT(t->Execute("SELECT 1"), StatusIs(absl::StatusCode::kUnavailable));
    EXPECT_THAT(t->Commit(), StatusIs(absl::StatusCode::kUnavailable));
  }
  c = Connect(db);
  ASSERT_OK_AND_ASSIGN(auto t, Transaction::Begin(c.get()));
  ASSERT_OK(t->Execute("INSERT INTO t VALUES (2)"));
  auto commit = std::async(std::launch::async, [&] { return t->Commit(); });
  AwaitBackend(db, c->backend_pid(), "wait_event = 'PgSleep'");
  Terminate(db, c->backend_pid());
  const absl::Status status = commit.get();
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss));
  EXPECT_EQ(BlameFor(status), Blame::kWorld);
}

TEST_F(ConnectionTest, SaysWhyItCannotConnect) {
  const std::string db = NewDatabase();
  const std::string tcp = Cluster::Get().TcpConninfo("postgres");
  auto connect = [](const std::string& conninfo) { return Connection::Connect({.conninfo = conninfo}); };
  EXPECT_OK(connect(tcp));
  const auto wrong = connect(tcp + " password=wrong");
  EXPECT_THAT(wrong,
              StatusIs(absl::StatusCode::kPermissionDenied, HasSubstr("password authentication failed")));
  EXPECT_EQ(Sqlstate(wrong.status()), "28P01");
  EXPECT_THAT(wrong, StatusIs(absl::StatusCode::kPermissionDenied, Not(HasSubstr("auth.c"))));
  // A user that has no password and is asked for one.
  std::string none = tcp;
  none.erase(none.find(" password="), none.find(" dbname") - none.find(" password="));
  EXPECT_THAT(connect(none), StatusIs(absl::StatusCode::kPermissionDenied));
  EXPECT_THAT(connect(Cluster::Get().Conninfo("no_such_database")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no_such_database")));
  EXPECT_THAT(connect(absl::StrCat("host=127.0.0.1 port=", curlew::testing::FreePort())),
              StatusIs(absl::StatusCode::kUnavailable, HasSubstr("Connection refused")));
  EXPECT_THAT(connect("host=/nonexistent"), StatusIs(absl::StatusCode::kUnavailable));
  const auto malformed = connect("host=x passwordhunter2");
  EXPECT_THAT(malformed, StatusIs(absl::StatusCode::kInvalidArgument, Not(HasSubstr("hunter2"))));
}

TEST_F(ConnectionTest, GivesUpOnAServerThatDoesNotAnswer) {
  // Listens and never accepts.
  const int port = curlew::testing::FreePort();
  ASSERT_OK_AND_ASSIGN(auto mute, curlew::testing::Process::Start(
                                      {.argv = {"python3", "-c",
                                                absl::StrCat("import socket,time\ns=socket.socket()\n"
                                                             "s.bind(('127.0.0.1',",
                                                             port,
                                                             "))\ns.listen()\nprint('up',flush=True)\n"
                                                             "time.sleep(100)")}}));
  ASSERT_OK(mute->WaitForOutput("up", absl::Seconds(20)));
  const auto result = Connection::Connect(
      {.conninfo = absl::StrCat("host=127.0.0.1 port=", port), .connect_timeout = absl::Seconds(1)});
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kUnavailable, HasSubstr("no answer")));
}

TEST_F(ConnectionTest, KnowsTheErrorsThatLibpqxxKeepsNoSqlstateOf) {
  const auto connection = Connect(NewDatabase());
  for (const auto& [sqlstate, code] :
       std::map<std::string, absl::StatusCode>{{"40001", absl::StatusCode::kAborted},
                                               {"40P01", absl::StatusCode::kAborted},
                                               {"42501", absl::StatusCode::kPermissionDenied}}) {
    const absl::Status status =
        connection
            ->Execute(absl::StrCat("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '", sqlstate, "'; END $$"))
            .status();
    EXPECT_THAT(status, StatusIs(code));
    EXPECT_EQ(Sqlstate(status), sqlstate);
    EXPECT_TRUE(connection->alive());
  }
}

}  // namespace
}  // namespace curlew::pg
