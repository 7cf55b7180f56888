#include "controller/audit/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "common/base/audit_key.h"
#include "controller/audit/signer.h"
#include "tests/support/status_matchers.h"

namespace curlew::audit {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;

class KeyFileTest : public ::testing::Test {
 protected:
  KeyFileTest() { std::filesystem::create_directory(folder_); }
  ~KeyFileTest() override { std::filesystem::remove_all(folder_); }

  static std::string Read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/curlew-key-file-", getpid());
  const std::string path_ = folder_ + "/audit.key";
};

TEST_F(KeyFileTest, MakesAPairThatOnlyItsOwnerCanRead) {
  ASSERT_OK_AND_ASSIGN(const KeyPair pair, MakeKeyPair(path_));
  EXPECT_EQ(pair.public_path, path_ + ".pub");
  struct stat info = {};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  ASSERT_OK_AND_ASSIGN(const auto signer, HeadSigner::Load(path_));
  ASSERT_OK_AND_ASSIGN(const auto key, base::AuditPublicKey::FromPem(Read(pair.public_path)));
  EXPECT_EQ(signer->key_id(), pair.id);
  EXPECT_EQ(key.id(), pair.id);
}

TEST_F(KeyFileTest, OverwritesNothing) {
  std::ofstream(path_) << "mine";
  EXPECT_THAT(MakeKeyPair(path_), StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("audit.key")));
  EXPECT_EQ(Read(path_), "mine");
  EXPECT_FALSE(std::filesystem::exists(path_ + ".pub"));
  std::filesystem::remove(path_);
  std::ofstream(path_ + ".pub") << "mine";
  EXPECT_THAT(MakeKeyPair(path_), StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("audit.key.pub")));
  EXPECT_EQ(Read(path_ + ".pub"), "mine");
  // Without its public part nobody could use it.
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(KeyFileTest, SaysWhereItCannotWrite) {
  EXPECT_THAT(MakeKeyPair(folder_ + "/nosuch/audit.key"),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("nosuch/audit.key")));
}

}  // namespace
}  // namespace curlew::audit
