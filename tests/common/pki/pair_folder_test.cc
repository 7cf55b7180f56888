#include "common/pki/pair_folder.h"

#include <grp.h>
#include <openssl/pem.h>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "common/base/error_detail.h"
#include "tests/common/pki/support.h"

namespace curlew::pki {
namespace {

using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

class PairFolderTest : public PkiTest {
 protected:
  PairFolderTest() : authority_(*Authority::Make({}, absl::Now())), folder_(At("crm")) {}

  Pair New() const { return *authority_.Issue(Agent("crm"), absl::Now()); }

  absl::Status Put(const Pair& pair) const {
    absl::StatusOr<PairFolder> folder = PairFolder::Open(folder_);
    if (!folder.ok()) return folder.status();
    if (const auto current = folder->Current(); !current.ok()) return current.status();
    return folder->Write(pair, {authority_.certificate()});
  }

  // The serial number of the pair that a program would read now; what is wrong where it could not use it.
  std::string Used() const {
    const auto certificate = Certificate::FromPem(Read(folder_ + "/tls.crt"));
    if (!certificate.ok()) return certificate.status().ToString();
    const std::string key_text = Read(folder_ + "/tls.key");
    const Owned<BIO> text = Reading(key_text);
    const Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr));
    if (key == nullptr) return "no key";
    if (X509_check_private_key(certificate->get(), key.get()) != 1) return "the key of another certificate";
    if (Read(folder_ + "/ca.crt") != authority_.certificate().Pem()) return "no CA";
    return certificate->facts().serial;
  }

  // How many folders with keys there are.
  int Versions() const {
    int versions = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      versions += entry.is_directory() && !entry.is_symlink() ? 1 : 0;
    }
    return versions;
  }

  // As somebody copies it: plain files.
  void PutPlain(const Pair& pair) const {
    std::filesystem::create_directories(folder_);
    Write("crm/tls.crt", pair.certificate.Pem());
    Write("crm/tls.key", pair.key.Reveal());
    Write("crm/ca.crt", authority_.certificate().Pem());
    ASSERT_EQ(chmod(At("crm/tls.key").c_str(), 0600), 0);
  }

  const Authority authority_;
  const std::string folder_;
};

TEST_F(PairFolderTest, HasThreeFilesOfWhichTheKeyIsTheOwnersAlone) {
  const mode_t before = umask(0);
  const Pair pair = New();
  ASSERT_OK(Put(pair));
  umask(before);
  EXPECT_EQ(Used(), pair.certificate.facts().serial);
  EXPECT_EQ(ModeOf(folder_), 0700);
  EXPECT_EQ(ModeOf(folder_ + "/tls.key"), 0600);
  EXPECT_EQ(ModeOf(folder_ + "/tls.crt"), 0644);
  EXPECT_EQ(ModeOf(folder_ + "/ca.crt"), 0644);
  EXPECT_OK(Openssl({"verify", "-CAfile", folder_ + "/ca.crt", folder_ + "/tls.crt"}));
}

TEST_F(PairFolderTest, ANewPairTakesThePlaceOfTheOldOneOfWhichNothingIsLeft) {
  ASSERT_OK(Put(New()));
  const std::string old_key = Read(folder_ + "/tls.key");
  const Pair pair = New();
  ASSERT_OK(Put(pair));
  EXPECT_EQ(Used(), pair.certificate.facts().serial);
  EXPECT_EQ(Versions(), 1);
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_)) {
    if (entry.is_regular_file()) {
      EXPECT_NE(Read(entry.path().string()), old_key) << entry.path();
    }
  }
}

TEST_F(PairFolderTest, AtEveryMomentThereIsOnePairAndNoMix) {
  for (const bool plain : {false, true}) {
    const Pair old_pair = New();
    int moments = 0;
    for (bool died = true; died; ++moments) {
      std::filesystem::remove_all(folder_);
      if (plain) {
        PutPlain(old_pair);
      } else {
        ASSERT_OK(Put(old_pair));
      }
      const Pair pair = New();
      const int status = DieAt(moments + 1, [&] { return Put(pair); });
      died = status == 137;
      EXPECT_TRUE(died || status == 0) << status;
      EXPECT_THAT(Used(),
                  ::testing::AnyOf(old_pair.certificate.facts().serial, pair.certificate.facts().serial))
          << "moment " << moments;
      if (!died) {
        EXPECT_EQ(Used(), pair.certificate.facts().serial);
      }
      // The next run goes on, and tidies up.
      const Pair next = New();
      ASSERT_OK(Put(next)) << "moment " << moments;
      EXPECT_EQ(Used(), next.certificate.facts().serial);
      EXPECT_EQ(Versions(), 1) << "moment " << moments;
    }
    EXPECT_GT(moments, 10);
  }
}

TEST_F(PairFolderTest, AFirstPairIsWholeOrNotThere) {
  int moments = 0;
  for (bool died = true; died; ++moments) {
    std::filesystem::remove_all(folder_);
    const Pair pair = New();
    died = DieAt(moments + 1, [&] { return Put(pair); }) == 137;
    if (std::filesystem::exists(folder_ + "/tls.crt")) {
      EXPECT_EQ(Used(), pair.certificate.facts().serial);
    }
    const Pair next = New();
    ASSERT_OK(Put(next)) << "moment " << moments;
    EXPECT_EQ(Used(), next.certificate.facts().serial);
    EXPECT_EQ(Versions(), 1);
  }
  EXPECT_GT(moments, 10);
}

TEST_F(PairFolderTest, FilesKeepTheRightsThatTheirUserNeeds) {
  PutPlain(New());
  ASSERT_EQ(chmod(At("crm/tls.key").c_str(), 0640), 0);
  ASSERT_EQ(chmod(At("crm/ca.crt").c_str(), 0444), 0);
  const uid_t user = 12345;
  const bool root = geteuid() == 0;
  if (root) {
    ASSERT_EQ(chown(At("crm/tls.key").c_str(), user, user), 0);
    ASSERT_EQ(chown(folder_.c_str(), user, user), 0);
  }
  for (int i = 0; i < 2; ++i) {
    const Pair pair = New();
    ASSERT_OK(Put(pair));
    EXPECT_EQ(Used(), pair.certificate.facts().serial);
    EXPECT_EQ(ModeOf(folder_ + "/tls.key"), 0640);
    EXPECT_EQ(ModeOf(folder_ + "/ca.crt"), 0444);
    if (!root) continue;
    struct stat key {};
    ASSERT_EQ(stat((folder_ + "/tls.key").c_str(), &key), 0);
    EXPECT_EQ(key.st_uid, user);
    EXPECT_EQ(key.st_gid, user);
  }
  if (!root) GTEST_SKIP() << "that files stay another user's is seen as root alone";
}

TEST_F(PairFolderTest, AKeyThatCannotBeGivenToItsUserChangesNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "needs a user beside the one that runs it, which root alone can be";
  ASSERT_OK(Put(New()));
  const std::string used = Used();
  // Another user with a folder that he may change, and a key that is not his.
  const uid_t other = 12345;
  ASSERT_EQ(chmod(dir_.c_str(), 0755), 0);
  ASSERT_EQ(chown(folder_.c_str(), other, other), 0);
  ASSERT_EQ(chown((folder_ + "/.lock").c_str(), other, other), 0);
  ASSERT_EQ(chmod((folder_ + "/tls.key").c_str(), 0640), 0);
  ASSERT_EQ(chown((folder_ + "/tls.key").c_str(), 0, other), 0);
  const Pair pair = New();
  const pid_t child = fork();
  if (child == 0) {
    if (setgroups(0, nullptr) != 0 || setgid(other) != 0 || setuid(other) != 0) _exit(3);
    const absl::Status status = Put(pair);
    _exit(absl::IsPermissionDenied(status) && absl::StrContains(base::Detail(status, base::kHint), "as root")
              ? 0
              : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(Used(), used);
}

TEST_F(PairFolderTest, WhatSomebodyElsePutThereIsNotOverwritten) {
  std::filesystem::create_directories(folder_);
  for (const char* name : {"crm/tls.key", "crm/ca.crt"}) {
    Write(name, "precious");
    const absl::Status status = Put(New());
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("of somebody else's")));
    EXPECT_THAT(base::Detail(status, base::kHint), HasSubstr("--out"));
    EXPECT_EQ(Read(At(name)), "precious");
    std::filesystem::remove(At(name));
  }
  PutPlain(New());
  std::filesystem::rename(At("crm/tls.crt"), At("elsewhere.crt"));
  std::filesystem::create_symlink(At("elsewhere.crt"), At("crm/tls.crt"));
  const std::string used = Used();
  EXPECT_THAT(Put(New()), StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("did not make")));
  EXPECT_EQ(Used(), used);
  // Other files stay.
  std::filesystem::remove_all(folder_);
  PutPlain(New());
  Write("crm/README", "mine");
  std::filesystem::create_directory(At("crm/..2026_11_28_12_00_00.123456789"));
  ASSERT_OK(Put(New()));
  EXPECT_EQ(Read(At("crm/README")), "mine");
  EXPECT_TRUE(std::filesystem::exists(At("crm/..2026_11_28_12_00_00.123456789")));
}

TEST_F(PairFolderTest, AKeyThatEverybodyCouldReadIsSaidAndKept) {
  PutPlain(New());
  const std::string used = Used(), key = Read(folder_ + "/tls.key");
  ASSERT_EQ(chmod(At("crm/tls.key").c_str(), 0644), 0);
  const absl::Status status = Put(New());
  EXPECT_THAT(status, StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("open to every user")));
  EXPECT_THAT(status.ToString(), Not(HasSubstr(key.substr(30, 20))));
  EXPECT_EQ(Used(), used);
}

TEST_F(PairFolderTest, ReadsWhatIsThere) {
  ASSERT_OK_AND_ASSIGN(PairFolder folder, PairFolder::Open(folder_));
  EXPECT_EQ(*folder.Current(), std::nullopt);
  EXPECT_TRUE(folder.Trusted()->empty());
  const Pair pair = New();
  const Authority other = *Authority::Make({}, absl::Now());
  ASSERT_OK(folder.Write(pair, {authority_.certificate(), other.certificate(), authority_.certificate()}));
  EXPECT_EQ((*folder.Current())->facts().serial, pair.certificate.facts().serial);
  ASSERT_EQ(folder.Trusted()->size(), 2u) << "each once";
  EXPECT_EQ((*folder.Trusted())[1].facts().subject, other.certificate().facts().subject);
  std::filesystem::remove(folder_ + "/tls.crt");
  Write("crm/tls.crt", "rubbish");
  EXPECT_THAT(folder.Current(),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(folder_ + "/tls.crt")));
}

}  // namespace
}  // namespace curlew::pki
