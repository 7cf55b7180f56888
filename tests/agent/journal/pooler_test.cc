// The real pgbouncer, which gives one backend to one connection after the other: an agent's locks and
// settings would be anybody's. It is refused with the reason, and the direct address works.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/journal/takeover.h"
#include "common/base/error_detail.h"
#include "tests/support/pg_test.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::Process;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

std::string PgBouncer() {
  for (const char* path : {"/usr/sbin/pgbouncer", "/usr/bin/pgbouncer"}) {
    if (std::filesystem::exists(path)) return path;
  }
  return "";
}

std::string Part(const std::string& conninfo, const std::string& name) {
  for (absl::string_view word : absl::StrSplit(conninfo, ' ')) {
    const std::pair<std::string, std::string> part = absl::StrSplit(word, absl::MaxSplits('=', 1));
    if (part.first == name) return part.second;
  }
  return "";
}

class PoolerTest : public ::curlew::testing::PgTest {
 protected:
  void SetUp() override {
    ASSERT_NE(PgBouncer(), "") << "pgbouncer is not installed: ./dev setup";
    conninfo_ = NewDatabase("CREATE TABLE t (a int)");
    char folder[] = "/var/tmp/curlew-pooler-XXXXXX";
    ASSERT_NE(mkdtemp(folder), nullptr);
    folder_ = folder;
    port_ = ::curlew::testing::FreePort();
  }
  void TearDown() override {
    pooler_.reset();
    (void)Process::Run({.argv = {"rm", "-rf", folder_}});
    PgTest::TearDown();
  }

  void StartPooler(const std::string& mode) {
    const std::string tcp = ::curlew::testing::Cluster::Get().TcpConninfo(Part(conninfo_, "dbname"));
    std::ofstream(folder_ + "/pgbouncer.ini")
        << "[databases]\n* = host=127.0.0.1 port=" << Part(tcp, "port")
        << " user=postgres password=" << Part(tcp, "password")
        << "\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = " << port_
        << "\nauth_type = any\npool_mode = " << mode
        << "\nunix_socket_dir =\nignore_startup_parameters = extra_float_digits,options\ndefault_pool_size = "
           "5\n";
    std::vector<std::string> argv;
    if (geteuid() == 0) {
      // It refuses to run as root.
      const passwd* owner = getpwnam("postgres");
      ASSERT_NE(owner, nullptr);
      ASSERT_EQ(chown(folder_.c_str(), owner->pw_uid, owner->pw_gid), 0);
      argv = {"env", "-C", "/", "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"};
    }
    argv.insert(argv.end(), {PgBouncer(), folder_ + "/pgbouncer.ini"});
    ASSERT_OK_AND_ASSIGN(pooler_, Process::Start({.argv = argv}));
    ASSERT_THAT(pooler_->WaitForOutput("process up", absl::Seconds(20)), IsOk()) << pooler_->output();
  }
  TakeoverOptions Through(const std::string& conninfo) {
    return {.connect = {.conninfo = conninfo}, .target = "crm", .agent_id = "agent", .instance_id = "one"};
  }
  std::string Pooled() {
    return absl::StrCat("host=127.0.0.1 port=", port_, " user=postgres dbname=", Part(conninfo_, "dbname"));
  }

  std::string conninfo_;
  std::string folder_;
  int port_ = 0;
  std::unique_ptr<Process> pooler_;
};

TEST_F(PoolerTest, AConnectionThroughATransactionPoolerIsRefusedAndTheDirectOneServes) {
  ASSERT_NO_FATAL_FAILURE(StartPooler("transaction"));
  ASSERT_EQ(Query(Pooled(), "SELECT count(*) FROM t"), "0");
  const absl::Status refused = TakeOver(Through(Pooled()), CancelToken()).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("goes through a pooler")));
  EXPECT_THAT(base::Detail(refused, base::kHint), HasSubstr("direct connection"));
  EXPECT_EQ(Query(conninfo_, "SELECT to_regnamespace('curlew') IS NULL"), "t");
  ASSERT_OK_AND_ASSIGN(const Tenure tenure, TakeOver(Through(conninfo_), CancelToken()));
  EXPECT_EQ(tenure.epoch, 1);
}

TEST_F(PoolerTest, ASessionPoolerIsRefusedTooForItsBackendsOutliveTheirConnections) {
  ASSERT_NO_FATAL_FAILURE(StartPooler("session"));
  EXPECT_THAT(TakeOver(Through(Pooled()), CancelToken()).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("goes through a pooler")));
}

}  // namespace
}  // namespace curlew::agent
