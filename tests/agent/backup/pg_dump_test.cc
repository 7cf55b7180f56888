#include "agent/backup/pg_dump.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "common/base/error_detail.h"
#include "tests/support/status_matchers.h"

namespace curlew::agent {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// Programs that say that they are pg_dump of some version.
class PgDumpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = "/tmp/curlew-pg-dump-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    path_ = std::getenv("PATH");
  }
  void TearDown() override {
    setenv("PATH", path_.c_str(), 1);
    std::filesystem::remove_all(folder_);
  }
  std::string Fake(const std::string& folder, const std::string& says) {
    std::filesystem::create_directories(folder_ + "/" + folder);
    const std::string file = folder_ + "/" + folder + "/pg_dump";
    std::ofstream(file) << "#!/bin/sh\necho '" << says << "'\n";
    std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    return file;
  }
  std::string folder_, path_;
  CancelToken cancel_;
};

TEST_F(PgDumpTest, TheConfiguredOneIsTakenWhereItIsNewEnough) {
  const std::string file = Fake("a", "pg_dump (PostgreSQL) 15.5 (Debian 15.5-0+deb12u1)");
  ASSERT_OK_AND_ASSIGN(const PgDumpProgram program, FindPgDump({.pg_dump = file}, 15, cancel_));
  EXPECT_EQ(program.path, file);
  EXPECT_EQ(program.major, 15);
  const auto refused = FindPgDump({.pg_dump = file}, 16, cancel_);
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("is of version 15")));
  EXPECT_THAT(base::Detail(refused.status(), base::kHint), HasSubstr("docs/backups.md"));
  EXPECT_THAT(FindPgDump({.pg_dump = Fake("b", "hello")}, 15, cancel_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("does not tell its version")));
  EXPECT_THAT(FindPgDump({.pg_dump = folder_ + "/none"}, 15, cancel_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("cannot be started")));
}

TEST_F(PgDumpTest, ElseTheOldestThatIsNewEnough) {
  Fake("old", "pg_dump (PostgreSQL) 90.4");
  const std::string right = Fake("right", "pg_dump (PostgreSQL) 91.2");
  Fake("new", "pg_dump (PostgreSQL) 92beta1");
  setenv("PATH", (folder_ + "/new:relative:" + folder_ + "/old:" + folder_ + "/right").c_str(), 1);
  ASSERT_OK_AND_ASSIGN(const PgDumpProgram program, FindPgDump({}, 91, cancel_));
  EXPECT_EQ(program.path, right);
  EXPECT_THAT(FindPgDump({}, 93, cancel_), StatusIs(absl::StatusCode::kFailedPrecondition,
                                                    HasSubstr("no pg_dump of version 93 or newer")));
}

TEST_F(PgDumpTest, NamesAreNeverPatternsOrOptions) {
  ASSERT_OK_AND_ASSIGN(
      const std::vector<std::string> arguments,
      PgDumpArguments({"/bin/pg_dump", 15}, {"public.contacts", "\"Odd\".\"Weird\"\"*Name\""},
                      "/d/x.dump.partial"));
  EXPECT_EQ(arguments[0], "/bin/pg_dump");
  EXPECT_THAT(arguments, Contains("--file=/d/x.dump.partial"));
  EXPECT_THAT(arguments, Contains("--table=\"public\".\"contacts\""));
  EXPECT_THAT(arguments, Contains("--table=\"Odd\".\"Weird\"\"*Name\""));
  EXPECT_THAT(arguments, Contains("--strict-names"));
  EXPECT_THAT(arguments, Contains("--no-password"));
  EXPECT_FALSE(PgDumpArguments({"/bin/pg_dump", 15}, {"public.a; drop"}, "/d/x").ok());
}

TEST_F(PgDumpTest, AFileStaysInItsFolderWhateverItsNamesAre) {
  EXPECT_EQ(DumpPath("/d", "crm", "rollouts/r1/runs/crm", "add-1", 3), "/d/crm/r1-add-1-3.dump");
  const std::string odd = DumpPath("/d", "../x", "rollouts/../runs/..", "a/b\nc", 1);
  EXPECT_EQ(odd.substr(0, 3), "/d/");
  EXPECT_THAT(odd.substr(2), Not(HasSubstr("/..")));
  EXPECT_EQ(std::count(odd.begin(), odd.end(), '/'), 3);
  EXPECT_NE(DumpPath("/d", "crm", "rollouts/r1/runs/crm", "a b", 1),
            DumpPath("/d", "crm", "rollouts/r1/runs/crm", "a_b", 1));
}

TEST_F(PgDumpTest, WordsForAShell) {
  EXPECT_EQ(ShellQuoted("/var/backups/x-1.dump"), "/var/backups/x-1.dump");
  EXPECT_EQ(ShellQuoted("it's $HOME"), "'it'\\''s $HOME'");
  EXPECT_EQ(ShellQuoted(""), "''");
}

}  // namespace
}  // namespace curlew::agent
