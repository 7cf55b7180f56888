// An archive that works, breaks, and is recovered from: servers of this test's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/agent/executor/executor_test.h"
#include "tests/support/process.h"
#include "tests/support/standby.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::Cluster;
using ::curlew::testing::PrimaryAndStandby;
using ::curlew::testing::Process;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class ArchiveTest : public ExecutorTest {
 protected:
  // A shell of the servers' user.
  void Shell(const std::string& script) {
    std::vector<std::string> argv = {"env", "-C", "/"};
    if (geteuid() == 0) argv.insert(argv.end(), {"runuser", "-u", "postgres", "--"});
    argv.insert(argv.end(), {"/bin/sh", "-ec", script});
    ASSERT_OK(Process::Run({.argv = argv}).status()) << script;
  }
  static std::string HostOf(const std::string& conninfo) {
    const std::string rest = conninfo.substr(conninfo.find("host=") + 5);
    return rest.substr(0, rest.find(' '));
  }
  void Await(const std::string& condition) {
    const std::string sql = absl::StrCat("SELECT ", condition, " FROM pg_stat_archiver");
    const absl::Time deadline = absl::Now() + absl::Seconds(60);
    while (Sql(sql) != "t" && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(10));
    ASSERT_EQ(Sql(sql), "t") << condition;
  }
  // Ends a segment of WAL.
  void Switch() { Sql("CREATE TABLE IF NOT EXISTS filler (); DROP TABLE filler; SELECT pg_switch_wal()"); }

  std::unique_ptr<PrimaryAndStandby> servers_;
};

TEST_F(ArchiveTest, ARestorePointIsReachedByWhatItsHintSays) {
  ASSERT_OK_AND_ASSIGN(servers_, PrimaryAndStandby::Start());
  // What the standby has when it stops is the base backup.
  ASSERT_OK(servers_->StopStandby());
  const std::string base = HostOf(servers_->standby()), primary = HostOf(servers_->primary());
  conninfo_ = servers_->primary();
  const std::string wal = base + "/wal";
  ASSERT_NO_FATAL_FAILURE(Shell("mkdir " + wal));
  Sql("ALTER SYSTEM SET archive_mode = on");
  Sql(absl::StrCat("ALTER SYSTEM SET archive_command = 'cp %p ", wal, "/%f'"));
  ASSERT_NO_FATAL_FAILURE(Shell(
      absl::StrCat(Cluster::Get().Program("pg_ctl"), " -D ", primary, "/data -w restart > /dev/null 2>&1")));
  Sql("CREATE TABLE contacts AS SELECT generate_series(1, 10) AS id");
  ASSERT_NO_FATAL_FAILURE(Take(conninfo_));

  v1::Action archive;
  *archive.mutable_backup()->mutable_archive()->mutable_within() = base::ToProto(absl::Minutes(5));
  const Outcome early = Run("add-1", archive);
  EXPECT_EQ(early.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(early.error.message(), HasSubstr("no segment of WAL was archived"));
  EXPECT_THAT(early.error.hint(), HasSubstr("pg_switch_wal()"));
  Switch();
  ASSERT_NO_FATAL_FAILURE(Await("archived_count > 0"));
  const Outcome works = Run("add-1", archive);
  ASSERT_EQ(works.state, v1::ATTEMPT_STATE_SUCCEEDED) << works.error.DebugString();
  ASSERT_THAT(works.backups, SizeIs(1));
  EXPECT_EQ(works.backups[0].kind(), "archive");
  EXPECT_EQ(works.backups[0].location().size(), 24);
  archive.mutable_backup()->mutable_archive()->mutable_within()->set_seconds(0);
  EXPECT_THAT(Run("add-3", archive).error.message(), HasSubstr("ago; the plan allows "));

  v1::Action point;
  point.mutable_backup()->mutable_restore_point();
  const Outcome made = Run("add-2", point);
  ASSERT_EQ(made.state, v1::ATTEMPT_STATE_SUCCEEDED) << made.error.DebugString();
  Sql("DELETE FROM contacts");
  const std::string segment = Sql("SELECT pg_walfile_name(pg_current_wal_lsn())");
  Switch();
  ASSERT_NO_FATAL_FAILURE(Await(absl::StrCat("last_archived_wal >= '", segment, "'")));

  Sql("ALTER SYSTEM SET archive_command = 'false'");
  Sql("SELECT pg_reload_conf()");
  Switch();
  ASSERT_NO_FATAL_FAILURE(Await("failed_count > 0"));
  *archive.mutable_backup()->mutable_archive()->mutable_within() = base::ToProto(absl::Hours(1));
  const Outcome broken = Run("add-4", archive);
  EXPECT_EQ(broken.state, v1::ATTEMPT_STATE_FAILED);
  EXPECT_THAT(broken.error.message(), HasSubstr("archiving fails: segment "));

  // As the hint says.
  const std::string hint = made.backups[0].restore_hint();
  const std::vector<std::string> quoted = absl::StrSplit(hint, '\'');
  ASSERT_GE(quoted.size(), 4) << hint;
  EXPECT_THAT(quoted[0], HasSubstr("recovery_target_name = "));
  ASSERT_NO_FATAL_FAILURE(
      Shell(absl::StrCat("cd ", base,
                         "/data; rm standby.signal; touch recovery.signal; cat >> "
                         "postgresql.auto.conf <<'END'\nprimary_conninfo = ''\nprimary_slot_name = ''\n"
                         "restore_command = 'cp ",
                         wal, "/%f %p'\nrecovery_target_name = '", quoted[1], "'\nrecovery_target_action = '",
                         quoted[3], "'\nEND")));
  ASSERT_OK(servers_->StartStandby());
  const absl::Time deadline = absl::Now() + absl::Seconds(60);
  while (Query(servers_->standby(), "SELECT pg_is_in_recovery()") != "f" && absl::Now() < deadline)
    absl::SleepFor(absl::Milliseconds(10));
  EXPECT_EQ(Query(servers_->standby(), "SELECT count(*) FROM contacts"), "10");
  EXPECT_EQ(Sql("SELECT count(*) FROM contacts"), "0");
}

}  // namespace
}  // namespace curlew::agent
