#include "tests/support/process.h"

#include <signal.h>
#include <sys/stat.h>

#include "tests/support/pg_test.h"
#include "tests/support/status_matchers.h"

namespace curlew::testing {
namespace {

using ::testing::HasSubstr;

ProcessOptions Shell(const std::string& script) { return {.argv = {"/bin/sh", "-c", script}}; }

TEST(ProcessTest, GivesExitStatusAndOutput) {
  ASSERT_OK_AND_ASSIGN(auto process, Process::Start(Shell("echo out; echo err >&2; exit 3")));
  EXPECT_THAT(process->Wait(absl::Seconds(20)), IsOkAndHolds(3));
  EXPECT_EQ(process->output(), "out\nerr\n");
  EXPECT_FALSE(process->running());
}

TEST(ProcessTest, PassesEnvironmentAndInput) {
  ProcessOptions options = Shell("echo \"$GREETING\"; cat");
  options.env["GREETING"] = "hello";
  options.input = "typed";
  EXPECT_THAT(Process::Run(options), IsOkAndHolds("hello\ntyped"));
}

TEST(ProcessTest, TellsAKilledProcessFromOneThatEnded) {
  ASSERT_OK_AND_ASSIGN(auto process, Process::Start(Shell("echo ready; exec sleep 100")));
  ASSERT_OK(process->WaitForOutput("ready", absl::Seconds(20)));
  EXPECT_TRUE(process->running());
  process->Kill(SIGKILL);
  EXPECT_THAT(process->Wait(absl::Seconds(20)), IsOkAndHolds(128 + SIGKILL));
}

TEST(ProcessTest, WaitsForOutputFromAnOffset) {
  ASSERT_OK_AND_ASSIGN(auto process, Process::Start(Shell("echo tick 1; echo tick 2; exec sleep 100")));
  ASSERT_OK_AND_ASSIGN(size_t first, process->WaitForOutput("tick [0-9]", absl::Seconds(20)));
  ASSERT_OK_AND_ASSIGN(size_t second, process->WaitForOutput("tick [0-9]", absl::Seconds(20), first));
  EXPECT_GT(second, first);
  EXPECT_THAT(process->WaitForOutput("tick 3", absl::Milliseconds(50)),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("tick 2")));
}

TEST(ProcessTest, SaysThatAProcessEndedBeforeItWroteWhatIsWaitedFor) {
  ASSERT_OK_AND_ASSIGN(auto process, Process::Start(Shell("echo broken config; exit 1")));
  EXPECT_THAT(process->WaitForOutput("ready", absl::Seconds(20)),
              StatusIs(absl::StatusCode::kAborted, HasSubstr("broken config")));
}

TEST(ProcessTest, KillsTheWholeGroupWhenItGoes) {
  ASSERT_OK_AND_ASSIGN(auto process, Process::Start(Shell("sleep 100 & echo child $!; wait")));
  ASSERT_OK(process->WaitForOutput("child [0-9]+\n", absl::Seconds(20)));
  const pid_t child = std::stoi(process->output().substr(6));
  EXPECT_EQ(kill(child, 0), 0);
  process.reset();
  // Killed; what is left until its new parent asks is a zombie ("Z").
  auto state =
      Process::Run(Shell("sed 's/.*) \\(.\\).*/\\1/' /proc/" + std::to_string(child) + "/stat || echo gone"));
  ASSERT_OK(state);
  EXPECT_THAT(*state, ::testing::AnyOf(HasSubstr("Z"), HasSubstr("X"), HasSubstr("gone")));
}

TEST(ProcessTest, NamesAProgramThatDoesNotExist) {
  EXPECT_THAT(Process::Start({.argv = {"/no/such/program"}}),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/program")));
}

TEST(ProcessTest, GivesPortsThatAreFree) { EXPECT_GT(FreePort(), 1024); }

class ClusterTest : public PgTest {};

TEST_F(ClusterTest, HasTheSettingsThatTestsRelyOn) {
  const std::string db = NewDatabase();
  EXPECT_EQ(Query(db, "SHOW wal_level"), "logical");
  EXPECT_EQ(Query(db, "SHOW max_connections"), "200");
  EXPECT_EQ(Query(db, "SHOW server_encoding"), "UTF8");
  EXPECT_EQ(Query(Cluster::Get().TcpConninfo("postgres"), "SELECT inet_server_addr() = '127.0.0.1'"), "t");
}

TEST_F(ClusterTest, GivesEachTestDatabasesAndRolesOfItsOwn) {
  const std::string one = NewDatabase("CREATE TABLE t (id int)");
  const std::string two = NewDatabase();
  EXPECT_EQ(Query(one, "SELECT to_regclass('t') IS NOT NULL"), "t");
  EXPECT_EQ(Query(two, "SELECT to_regclass('t') IS NULL"), "t");
  const std::string role = NewRole();
  EXPECT_EQ(Query(AsUser(one, role), "SELECT current_user"), role);
}

TEST_F(ClusterTest, DumpsTheSameTwice) {
  const std::string db =
      NewDatabase("CREATE TABLE t (id int); CREATE SCHEMA curlew; CREATE TABLE curlew.j (id int)");
  const std::string dump = PgDump(db);
  EXPECT_THAT(dump, HasSubstr("CREATE TABLE public.t"));
  EXPECT_THAT(dump, ::testing::Not(HasSubstr("curlew")));
  EXPECT_EQ(PgDump(db), dump);
}

TEST_F(ClusterTest, IsStartedAndStoppedByAScriptThatMayRunTwice) {
  const char* dir = getenv("TMPDIR") != nullptr ? getenv("TMPDIR") : "/tmp";
  const std::string file = std::string(dir) + "/curlew-cluster-test-" + std::to_string(getpid()) + ".env";
  auto script = [&](const std::string& action) {
    return Process::Run({.argv = {CURLEW_TEST_CLUSTER_SCRIPT, action, file}}, absl::Seconds(90));
  };
  EXPECT_THAT(script("start"), IsOkAndHolds(HasSubstr("started on port")));
  EXPECT_THAT(script("start"), IsOkAndHolds(HasSubstr("already running")));
  struct stat info;
  EXPECT_EQ(stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0077, 0u) << "it holds a password";
  EXPECT_THAT(script("stop"), IsOkAndHolds(HasSubstr("stopped")));
  EXPECT_NE(stat(file.c_str(), &info), 0);
  EXPECT_THAT(script("stop"), IsOkAndHolds(HasSubstr("stopped")));
  unlink((file + ".lock").c_str());
  unlink((file + ".users").c_str());
}

}  // namespace
}  // namespace curlew::testing
