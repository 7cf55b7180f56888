#include "common/signing/key_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "tests/support/status_matchers.h"

namespace curlew::signing {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

class KeyFilesTest : public ::testing::Test {
 protected:
  KeyFilesTest() { std::filesystem::create_directory(folder_); }
  ~KeyFilesTest() override { std::filesystem::remove_all(folder_); }

  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }
  static mode_t ModeOf(const std::string& path) {
    struct stat info = {};
    EXPECT_EQ(stat(path.c_str(), &info), 0);
    return info.st_mode & 0777;
  }

  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/curlew-key-files-", getpid());
  const std::string path_ = folder_ + "/audit.key";
};

TEST_F(KeyFilesTest, MakesAPairThatOnlyItsOwnerCanRead) {
  const mode_t mask = umask(0);
  const auto pair = MakeKeyFiles(path_);
  umask(mask);
  ASSERT_OK(pair.status());
  EXPECT_EQ(pair->public_path, path_ + ".pub");
  EXPECT_EQ(ModeOf(path_), 0600U);
  EXPECT_EQ(ModeOf(pair->public_path), 0644U);
  ASSERT_OK_AND_ASSIGN(const SigningKey key, SigningKey::Load(path_));
  EXPECT_EQ(key.public_key(), pair->key);
  // Either half tells the public key.
  ASSERT_OK_AND_ASSIGN(const PublicKey of_public, LoadPublicKey(pair->public_path));
  ASSERT_OK_AND_ASSIGN(const PublicKey of_private, LoadPublicKey(path_));
  EXPECT_EQ(of_public, pair->key);
  EXPECT_EQ(of_private, pair->key);
}

TEST_F(KeyFilesTest, OverwritesNothing) {
  std::ofstream(path_) << "mine";
  EXPECT_THAT(MakeKeyFiles(path_), StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("audit.key")));
  EXPECT_EQ(Read(path_), "mine");
  EXPECT_FALSE(std::filesystem::exists(path_ + ".pub"));
  std::filesystem::remove(path_);
  std::ofstream(path_ + ".pub") << "mine";
  EXPECT_THAT(MakeKeyFiles(path_), StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("audit.key.pub")));
  EXPECT_EQ(Read(path_ + ".pub"), "mine");
  // Without its public part nobody could use it.
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(KeyFilesTest, SaysWhatItCannotWriteOrRead) {
  EXPECT_THAT(MakeKeyFiles(folder_ + "/nosuch/audit.key"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch/audit.key")));
  EXPECT_THAT(LoadPublicKey(path_), StatusIs(absl::StatusCode::kNotFound, HasSubstr("audit.key")));
  std::ofstream(path_) << "hunter2";
  EXPECT_THAT(LoadPublicKey(path_), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("audit.key")));
}

TEST_F(KeyFilesTest, APrivateKeyThatEverybodyMayReadIsNotSignedWith) {
  ASSERT_OK(MakeKeyFiles(path_).status());
  ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  EXPECT_THAT(SigningKey::Load(path_), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(path_)));
}

}  // namespace
}  // namespace curlew::signing
