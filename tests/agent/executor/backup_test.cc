#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "agent/backup/pg_dump.h"
#include "agent/journal/backup_journal.h"
#include "common/pg/conninfo.h"
#include "tests/agent/executor/executor_test.h"
#include "tests/support/process.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::Cluster;
using ::curlew::testing::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// Names that a pattern, a shell and SQL would each read in their own way.
constexpr char kOdd[] = R"("Odd $chema"."Weird""Na.me*")";

class BackupTest : public ExecutorTest {
 protected:
  void SetUp() override {
    std::string folder = "/tmp/curlew-backup-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    backups_.directory = folder_ + "/dumps";
    backups_.pg_dump = Cluster::Get().Program("pg_dump");
    ASSERT_NO_FATAL_FAILURE(Prepare(absl::StrCat(
        "CREATE TABLE contacts (id int PRIMARY KEY, phone text, photo bytea, seen timestamptz);"
        "INSERT INTO contacts SELECT g, CASE WHEN g % 7 = 0 THEN NULL ELSE E'ä\\t\\\\N' || g END,"
        " decode(md5(g::text), 'hex'), '2026-01-01Z'::timestamptz + make_interval(secs => g)"
        " FROM generate_series(1, 2000) g;"
        "CREATE TABLE contacts2 (id int);"
        "CREATE SCHEMA \"Odd $chema\"; CREATE TABLE ",
        kOdd, " (\"a b\" text); INSERT INTO ", kOdd,
        " VALUES ('x'), (NULL);"
        "CREATE TABLE \"Odd $chema\".\"Weird\"\"Name\" (z int);"
        "CREATE TABLE logs (id int, day int) PARTITION BY LIST (day);"
        "CREATE TABLE logs_1 PARTITION OF logs FOR VALUES IN (1);"
        "CREATE TABLE \"Logs 2\" PARTITION OF logs FOR VALUES IN (2);"
        "INSERT INTO logs SELECT g, g % 2 + 1 FROM generate_series(1, 100) g;")));
  }
  void TearDown() override {
    ExecutorTest::TearDown();
    std::filesystem::remove_all(folder_);
  }

  v1::Action Dump(const std::vector<std::string>& tables) {
    v1::Action action;
    for (const std::string& table : tables) action.mutable_backup()->mutable_dump()->add_tables(table);
    return action;
  }
  v1::Action Command(const std::string& name) {
    v1::Action action;
    action.mutable_backup()->mutable_command()->set_name(name);
    return action;
  }
  std::string File(const std::string& step, int attempt = 1) {
    return absl::StrCat(folder_, "/dumps/crm/r1-", step, "-", attempt, ".dump");
  }

  // A program that says that it is pg_dump of the server's version and runs `script`, with the file that it
  // is to write in $file.
  void FakePgDump(const std::string& script) {
    backups_.pg_dump = folder_ + "/pg_dump";
    std::ofstream(backups_.pg_dump)
        << "#!/bin/sh\nif [ \"$1\" = --version ]; then echo 'pg_dump (PostgreSQL) 99.1'; exit; fi\n"
        << "for a in \"$@\"; do case \"$a\" in --file=*) file=${a#--file=};; esac; done\n"
        << script << "\n";
    std::filesystem::permissions(backups_.pg_dump, std::filesystem::perms::owner_all);
  }
  std::string Script(const std::string& name, const std::string& script) {
    const std::string file = folder_ + "/" + name;
    std::ofstream(file) << "#!/bin/sh\n" << script << "\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file;
  }
  std::string Content(const std::string& name) {
    std::ifstream in(folder_ + "/" + name);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  pid_t AwaitPid(const std::string& name) {
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    int pid = 0;
    while (absl::Now() < deadline) {
      const std::string text = Content(name);
      if (!text.empty() && text.back() == '\n' && absl::SimpleAtoi(text, &pid)) return pid;
      absl::SleepFor(absl::Milliseconds(5));
    }
    ADD_FAILURE() << "no " << name;
    return -1;
  }
  static bool Gone(pid_t pid, absl::Duration wait) {
    const absl::Time deadline = absl::Now() + wait;
    while (true) {
      std::ifstream in(absl::StrCat("/proc/", pid, "/stat"));
      const std::string text((std::istreambuf_iterator<char>(in)), {});
      const size_t end = text.rfind(')');
      if (end == std::string::npos || text[end + 2] == 'Z') return true;
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
  }

  // What programs connect by, as a person's shell would have it.
  std::map<std::string, std::string> Environment(const std::string& conninfo) {
    std::map<std::string, std::string> variables;
    const auto given = pg::Environment(conninfo);
    EXPECT_TRUE(given.ok());
    if (!given.ok()) return variables;
    for (const auto& [name, value] : *given) variables[name] = value;
    const std::string pg_dump = Cluster::Get().Program("pg_dump");
    variables["PATH"] = absl::StrCat(pg_dump.substr(0, pg_dump.rfind('/')), ":", std::getenv("PATH"));
    return variables;
  }

  std::string folder_;
};

TEST_F(BackupTest, ADumpGivesBackTheSameRowsByTheCommandsOfItsHint) {
  const Outcome outcome = Run("add-1", Dump({"public.contacts", kOdd, "public.logs"}));
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  ASSERT_THAT(outcome.backups, SizeIs(1));
  const v1::BackupResult& backup = outcome.backups[0];
  EXPECT_EQ(backup.kind(), "dump");
  EXPECT_EQ(backup.location(), File("add-1"));
  struct stat file = {};
  ASSERT_EQ(stat(File("add-1").c_str(), &file), 0);
  EXPECT_EQ(file.st_size, backup.bytes());
  EXPECT_EQ(file.st_mode & 0777, 0600);
  ASSERT_EQ(stat((folder_ + "/dumps/crm").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0700);
  ASSERT_OK_AND_ASSIGN(const std::string sum, Process::Run({.argv = {"sha256sum", File("add-1")}}));
  EXPECT_EQ(sum.substr(0, 64), backup.sha256());
  EXPECT_THAT(outcome.summary, HasSubstr("5 tables dumped to "));  // with the partitions
  EXPECT_EQ(Journaled("add-1"), "succeeded");
  EXPECT_EQ(Sql("SELECT kind || ' ' || sha256 FROM curlew.backup WHERE step = 'add-1'"),
            absl::StrCat("dump ", backup.sha256()));

  // What a person does who reads it.
  const std::string restored = absl::StrCat("restored_", getpid());
  const std::string script = absl::StrReplaceAll(
      backup.restore_hint(), {{"createdb restored", absl::StrCat("createdb ", restored)},
                              {"--dbname=restored", absl::StrCat("--dbname=", restored)}});
  ASSERT_OK_AND_ASSIGN(const std::string said,
                       Process::Run({.argv = {"/bin/sh", "-ec", script},
                                     .env = Environment(Cluster::Get().Conninfo("postgres"))}));
  const std::string other = Cluster::Get().Conninfo(restored);
  for (const std::string& table : {std::string("contacts"), std::string(kOdd), std::string("logs")}) {
    const std::string rows = absl::StrCat(
        "SELECT count(*) || ' ' || md5(string_agg(t::text, E'\\n' ORDER BY t::text)) FROM ", table, " t");
    EXPECT_EQ(Query(other, rows), Sql(rows)) << table << said;
  }
  EXPECT_EQ(Query(other, "SELECT count(*) FROM pg_class WHERE relname IN ('contacts2', 'Weird\"Name')"), "0");
  Query(Cluster::Get().Conninfo("postgres"), absl::StrCat("DROP DATABASE ", restored, " WITH (FORCE)"));
}

TEST_F(BackupTest, AFileThatTheJournalKnowsIsNotMadeAgainUnlessItIsDamaged) {
  ASSERT_EQ(Run("add-1", Dump({"public.contacts"})).state, v1::ATTEMPT_STATE_SUCCEEDED);
  struct stat first = {}, second = {};
  ASSERT_EQ(stat(File("add-1").c_str(), &first), 0);
  const Outcome again = Run("add-1", Dump({"public.contacts"}));
  ASSERT_THAT(again.backups, SizeIs(1));
  EXPECT_THAT(again.summary, HasSubstr("was complete already"));
  ASSERT_EQ(stat(File("add-1").c_str(), &second), 0);
  EXPECT_EQ(first.st_ino, second.st_ino);
  EXPECT_EQ(first.st_mtim.tv_nsec, second.st_mtim.tv_nsec);

  std::ofstream(File("add-1"), std::ios::app) << "x";
  const Outcome mended = Run("add-1", Dump({"public.contacts"}));
  EXPECT_THAT(mended.summary, HasSubstr("1 table dumped"));
  ASSERT_THAT(mended.backups, SizeIs(1));
  EXPECT_EQ(mended.backups[0].location(), File("add-1", 3));
  EXPECT_EQ(std::filesystem::file_size(File("add-1", 3)), mended.backups[0].bytes());
}

TEST_F(BackupTest, AfterACrashBeforeTheCommitItIsMadeAnewInAFileOfItsOwn) {
  std::filesystem::create_directories(folder_ + "/dumps/crm");
  std::ofstream(File("add-1") + ".partial") << "of an earlier attempt";
  ASSERT_TRUE(Crash("backup.before_commit", 1, "add-1", Dump({"public.contacts"})));
  EXPECT_TRUE(std::filesystem::exists(File("add-1")));
  EXPECT_EQ(Journaled("add-1"), "");
  const Outcome outcome = Run("add-1", Dump({"public.contacts"}));
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.backups[0].location(), File("add-1", 2));
  EXPECT_FALSE(std::filesystem::exists(File("add-1", 2) + ".partial"));
  EXPECT_EQ(std::filesystem::file_size(File("add-1", 2)), outcome.backups[0].bytes());
}

TEST_F(BackupTest, NoSecretIsInArgumentsOrMessages) {
  // By a password, as in production.
  const std::string tcp = Cluster::Get().TcpConninfo("postgres");
  ASSERT_OK_AND_ASSIGN(const auto settings, pg::Environment(tcp));
  std::string password;
  for (const auto& [name, value] : settings) {
    if (name == "PGPASSWORD") password = value;
  }
  ASSERT_NE(password, "");
  takeover_.connect.conninfo = tcp;
  FakePgDump(absl::StrCat("printf '%s\\n' \"$@\" > ", folder_, "/arguments; env > ", folder_,
                          "/environment; echo \"cannot: $* $PGPASSWORD\" >&2; exit 1"));
  const Outcome outcome = Run("add-1", Dump({"public.contacts"}));
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_ERRORED);
  EXPECT_THAT(outcome.error.message(),
              AllOf(HasSubstr("pg_dump failed with exit code 1: cannot:"), Not(HasSubstr(password))));
  EXPECT_THAT(outcome.error.hint(), Not(HasSubstr(password)));
  EXPECT_THAT(Content("arguments"),
              AllOf(HasSubstr("--table=\"public\".\"contacts\"\n"), Not(HasSubstr(password))));
  EXPECT_THAT(Content("environment"), HasSubstr(absl::StrCat("PGPASSWORD=", password)));
  EXPECT_THAT(Content("environment"), HasSubstr("PGAPPNAME=curlew crm "));
  EXPECT_FALSE(std::filesystem::exists(File("add-1") + ".partial"));
  EXPECT_EQ(Journaled("add-1"), "");
}

TEST_F(BackupTest, ACancelKillsPgDumpWithinASecond) {
  FakePgDump(absl::StrCat("echo partial > \"$file\"; echo $$ > ", folder_, "/pid; exec sleep 300"));
  absl::Time cancelled;
  std::thread canceller([&] {
    AwaitPid("pid");
    cancelled = absl::Now();
    cancel_.Cancel("paused");
  });
  const Outcome outcome = Run("add-1", Dump({"public.contacts"}));
  canceller.join();
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_CANCELLED);
  EXPECT_LT(absl::Now() - cancelled, absl::Seconds(1));
  EXPECT_TRUE(Gone(AwaitPid("pid"), absl::ZeroDuration()));
  EXPECT_FALSE(std::filesystem::exists(File("add-1") + ".partial"));
}

TEST_F(BackupTest, PgDumpDiesWithTheAgent) {
  FakePgDump(absl::StrCat("echo $$ > ", folder_, "/pid; exec sleep 300"));
  const pid_t agent = Spawn("add-1", Dump({"public.contacts"}));
  const pid_t child = AwaitPid("pid");
  kill(agent, SIGKILL);
  waitpid(agent, nullptr, 0);
  EXPECT_TRUE(Gone(child, absl::Seconds(5)));
}

TEST_F(BackupTest, SaysWhatADumpLacks) {
  EXPECT_THAT(Run("add-1", Dump({"public.nothing"})).error.message(),
              HasSubstr("table public.nothing, which is to be dumped, does not exist"));
  backups_.directory = folder_ + "/file";
  std::ofstream(backups_.directory) << "x";
  const Outcome no_folder = Run("add-1", Dump({"public.contacts"}));
  EXPECT_EQ(no_folder.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(no_folder.error.message(), HasSubstr("Not a directory"));
  EXPECT_THAT(no_folder.error.hint(), HasSubstr("backups: directory"));
  backups_.directory = "";
  EXPECT_THAT(Run("add-1", Dump({"public.contacts"})).error.message(), HasSubstr("no folder for dumps"));
  backups_.directory = folder_ + "/dumps";
  const std::string role = NewRole("LOGIN");
  Sql(absl::StrCat("GRANT USAGE ON SCHEMA curlew TO ", role, "; GRANT ALL ON ALL TABLES IN SCHEMA curlew TO ",
                   role, "; GRANT pg_monitor TO ", role));
  takeover_.connect.conninfo = AsUser(conninfo_, role);
  pool_ = NewPool();
  const Outcome refused = Run("add-1", Dump({"public.contacts"}));
  EXPECT_EQ(refused.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(refused.error.message(), HasSubstr("may not read public.contacts"));
  EXPECT_THAT(refused.error.hint(), HasSubstr("GRANT SELECT ON public.contacts"));

  v1::Action point;
  point.mutable_backup()->mutable_restore_point();
  const Outcome no_right = Run("add-2", point);
  EXPECT_EQ(no_right.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(no_right.error.message(), HasSubstr("may not call pg_create_restore_point"));
  EXPECT_THAT(no_right.error.hint(), HasSubstr(absl::StrCat("TO ", role)));
  // The hint is right.
  Sql(absl::StrCat("GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO ", role));
  EXPECT_EQ(Run("add-2", point).state, v1::ATTEMPT_STATE_SUCCEEDED);
  Sql(absl::StrCat("DROP OWNED BY ", role));
}

TEST_F(BackupTest, ARestorePointHasANameOfItsAttempt) {
  v1::Action action;
  action.mutable_backup()->mutable_restore_point();
  const Outcome first = Run("add-1", action);
  ASSERT_EQ(first.state, v1::ATTEMPT_STATE_SUCCEEDED) << first.error.DebugString();
  ASSERT_THAT(first.backups, SizeIs(1));
  EXPECT_THAT(first.backups[0].location(),
              ::testing::MatchesRegex("curlew-r1-add-1-1 at [0-9A-F]+/[0-9A-F]+"));
  EXPECT_THAT(first.backups[0].restore_hint(), HasSubstr("recovery_target_name = 'curlew-r1-add-1-1'"));
  EXPECT_THAT(Run("add-1", action).backups[0].location(), HasSubstr("curlew-r1-add-1-2 at"));
  EXPECT_EQ(Sql("SELECT count(*) || max(kind) FROM curlew.backup"), "1restore-point");
  // Names of any length.
  const std::string step(200, 's');
  const std::string location = Run(step, action).backups[0].location();
  EXPECT_EQ(location.find(" at "), 63);
}

TEST_F(BackupTest, AnArchiveThatDoesNotWorkFails) {
  v1::Action action;
  *action.mutable_backup()->mutable_archive()->mutable_within() = base::ToProto(absl::Minutes(5));
  const Outcome outcome = Run("add-1", action);
  EXPECT_EQ(outcome.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(outcome.error.message(), HasSubstr("archive_mode is off"));
  EXPECT_THAT(outcome.error.hint(), HasSubstr("archive_mode = on"));
}

TEST_F(BackupTest, ACommandOfTheConfigurationRunsAsItStandsThere) {
  const std::string script =
      Script("snapshot", absl::StrCat("printf '%s\\n' \"$@\" > ", folder_, "/arguments; env > ", folder_,
                                      "/environment; echo making; echo 'snap-42 of zone b'; echo"));
  backups_.commands["snapshot"] = {.argv = {script, "a b", "$HOME", ""}};
  const Outcome outcome = Run("add-1", Command("snapshot"));
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  ASSERT_THAT(outcome.backups, SizeIs(1));
  EXPECT_EQ(outcome.backups[0].kind(), "snapshot");
  EXPECT_EQ(outcome.backups[0].location(), "snap-42 of zone b");
  EXPECT_EQ(Content("arguments"), "a b\n$HOME\n\n");
  EXPECT_THAT(Content("environment"),
              AllOf(HasSubstr("CURLEW_TARGET=crm\n"), HasSubstr("CURLEW_RUN=rollouts/r1/runs/crm\n"),
                    HasSubstr(absl::StrCat("CURLEW_DATABASE=", Sql("SELECT current_database()"))),
                    Not(HasSubstr("PGHOST="))));
  backups_.commands["snapshot"].connection = true;
  ASSERT_EQ(Run("add-2", Command("snapshot")).state, v1::ATTEMPT_STATE_SUCCEEDED);
  EXPECT_THAT(Content("environment"), AllOf(HasSubstr("PGHOST="), HasSubstr("PGDATABASE=")));
}

TEST_F(BackupTest, ACommandsSessionsBeginAsTheRoleOfChecks) {
  const std::string role = NewRole("NOLOGIN");
  backups_.role = absl::StrCat(role, " of\\checks");
  Sql(absl::StrCat("ALTER ROLE ", role, " RENAME TO \"", backups_.role, "\""));
  backups_.commands["who"] = {
      .argv = {::curlew::testing::Cluster::Get().Program("psql"), "-XAtc", "SELECT current_user"},
      .connection = true};
  const Outcome outcome = Run("add-1", Command("who"));
  Sql(absl::StrCat("ALTER ROLE \"", backups_.role, "\" RENAME TO ", role));
  ASSERT_EQ(outcome.state, v1::ATTEMPT_STATE_SUCCEEDED) << outcome.error.DebugString();
  EXPECT_EQ(outcome.backups[0].location(), backups_.role);
}

TEST_F(BackupTest, ACommandThatFailsIsTooLateOrUnknownSaysSo) {
  backups_.commands["broken"] = {.argv = {Script("broken", "seq 1 100 >&2; echo no room >&2; exit 7")}};
  const Outcome broken = Run("add-1", Command("broken"));
  EXPECT_EQ(broken.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(broken.error.message(),
              HasSubstr("backup command broken ended with exit code 7: 97 | 98 | 99 | 100 | no room"));
  backups_.commands["slow"] = {
      .argv = {Script("slow", absl::StrCat("sleep 300 & echo $! > ", folder_, "/pid; wait"))},
      .timeout = absl::Milliseconds(500)};
  const Outcome slow = Run("add-1", Command("slow"));
  EXPECT_EQ(slow.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(slow.error.message(), HasSubstr("longer than 500ms"));
  EXPECT_TRUE(Gone(AwaitPid("pid"), absl::Seconds(5)));
  const Outcome unknown = Run("add-1", Command("other"));
  EXPECT_EQ(unknown.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(unknown.error.message(), HasSubstr("no backup command \"other\"; it has broken, slow"));
  EXPECT_THAT(unknown.error.hint(), HasSubstr("commands: other: {argv"));
  EXPECT_EQ(Journaled("add-1"), "");
  EXPECT_EQ(Sql("SELECT count(*) FROM curlew.backup"), "0");
}

TEST_F(BackupTest, WhoWasReplacedJournalsNothing) {
  FakePgDump("echo x > \"$file\"");
  TakeOverByAnother();
  const Outcome outcome = Run("add-1", Dump({"public.contacts"}));
  EXPECT_TRUE(outcome.fenced_out) << outcome.error.DebugString();
  EXPECT_EQ(Sql("SELECT count(*) FROM curlew.backup"), "0");
}

}  // namespace
}  // namespace curlew::agent
