#include "agent/backup/child_process.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

// A folder of the test's own.
class ChildProcessTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = "/tmp/curlew-child-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  ChildOptions Shell(const std::string& script) const {
    return {.argv = {"/bin/sh", "-c", script}, .environment = {{"PATH", "/usr/bin:/bin"}}};
  }
  // The number in a file, once it is there.
  pid_t AwaitPid(const std::string& file) const {
    const absl::Time deadline = absl::Now() + absl::Seconds(30);
    while (absl::Now() < deadline) {
      std::ifstream in(folder_ + "/" + file);
      std::string line;
      int pid = 0;
      if (std::getline(in, line) && in.good() && absl::SimpleAtoi(line, &pid)) return pid;
      absl::SleepFor(absl::Milliseconds(5));
    }
    ADD_FAILURE() << "no " << file;
    return -1;
  }
  // Whether the process has ended, within `wait`. One that nobody reaps counts as ended.
  static bool Gone(pid_t pid, absl::Duration wait) {
    const absl::Time deadline = absl::Now() + wait;
    while (true) {
      std::ifstream in(absl::StrCat("/proc/", pid, "/stat"));
      std::string text((std::istreambuf_iterator<char>(in)), {});
      const size_t end = text.rfind(')');
      if (end == std::string::npos || text[end + 2] == 'Z') return true;
      if (absl::Now() > deadline) return false;
      absl::SleepFor(absl::Milliseconds(5));
    }
  }

  std::string folder_;
  CancelToken cancel_;
};

TEST_F(ChildProcessTest, GivesBackWhatWasSaidAndTheExitStatus) {
  ASSERT_OK_AND_ASSIGN(const ChildResult result, RunChild(Shell("echo out; echo err >&2; exit 3"), cancel_));
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  ASSERT_OK_AND_ASSIGN(const ChildResult killed, RunChild(Shell("kill -9 $$"), cancel_));
  EXPECT_EQ(killed.exit_code, 137);
  EXPECT_EQ(killed.LastWords(), "it said nothing");
}

TEST_F(ChildProcessTest, KeepsTheBeginningOfTheOutputAndTheEndOfTheErrors) {
  ChildOptions options = Shell("seq 1 100000; seq 1 100000 >&2");
  options.output_bytes = 100;
  ASSERT_OK_AND_ASSIGN(const ChildResult result, RunChild(options, cancel_));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.output.substr(0, 6), "1\n2\n3\n");
  EXPECT_EQ(result.output.size(), 100);
  EXPECT_THAT(result.errors, ::testing::EndsWith("99999\n100000\n"));
  EXPECT_EQ(result.LastWords(2), "99999 | 100000");
}

TEST_F(ChildProcessTest, HasTheEnvironmentThatItIsGivenAndNoFileOfTheAgents) {
  // Not CLOEXEC, as a library may have left it.
  const int first = open("/etc/passwd", O_RDONLY);
  const int open_file = fcntl(first, F_DUPFD, 50);
  close(first);
  ChildOptions options = Shell("env | sort; ls -l /proc/$$/fd | grep -c passwd; umask; cat");
  options.environment["SECRET"] = "a b";
  ASSERT_OK_AND_ASSIGN(const ChildResult result, RunChild(options, cancel_));
  close(open_file);
  EXPECT_THAT(result.output, HasSubstr("SECRET=a b\n"));
  EXPECT_THAT(result.output, ::testing::Not(HasSubstr("HOME=")));
  EXPECT_THAT(result.output, HasSubstr("\n0\n0077\n"));
}

TEST_F(ChildProcessTest, StartsWithSignalsAsUsual) {
  // As the agent has them.
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto pipe_before = signal(SIGPIPE, SIG_IGN);
  const auto result = RunChild(Shell("grep -E 'SigBlk|SigIgn' /proc/self/status"), cancel_);
  signal(SIGPIPE, pipe_before);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ASSERT_OK(result.status());
  EXPECT_EQ(result->output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(ChildProcessTest, WhatCannotBeStartedSaysWhy) {
  EXPECT_THAT(RunChild({.argv = {"/no/such/program"}}, cancel_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("/no/such/program cannot be started")));
  EXPECT_THAT(RunChild({.argv = {"/etc/passwd"}}, cancel_), StatusIs(absl::StatusCode::kPermissionDenied));
  const std::string file = folder_ + "/no-format";
  std::ofstream(file) << "\x01\x02";
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  EXPECT_THAT(RunChild({.argv = {file}}, cancel_), StatusIs(absl::StatusCode::kFailedPrecondition));
}

TEST_F(ChildProcessTest, ATimeOutKillsTheWholeGroup) {
  ChildOptions options =
      Shell(absl::StrCat("sleep 300 & echo $! > ", folder_, "/grandchild; echo begun >&2; wait"));
  options.timeout = absl::Milliseconds(300);
  const absl::Time began = absl::Now();
  EXPECT_THAT(RunChild(options, cancel_),
              StatusIs(absl::StatusCode::kDeadlineExceeded, HasSubstr("longer than 300ms: begun")));
  EXPECT_LT(absl::Now() - began, absl::Seconds(5));
  EXPECT_TRUE(Gone(AwaitPid("grandchild"), absl::Seconds(5)));
}

TEST_F(ChildProcessTest, ACancelKillsTheWholeGroupWithinASecond) {
  std::thread canceller([&] {
    AwaitPid("grandchild");
    cancel_.Cancel("an operator paused it");
  });
  const auto result = RunChild(
      Shell(absl::StrCat("trap '' TERM; sleep 300 & echo $! > ", folder_, "/grandchild; wait")), cancel_);
  canceller.join();
  EXPECT_THAT(result, StatusIs(absl::StatusCode::kCancelled, HasSubstr("paused")));
  EXPECT_TRUE(Gone(AwaitPid("grandchild"), absl::Seconds(1)));
}

// A program that leaves something behind, which holds its output open, has ended all the same.
TEST_F(ChildProcessTest, WhatIsLeftBehindIsNotWaitedFor) {
  const absl::Time began = absl::Now();
  ASSERT_OK_AND_ASSIGN(
      const ChildResult result,
      RunChild(Shell(absl::StrCat("sleep 300 & echo $! > ", folder_, "/left; echo done")), cancel_));
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.output, "done\n");
  EXPECT_LT(absl::Now() - began, absl::Seconds(10));
  EXPECT_TRUE(Gone(AwaitPid("left"), absl::Seconds(5)));
}

TEST_F(ChildProcessTest, DiesWithTheAgent) {
  const pid_t agent = fork();
  if (agent == 0) {
    const auto result =
        RunChild(Shell(absl::StrCat("echo $$ > ", folder_, "/child; exec sleep 300")), cancel_);
    _exit(result.ok() ? 0 : 1);
  }
  const pid_t child = AwaitPid("child");
  ASSERT_GT(child, 0);
  kill(agent, SIGKILL);
  waitpid(agent, nullptr, 0);
  EXPECT_TRUE(Gone(child, absl::Seconds(5)));
}

TEST_F(ChildProcessTest, TheAgentsOwnVariablesStayWithIt) {
  setenv("CURLEW_TARGET_CRM", "password=secret", 1);
  setenv("PGPASSWORD", "secret", 1);
  setenv("OTHER", "x", 1);
  const auto without = ChildEnvironment(PgVariables::kLeftOut);
  EXPECT_FALSE(without.contains("CURLEW_TARGET_CRM"));
  EXPECT_FALSE(without.contains("PGPASSWORD"));
  EXPECT_TRUE(without.contains("OTHER"));
  const auto with = ChildEnvironment(PgVariables::kKept);
  EXPECT_FALSE(with.contains("CURLEW_TARGET_CRM"));
  EXPECT_TRUE(with.contains("PGPASSWORD"));
  unsetenv("CURLEW_TARGET_CRM");
  unsetenv("PGPASSWORD");
}

}  // namespace
}  // namespace curlew::agent
