// What tests of common/pki have in common: a folder, the program `openssl`, a death at any moment.
#ifndef CURLEW_TESTS_COMMON_PKI_SUPPORT_H_
#define CURLEW_TESTS_COMMON_PKI_SUPPORT_H_

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/base/fault_point.h"
#include "common/pki/authority.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/process.h"
#include "tests/support/status_matchers.h"

namespace curlew::pki {

class PkiTest : public ::testing::Test {
 protected:
  PkiTest() {
    std::string pattern = absl::StrCat(::testing::TempDir(), "curlew_pki_XXXXXX");
    dir_ = mkdtemp(pattern.data());
  }
  ~PkiTest() override { std::filesystem::remove_all(dir_); }

  std::string At(absl::string_view name) const { return absl::StrCat(dir_, "/", name); }

  std::string Write(absl::string_view name, absl::string_view text) const {
    std::ofstream(At(name)) << text;
    return At(name);
  }
  static std::string Read(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  // The rights of a file, links followed: 0600.
  static mode_t ModeOf(const std::string& path) {
    struct stat found {};
    EXPECT_EQ(stat(path.c_str(), &found), 0) << path;
    return found.st_mode & 07777;
  }

  // What the program says, or how it failed.
  static absl::StatusOr<std::string> Openssl(std::vector<std::string> arguments) {
    testing::ProcessOptions options;
    options.argv = {"openssl"};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    options.env = {{"LC_ALL", "C"}};
    return testing::Process::Run(std::move(options));
  }

  std::string dir_;
};

// The exit status of a child that does `work` and dies, as by kill -9, at its `n`-th change of the disk: 137;
// 0 where it came to its end, 1 where it failed.
inline int DieAt(int n, const std::function<absl::Status()>& work) {
  const pid_t child = fork();
  if (child == 0) {
    base::FaultPlan::Get().Arm("pki", n, [] { _exit(137); });
    const absl::Status status = work();
    if (!status.ok()) fprintf(stderr, "%s\n", status.ToString().c_str());
    _exit(status.ok() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WEXITSTATUS(status);
}

inline CertificateRequest Controller() {
  return {.identity = {.party = Party::kController},
          .dns = {"curlew.example.com", "localhost"},
          .ips = {"127.0.0.1", "::1"}};
}
inline CertificateRequest Agent(const std::string& name) {
  return {.identity = {.party = Party::kAgent, .name = name}};
}

}  // namespace curlew::pki

#endif  // CURLEW_TESTS_COMMON_PKI_SUPPORT_H_
