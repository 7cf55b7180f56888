#include "common/base/fault_point.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

namespace curlew::base {
namespace {

// A process of its own passes the place "here" twice, and another one once, with `spec` as CURLEW_FAULT, and
// ends with 0.
pid_t StartWith(const char* spec) {
  const pid_t child = fork();
  if (child != 0) return child;
  setenv("CURLEW_FAULT", spec, 1);
  FaultPoint("elsewhere");
  FaultPoint("here");
  FaultPoint("here");
  _exit(0);
}

int StatusWith(const char* spec) {
  int status = 0;
  EXPECT_GT(waitpid(StartWith(spec), &status, 0), 0);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

TEST(FaultPoint, EndsTheProcessAtThePassThatWasAskedFor) {
  EXPECT_EQ(StatusWith("here"), 137);
  EXPECT_EQ(StatusWith("here:2"), 137);
  EXPECT_EQ(StatusWith("here:3"), 0);
  EXPECT_EQ(StatusWith("nowhere"), 0);
  EXPECT_EQ(StatusWith(""), 0);
}

TEST(FaultPoint, FreezesTheProcessUntilItIsWoken) {
  const pid_t child = StartWith("here:2:freeze");
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, WUNTRACED), child);
  ASSERT_TRUE(WIFSTOPPED(status));
  ASSERT_EQ(kill(child, SIGCONT), 0);
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace curlew::base
