#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::Process;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// What the controller's binary says, and its exit code.
class AuditKeyCommandTest : public ::testing::Test {
 protected:
  AuditKeyCommandTest() { std::filesystem::create_directory(folder_); }
  ~AuditKeyCommandTest() override { std::filesystem::remove_all(folder_); }

  std::string Run(std::vector<std::string> arguments, int exit_code) {
    arguments.insert(arguments.begin(), CURLEW_CONTROLLER);
    auto process = Process::Start({.argv = std::move(arguments)});
    EXPECT_THAT(process, IsOk());
    const auto code = (*process)->Wait(absl::Seconds(20));
    EXPECT_EQ(code.value_or(-1), exit_code) << (*process)->output();
    return (*process)->output();
  }
  std::string File(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  std::vector<std::string> Serve(const std::string& flag, const std::string& value) {
    return {"--insecure", "--listen", "127.0.0.1:0", "--store", folder_ + "/store.db", flag, value};
  }

  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/curlew-audit-key-", getpid());
};

TEST_F(AuditKeyCommandTest, MakesAKeyThatTheControllerTakesAndOverwritesNothing) {
  const std::string key = folder_ + "/audit.key";
  const std::string made = Run({"audit-key", key}, 0);
  EXPECT_THAT(made, AllOf(HasSubstr(key + ".pub"), HasSubstr("key id:")));
  EXPECT_THAT(Run({"audit-key", key}, 1), HasSubstr("it is not overwritten"));
  Run({"audit-key"}, 2);
  auto serving = Process::Start({.argv = {CURLEW_CONTROLLER, "--insecure", "--listen", "127.0.0.1:0",
                                          "--store", folder_ + "/store.db", "--audit-key", key}});
  ASSERT_THAT(serving, IsOk());
  const std::string id = made.substr(made.size() - 65, 64);
  EXPECT_THAT((*serving)->WaitForOutput(absl::StrCat("key_id=", id, "[^]*listening"), absl::Seconds(20)),
              IsOk());
}

TEST_F(AuditKeyCommandTest, AKeyThatCannotBeReadKeepsTheControllerFromStarting) {
  EXPECT_THAT(Run(Serve("--audit-key", folder_ + "/none"), 1), HasSubstr("/none cannot be read"));
  EXPECT_THAT(Run(Serve("--audit-key", File("text", "hunter2")), 2),
              AllOf(HasSubstr("audit-key FILE makes one"), Not(HasSubstr("hunter2"))));
}

TEST_F(AuditKeyCommandTest, SinksThatAreWrongKeepTheControllerFromStarting) {
  EXPECT_THAT(Run(Serve("--notifications", File("sinks.yaml", "sinks:\n  - {name: a, colour: red}\n")), 2),
              HasSubstr("sinks.yaml:2:15: unknown key \"colour\""));
  EXPECT_THAT(Run(Serve("--notifications", folder_ + "/none.yaml"), 1),
              HasSubstr("none.yaml cannot be read"));
}

}  // namespace
}  // namespace curlew
