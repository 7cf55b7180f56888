#include "agent/flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

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

TEST(FlagsTest, ExplainsWhatIsWrong) {
  for (const std::vector<const char*>& argv :
       std::vector<std::vector<const char*>>{{"curlew-agent"},
                                             {"curlew-agent", "--target", "a=x", "--target", "a=y"},
                                             {"curlew-agent", "--target", "a=x", "--pool-timeout", "soon"},
                                             {"curlew-agent", "--target", "a=x", "--log-level", "loud"},
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
