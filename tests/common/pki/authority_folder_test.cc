#include "common/pki/authority_folder.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/time/clock.h"
#include "common/base/error_detail.h"
#include "tests/common/pki/support.h"

namespace curlew::pki {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class AuthorityFolderTest : public PkiTest {
 protected:
  AuthorityFolderTest() : path_(At("pki")), now_(absl::FromTimeT(absl::ToTimeT(absl::Now()))) {}

  absl::StatusOr<AuthorityFolder> Make(AuthorityOptions options = {}) {
    return AuthorityFolder::Make(path_, options, now_, &made_);
  }
  // The path of an agent's certificate.
  std::string Issue(const AuthorityFolder& folder, const std::string& name) {
    const auto pair = folder.Issue(Agent(name), now_);
    EXPECT_OK(pair);
    return absl::StrCat(path_, "/issued/", pair->certificate.facts().serial, ".crt");
  }
  // What the openssl program says of a certificate, with the CA's own lists.
  absl::Status Verify(const std::string& certificate) {
    return Openssl({"verify", "-x509_strict", "-crl_check_all", "-CAfile", path_ + "/ca.crt", "-CApath",
                    path_ + "/crl", certificate})
        .status();
  }
  std::string List(const AuthorityFolder& folder, int number) {
    return absl::StrCat(folder.ListsPath(), "/", ListName(folder.authority().certificate()), ".r", number);
  }

  const std::string path_;
  const absl::Time now_;
  AuthorityFolder::Made made_ = AuthorityFolder::Made::kBefore;
};

TEST_F(AuthorityFolderTest, ANewOneIsWholeAndItsKeyTheOwnersAlone) {
  const mode_t before = umask(0);
  const auto folder = Make({.name = "X"});
  umask(before);
  ASSERT_OK(folder);
  EXPECT_EQ(made_, AuthorityFolder::Made::kNow);
  EXPECT_EQ(ModeOf(path_), 0700);
  EXPECT_EQ(ModeOf(path_ + "/ca.key"), 0600);
  EXPECT_EQ(ModeOf(path_ + "/ca.crt"), 0644);
  EXPECT_EQ(ModeOf(path_ + "/crl"), 0755);
  EXPECT_EQ(ModeOf(List(*folder, 0)), 0644);
  ASSERT_OK_AND_ASSIGN(const AuthorityFolder opened, AuthorityFolder::Open(path_));
  EXPECT_EQ(opened.authority().certificate().facts().common_name, "X");
  // With lists asked for from the beginning.
  EXPECT_OK(Verify(Issue(opened, "a")));
}

TEST_F(AuthorityFolderTest, NothingIsOverwritten) {
  ASSERT_OK(Make());
  const std::string certificate = Read(path_ + "/ca.crt"), key = Read(path_ + "/ca.key");
  const absl::Status again = Make().status();
  EXPECT_THAT(again,
              StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr(path_ + "/ca.crt is there already")));
  EXPECT_THAT(base::Detail(again, base::kHint), HasSubstr("another --dir"));
  EXPECT_EQ(Read(path_ + "/ca.key"), key);
  // A key that was taken offline, and a certificate that was lost.
  std::filesystem::rename(path_ + "/ca.key", At("offline"));
  EXPECT_THAT(Make(), StatusIs(absl::StatusCode::kAlreadyExists));
  EXPECT_EQ(Read(path_ + "/ca.crt"), certificate);
  EXPECT_FALSE(std::filesystem::exists(path_ + "/ca.key"));
  EXPECT_THAT(AuthorityFolder::Open(path_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("ca.key is missing")));
  std::filesystem::rename(At("offline"), path_ + "/ca.key");
  std::filesystem::remove(path_ + "/ca.crt");
  EXPECT_THAT(Make(), StatusIs(absl::StatusCode::kAlreadyExists, HasSubstr("ca.key")));
  EXPECT_EQ(Read(path_ + "/ca.key"), key);
}

TEST_F(AuthorityFolderTest, AfterADeathAtAnyMomentTheSameCommandMakesIt) {
  int moments = 0, taken = 0;
  for (bool died = true; died; ++moments) {
    std::filesystem::remove_all(path_);
    died = DieAt(moments + 1, [&] { return Make().status(); }) == 137;
    if (AuthorityFolder::Open(path_).ok()) {
      EXPECT_THAT(Make(), StatusIs(absl::StatusCode::kAlreadyExists));
    } else {
      ASSERT_OK(Make()) << "moment " << moments;
      taken += made_ == AuthorityFolder::Made::kBefore ? 1 : 0;
    }
    ASSERT_OK_AND_ASSIGN(const AuthorityFolder folder, AuthorityFolder::Open(path_));
    EXPECT_OK(Verify(Issue(folder, "a"))) << "moment " << moments;
    EXPECT_FALSE(std::filesystem::exists(path_ + "/.ca.key.new")) << "moment " << moments;
  }
  EXPECT_GT(moments, 10);
  EXPECT_EQ(taken, 1) << "the key was in its place, and the certificate not yet";
}

TEST_F(AuthorityFolderTest, OfTwoAtOnceOneMakesIt) {
  constexpr int kAtOnce = 6;
  std::vector<pid_t> children;
  for (int i = 0; i < kAtOnce; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      const absl::Status status = Make().status();
      _exit(status.ok() ? 0 : absl::IsAlreadyExists(status) ? 17 : 1);
    }
    children.push_back(child);
  }
  std::multiset<int> outcomes;
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    outcomes.insert(WEXITSTATUS(status));
  }
  EXPECT_EQ(outcomes.count(0), 1u);
  EXPECT_EQ(outcomes.count(17), kAtOnce - 1u);
  EXPECT_OK(AuthorityFolder::Open(path_));
}

TEST_F(AuthorityFolderTest, AKeyOfAnotherCaOrOpenToOthersIsRefused) {
  ASSERT_OK(Make());
  std::filesystem::rename(path_ + "/ca.key", At("own.key"));
  ASSERT_OK(AuthorityFolder::Make(At("other"), {}, now_, &made_));
  std::filesystem::copy(At("other/ca.key"), path_ + "/ca.key");
  const absl::Status other = AuthorityFolder::Open(path_).status();
  EXPECT_THAT(other, StatusIs(absl::StatusCode::kFailedPrecondition,
                              AllOf(HasSubstr(path_ + "/ca.crt"), HasSubstr("does not belong to"))));
  EXPECT_THAT(base::Detail(other, base::kHint), HasSubstr("made together"));
  ASSERT_EQ(chmod((path_ + "/ca.key").c_str(), 0644), 0);
  EXPECT_THAT(AuthorityFolder::Open(path_),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("mode 0644")));
  EXPECT_THAT(AuthorityFolder::Open(At("nowhere")),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("no CA in")));
}

TEST_F(AuthorityFolderTest, EachListHasAllThatIsRevokedAndTheNewestCounts) {
  ASSERT_OK_AND_ASSIGN(const AuthorityFolder folder, Make());
  const std::string good = Issue(folder, "good");
  std::vector<std::string> bad;
  for (int i = 0; i < 4; ++i) {
    bad.push_back(Issue(folder, "bad"));
    const std::string serial = std::filesystem::path(bad.back()).stem();
    // All within one second, by number and by certificate.
    const auto since = i % 2 == 0 ? folder.Revoke(absl::AsciiStrToUpper(serial), now_)
                                  : folder.Revoke(*Certificate::FromPem(Read(bad.back())), now_);
    ASSERT_OK(since);
    for (const std::string& one : bad) EXPECT_THAT(Verify(one), Not(IsOk())) << i;
    EXPECT_OK(Verify(good)) << i;
    ASSERT_OK_AND_ASSIGN(const RevocationList list, ReadList(Read(List(folder, i + 1))));
    EXPECT_EQ(list.revocations.size(), bad.size());
    EXPECT_EQ(list.number, i + 2);
  }
  // With colons, and again: nothing new.
  std::string colons = std::filesystem::path(bad[0]).stem();
  for (size_t i = 2; i < colons.size(); i += 3) colons.insert(i, ":");
  EXPECT_EQ(*folder.Revoke(colons, now_ + absl::Hours(1)), now_);
  EXPECT_FALSE(std::filesystem::exists(List(folder, 5)));
  // Without the key, too, which may be kept elsewhere.
  std::filesystem::remove(path_ + "/ca.key");
  ASSERT_OK_AND_ASSIGN(const Inventory inventory, TakeInventory(path_));
  const std::vector<Issued>& all = inventory.issued;
  ASSERT_EQ(all.size(), 5u);
  EXPECT_EQ(std::count_if(all.begin(), all.end(), [](const Issued& one) { return one.revoked.has_value(); }),
            4);
}

TEST_F(AuthorityFolderTest, ADeathWhileRevokingLosesNothing) {
  ASSERT_OK_AND_ASSIGN(const AuthorityFolder folder, Make());
  const std::string first = Issue(folder, "first"), second = Issue(folder, "second");
  ASSERT_OK(folder.Revoke(std::string(std::filesystem::path(first).stem()), now_));
  int moments = 0;
  for (bool died = true; died; ++moments) {
    std::filesystem::remove(List(folder, 2));
    died = DieAt(moments + 1, [&] {
             return folder.Revoke(std::string(std::filesystem::path(second).stem()), now_).status();
           }) == 137;
    EXPECT_THAT(Verify(first), Not(IsOk())) << "moment " << moments;
    ASSERT_OK(folder.Revoke(std::string(std::filesystem::path(second).stem()), now_)) << "moment " << moments;
    EXPECT_THAT(Verify(second), Not(IsOk())) << "moment " << moments;
  }
  EXPECT_GT(moments, 2);
}

TEST_F(AuthorityFolderTest, AtOnceNoRevocationIsLost) {
  ASSERT_OK_AND_ASSIGN(const AuthorityFolder folder, Make());
  std::vector<std::string> bad;
  for (int i = 0; i < 6; ++i) bad.push_back(Issue(folder, "bad"));
  std::vector<pid_t> children;
  for (const std::string& one : bad) {
    const pid_t child = fork();
    if (child == 0) _exit(folder.Revoke(std::string(std::filesystem::path(one).stem()), now_).ok() ? 0 : 1);
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    waitpid(child, &status, 0);
    EXPECT_EQ(WEXITSTATUS(status), 0);
  }
  EXPECT_EQ(ReadList(Read(List(folder, 6)))->revocations.size(), bad.size());
  for (const std::string& one : bad) EXPECT_THAT(Verify(one), Not(IsOk()));
}

TEST_F(AuthorityFolderTest, AListThatIsDamagedMissingOrNotItsOwnIsNotPassedOver) {
  ASSERT_OK_AND_ASSIGN(const AuthorityFolder folder, Make());
  const std::string bad = Issue(folder, "bad"), serial = std::filesystem::path(bad).stem();
  const std::string other = std::filesystem::path(Issue(folder, "other")).stem();
  ASSERT_OK(folder.Revoke(serial, now_));
  const std::string newest = List(folder, 1), text = Read(newest);
  const auto refused = [&](const std::string& message) {
    const absl::Status status = folder.Revoke(other, now_).status();
    EXPECT_THAT(status, StatusIs(absl::StatusCode::kDataLoss, HasSubstr(message)));
    EXPECT_THAT(base::Detail(status, base::kHint), HasSubstr("put it back"));
    EXPECT_THAT(TakeInventory(path_), StatusIs(absl::StatusCode::kDataLoss));
  };
  std::ofstream(newest) << text.substr(0, text.size() / 2);
  refused(newest + " is damaged");
  ASSERT_OK_AND_ASSIGN(const Authority stranger, Authority::Make({}, now_));
  std::ofstream(newest) << *stranger.SignList({}, 9, absl::InfinitePast(), now_);
  refused(newest + " was not signed by this CA");
  std::ofstream(newest) << text;
  std::filesystem::rename(List(folder, 0), At("r0"));
  refused(List(folder, 0) + " is missing");
  std::filesystem::rename(At("r0"), List(folder, 0));
  EXPECT_OK(folder.Revoke(other, now_));
}

TEST_F(AuthorityFolderTest, RevokesWhatItHasIssuedAlone) {
  ASSERT_OK_AND_ASSIGN(const AuthorityFolder folder, Make());
  EXPECT_THAT(folder.Revoke("4f00", now_),
              StatusIs(absl::StatusCode::kNotFound, HasSubstr("has issued no certificate")));
  for (const char* text : {"", "crm", "../ca", "0x4f", "-1", "12345678901234567890123456789012345678901"}) {
    EXPECT_THAT(folder.Revoke(text, now_),
                StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("neither a file nor a serial number")))
        << text;
  }
  ASSERT_OK_AND_ASSIGN(const Authority stranger, Authority::Make({}, now_));
  ASSERT_OK_AND_ASSIGN(const Pair pair, stranger.Issue(Agent("a"), now_));
  EXPECT_THAT(folder.Revoke(pair.certificate, now_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not by the CA in")));
  EXPECT_THAT(folder.Revoke(folder.authority().certificate(), now_),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("cannot revoke itself")));
  // One whose record is lost.
  const std::string lost = Issue(folder, "a"), text = Read(lost);
  std::filesystem::remove(lost);
  ASSERT_OK(folder.Revoke(*Certificate::FromPem(text), now_));
  EXPECT_THAT(Verify(Write("lost.crt", text)), Not(IsOk()));
  EXPECT_THAT(TakeInventory(path_)->issued, IsEmpty());
}

}  // namespace
}  // namespace curlew::pki
