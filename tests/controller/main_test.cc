// The binary itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::IsOkAndHolds;
using ::curlew::testing::Process;
using ::testing::HasSubstr;

class MainTest : public ::testing::Test {
 protected:
  MainTest() { std::filesystem::create_directory(folder_); }
  ~MainTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<Process> Start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {CURLEW_CONTROLLER, "--insecure"});
    auto process = Process::Start({.argv = std::move(arguments)});
    EXPECT_THAT(process, IsOk());
    return process.ok() ? *std::move(process) : nullptr;
  }

  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/curlew-main-test-", getpid());
};

TEST_F(MainTest, ServesAndEndsCleanlyOnSigterm) {
  auto controller =
      Start({"--listen", "127.0.0.1:0", "--store", folder_ + "/store.db", "--log-format", "json"});
  ASSERT_THAT(controller->WaitForOutput("\"message\":\"listening\",\"address\":\"127.0.0.1:[0-9]+\"",
                                        absl::Seconds(20)),
              IsOk());
  controller->Kill(SIGTERM);
  EXPECT_THAT(controller->Wait(absl::Seconds(20)), IsOkAndHolds(0)) << controller->output();
  auto again = Start({"--listen", "127.0.0.1:0", "--store", folder_ + "/store.db"});
  ASSERT_THAT(again->WaitForOutput("listening", absl::Seconds(20)), IsOk());
  again->Kill(SIGINT);
  EXPECT_THAT(again->Wait(absl::Seconds(20)), IsOkAndHolds(0));
}

TEST_F(MainTest, RefusesAnAddressThatOthersReachAndSaysWhy) {
  auto controller = Start({"--listen", "0.0.0.0:7441", "--store", folder_ + "/store.db"});
  EXPECT_THAT(controller->Wait(absl::Seconds(20)), IsOkAndHolds(1));
  EXPECT_THAT(controller->output(), HasSubstr("plain text"));
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/store.db"));
}

TEST_F(MainTest, ASecondOneOnTheSameFileStandsByAndLeadsWhenTheFirstIsGone) {
  const std::vector<std::string> arguments = {"--listen", "127.0.0.1:0", "--store", folder_ + "/store.db"};
  auto first = Start(arguments);
  ASSERT_THAT(first->WaitForOutput("listening.*role=leader", absl::Seconds(20)), IsOk());
  auto second = Start(arguments);
  ASSERT_THAT(second->WaitForOutput("stands by leader=127.0.0.1:[0-9]+", absl::Seconds(20)), IsOk());
  ASSERT_THAT(second->WaitForOutput("listening.*role=standby", absl::Seconds(20)), IsOk());
  first->Kill(SIGKILL);
  ASSERT_THAT(second->WaitForOutput("leads epoch=2", absl::Seconds(20)), IsOk());
  auto third = Start(arguments);
  ASSERT_THAT(third->WaitForOutput("listening.*role=standby", absl::Seconds(20)), IsOk());
  second->Kill(SIGTERM);
  ASSERT_THAT(third->WaitForOutput("leads epoch=3", absl::Seconds(20)), IsOk());
  EXPECT_THAT(second->Wait(absl::Seconds(20)), IsOkAndHolds(0));
  third->Kill(SIGTERM);
  EXPECT_THAT(third->Wait(absl::Seconds(20)), IsOkAndHolds(0)) << third->output();
}

TEST_F(MainTest, RefusesStoresThatItCannotHaveWithoutShowingAPassword) {
  auto controller = Start({"--listen", "127.0.0.1:0", "--store", "mysql://me:secret@db/x"});
  EXPECT_THAT(controller->Wait(absl::Seconds(20)), IsOkAndHolds(2));
  EXPECT_THAT(controller->output(), ::testing::Not(HasSubstr("secret")));
}

TEST_F(MainTest, RefusesTimesThatMakeNoSense) {
  auto controller = Start({"--lease-time", "soon"});
  EXPECT_THAT(controller->Wait(absl::Seconds(20)), IsOkAndHolds(2));
  EXPECT_THAT(controller->output(), HasSubstr("--lease-time: \"soon\" is no duration"));
  auto often = Start({"--drift-interval", "often"});
  EXPECT_THAT(often->Wait(absl::Seconds(20)), IsOkAndHolds(2));
  EXPECT_THAT(often->output(), HasSubstr("--drift-interval: \"often\" is no duration"));
  auto hasty = Start({"--leader-lease", "900ms"});
  EXPECT_THAT(hasty->Wait(absl::Seconds(20)), IsOkAndHolds(2));
  EXPECT_THAT(hasty->output(), HasSubstr("--leader-lease"));
  auto late = Start({"--call-deadline", "soon"});
  EXPECT_THAT(late->Wait(absl::Seconds(20)), IsOkAndHolds(2));
  EXPECT_THAT(late->output(), HasSubstr("--call-deadline: \"soon\" is no duration"));
  for (const std::string rate : {"often", "-1/s", "5/min", "nan"}) {
    auto flood = Start({"--rate-limit=" + rate});
    EXPECT_THAT(flood->Wait(absl::Seconds(20)), IsOkAndHolds(2)) << rate;
    EXPECT_THAT(flood->output(), HasSubstr("--rate-limit")) << rate;
  }
  auto too_short = Start({"--lease-time", "1s", "--heartbeat-interval", "900ms"});
  EXPECT_THAT(too_short->Wait(absl::Seconds(20)), IsOkAndHolds(2));
}

TEST_F(MainTest, WrongUsageIsTwo) {
  const std::vector<std::vector<std::string>> wrong = {
      {"--nonsense"}, {"store"}, {"store", "bogus"}, {"store", "backup"}, {"--log-level", "loud"}};
  for (const std::vector<std::string>& arguments : wrong) {
    auto controller = Start(arguments);
    EXPECT_THAT(controller->Wait(absl::Seconds(20)), IsOkAndHolds(2)) << absl::StrJoin(arguments, " ");
    EXPECT_THAT(controller->output(), HasSubstr("--help")) << absl::StrJoin(arguments, " ");
  }
}

TEST_F(MainTest, SaysWhichStoreCannotBeOpened) {
  auto controller = Start({"--listen", "127.0.0.1:0", "--store", folder_ + "/nosuch/store.db"});
  EXPECT_THAT(controller->Wait(absl::Seconds(20)), IsOkAndHolds(1));
  EXPECT_THAT(controller->output(), HasSubstr("nosuch/store.db"));
}

TEST_F(MainTest, ShowsItsVersionAndHelpWithExamples) {
  EXPECT_THAT(Process::Run({.argv = {CURLEW_CONTROLLER, "--version"}}),
              IsOkAndHolds(HasSubstr("curlew-controller ")));
  EXPECT_THAT(Process::Run({.argv = {CURLEW_CONTROLLER, "--help"}}), IsOkAndHolds(HasSubstr("Examples:")));
}

}  // namespace
}  // namespace curlew
