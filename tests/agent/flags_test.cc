#include "agent/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

const char* NoEnvironment(const char*) { return nullptr; }

TEST(FlagsTest, ATargetHasANameAndAConnectionString) {
  ASSERT_OK_AND_ASSIGN(const TargetFlag target,
                       ParseTarget("staging-crm=host=db1 dbname=crm", NoEnvironment));
  EXPECT_EQ(target.name, "staging-crm");
  EXPECT_EQ(target.conninfo, "host=db1 dbname=crm");
}

TEST(FlagsTest, TheConnectionStringMayComeFromTheEnvironment) {
  const auto getenv = [](const char* name) -> const char* {
    return std::string(name) == "CURLEW_TARGET_STAGING_CRM" ? "dbname=crm" : nullptr;
  };
  ASSERT_OK_AND_ASSIGN(const TargetFlag target, ParseTarget("staging-crm", getenv));
  EXPECT_EQ(target.conninfo, "dbname=crm");
  EXPECT_THAT(ParseTarget("other", getenv),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("set CURLEW_TARGET_OTHER")));
}

TEST(FlagsTest, NeverShowsAConnectionString) {
  EXPECT_THAT(ParseTarget("Bad Name=password=hunter2", NoEnvironment),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("NAME=CONNINFO"), Not(HasSubstr("hunter2")))));
}

TEST(FlagsTest, ReadsTheCommandLine) {
  const std::vector<const char*> argv = {"curlew-agent",
                                         "--target",
                                         "a=dbname=a",
                                         "--target",
                                         "b=dbname=b",
                                         "--id",
                                         "me",
                                         "--pool-size",
                                         "7",
                                         "--pool-recycle",
                                         "5m",
                                         "--pool-pre-ping",
                                         "false",
                                         "--connect-timeout",
                                         "3s",
                                         "--report-row-keys",
                                         "--log-format",
                                         "json"};
  int exit_code = -1;
  const std::optional<Flags> flags = ParseFlags(static_cast<int>(argv.size()), argv.data(), &exit_code);
  ASSERT_TRUE(flags.has_value()) << exit_code;
  EXPECT_EQ(flags->targets.size(), 2u);
  EXPECT_EQ(flags->targets[1].name, "b");
  EXPECT_EQ(flags->id, "me");
  EXPECT_EQ(flags->pool.size, 7);
  EXPECT_EQ(flags->pool.recycle, absl::Minutes(5));
  EXPECT_FALSE(flags->pool.pre_ping);
  EXPECT_EQ(flags->pool.connect.connect_timeout, absl::Seconds(3));
  EXPECT_EQ(flags->row_keys, RowKeys::kReport);
  EXPECT_EQ(flags->log_format, base::LogFormat::kJson);
}

TEST(FlagsTest, ReadsTheThrottlesFile) {
  const std::string path = absl::StrCat(::testing::TempDir(), "/curlew-throttle-", getpid(), ".yaml");
  std::ofstream(path) << "limits: {replica_lag_ms: 500}\nmax_workers: 3\n";
  const std::vector<const char*> argv = {"curlew-agent", "--target",  "a=dbname=a",    "--throttle",
                                         path.c_str(),   "--metrics", "127.0.0.1:9187"};
  int exit_code = -1;
  const std::optional<Flags> flags = ParseFlags(static_cast<int>(argv.size()), argv.data(), &exit_code);
  ASSERT_TRUE(flags.has_value()) << exit_code;
  EXPECT_EQ(flags->throttle.limits.at("replica_lag_ms"), 500);
  EXPECT_EQ(flags->throttle.max_workers, 3);
  EXPECT_EQ(flags->metrics, "127.0.0.1:9187");
  std::ofstream(path) << "limits: {replica_lag: 500}\n";
  EXPECT_FALSE(ParseFlags(static_cast<int>(argv.size()), argv.data(), &exit_code).has_value());
  EXPECT_EQ(exit_code, 2);
  std::remove(path.c_str());
}

TEST(FlagsTest, ExplainsWhatIsWrong) {
  for (const std::vector<const char*>& argv : std::vector<std::vector<const char*>>{
           {"curlew-agent"},
           {"curlew-agent", "--target", "a=x", "--target", "a=y"},
           {"curlew-agent", "--target", "a=x", "--pool-timeout", "soon"},
           {"curlew-agent", "--target", "a=x", "--log-level", "loud"},
           {"curlew-agent", "--target", "a=x", "--throttle", "/no/such/file"},
           {"curlew-agent", "--target", "a=x", "--unknown"}}) {
    int exit_code = 0;
    EXPECT_FALSE(ParseFlags(static_cast<int>(argv.size()), argv.data(), &exit_code).has_value());
    EXPECT_NE(exit_code, 0);
  }
}

TEST(FlagsTest, HelpIsNoError) {
  const std::vector<const char*> argv = {"curlew-agent", "--help"};
  int exit_code = -1;
  EXPECT_FALSE(ParseFlags(2, argv.data(), &exit_code).has_value());
  EXPECT_EQ(exit_code, 0);
}

}  // namespace
}  // namespace curlew::agent
