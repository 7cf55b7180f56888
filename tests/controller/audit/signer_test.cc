#include "controller/audit/signer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "common/base/audit_chain.h"
#include "common/signing/audit_head.h"
#include "common/signing/key_files.h"
#include "tests/support/status_matchers.h"

namespace curlew::audit {
namespace {

using ::curlew::signing::KeyFiles;
using ::curlew::signing::MakeKeyFiles;
using ::curlew::signing::VerifyHead;
using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Test 1 of RFC 8032, section 7.1: the secret 9d61b19d...ae7f60, as PKCS#8.
constexpr char kKnownKey[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
    "-----END PRIVATE KEY-----\n";

class SignerTest : public ::testing::Test {
 protected:
  SignerTest() { std::filesystem::create_directory(folder_); }
  ~SignerTest() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }

  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/curlew-signer-", getpid());
};

TEST_F(SignerTest, WhatItSignsIsVerified) {
  ASSERT_OK_AND_ASSIGN(const KeyFiles pair, MakeKeyFiles(folder_ + "/key"));
  ASSERT_OK_AND_ASSIGN(const auto signer, HeadSigner::Load(folder_ + "/key"));
  const signing::PublicKey key = *signing::LoadPublicKey(pair.public_path);
  const v1::AuditHead head = signer->Sign(412, "ab12");
  EXPECT_EQ(head.number(), 412);
  EXPECT_EQ(head.hash(), "ab12");
  EXPECT_EQ(head.key_id(), pair.key.id());
  EXPECT_THAT(VerifyHead(key, head), IsOk());

  v1::AuditHead changed = head;
  changed.set_number(411);
  EXPECT_THAT(VerifyHead(key, changed), StatusIs(absl::StatusCode::kDataLoss));
  changed = head;
  changed.set_hash("ab13");
  EXPECT_THAT(VerifyHead(key, changed), StatusIs(absl::StatusCode::kDataLoss));
  changed = head;
  changed.set_signature("bm9uZQ==");
  EXPECT_THAT(VerifyHead(key, changed), StatusIs(absl::StatusCode::kDataLoss));
  changed.set_signature("%%");
  EXPECT_THAT(VerifyHead(key, changed), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(SignerTest, AnotherKeyOrNoneIsToldApartFromAWrongSignature) {
  ASSERT_OK_AND_ASSIGN(const KeyFiles mine, MakeKeyFiles(folder_ + "/mine"));
  ASSERT_OK_AND_ASSIGN(const KeyFiles other, MakeKeyFiles(folder_ + "/other"));
  ASSERT_OK_AND_ASSIGN(const auto signer, HeadSigner::Load(folder_ + "/mine"));
  const signing::PublicKey key = *signing::LoadPublicKey(other.public_path);
  EXPECT_THAT(VerifyHead(key, signer->Sign(1, "aa")),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr(mine.key.id())));
  EXPECT_THAT(VerifyHead(key, v1::AuditHead()),
              StatusIs(absl::StatusCode::kFailedPrecondition, HasSubstr("not signed")));
  // Whoever claims the right key without having it.
  v1::AuditHead forged = signer->Sign(1, "aa");
  forged.set_key_id(other.key.id());
  EXPECT_THAT(VerifyHead(key, forged), StatusIs(absl::StatusCode::kDataLoss));
}

TEST_F(SignerTest, ReadsAKeyThatSomethingElseMade) {
  ASSERT_OK_AND_ASSIGN(const auto signer, HeadSigner::Load(File("known", kKnownKey)));
  // sha256 of the public key d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a.
  EXPECT_EQ(signer->key_id(), "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9");
  EXPECT_EQ(signer->Sign(0, "00").signature(),
            "61XlcxcLs+dJDJeNkFcFUD2X/2C8V7tu6qRXkgAI6q+DMiL/Nkzwhn1ngqL1L3vh1avoynl8qfCVYp2SZu/kCg==");
}

// A log of `count` entries that holds.
std::vector<v1::AuditEntry> Log(int count, const std::string& actor) {
  std::vector<v1::AuditEntry> log;
  for (int i = 1; i <= count; ++i) {
    v1::AuditEntry entry;
    entry.set_number(i);
    entry.set_actor(actor);
    entry.set_previous_hash(log.empty() ? std::string(base::kNoAuditHash) : log.back().hash());
    entry.set_hash(base::HashOf(entry));
    log.push_back(entry);
  }
  return log;
}

absl::StatusOr<v1::AuditHead> Vouch(const HeadSigner& signer, const std::vector<v1::AuditEntry>& log) {
  v1::AuditHead head;
  head.set_number(log.empty() ? 0 : log.back().number());
  head.set_hash(log.empty() ? std::string(base::kNoAuditHash) : log.back().hash());
  return signer.Vouch(head, [&](int64_t after, int limit) {
    std::vector<v1::AuditEntry> found;
    for (const v1::AuditEntry& entry : log) {
      if (entry.number() > after && static_cast<int>(found.size()) < limit) found.push_back(entry);
    }
    return found;
  });
}

TEST_F(SignerTest, ALogThatGrowsIsSignedAndOneThatWasChangedIsNot) {
  ASSERT_OK_AND_ASSIGN(const KeyFiles pair, MakeKeyFiles(folder_ + "/key"));
  ASSERT_OK_AND_ASSIGN(const auto signer, HeadSigner::Load(folder_ + "/key"));
  const signing::PublicKey key = *signing::LoadPublicKey(pair.public_path);
  const auto log = Log(9, "ann");
  for (const int size : {0, 1, 1, 3, 7}) {
    ASSERT_OK_AND_ASSIGN(const v1::AuditHead head, Vouch(*signer, {log.begin(), log.begin() + size}));
    EXPECT_EQ(head.number(), size);
    EXPECT_THAT(VerifyHead(key, head), IsOk()) << size;
  }
  for (const auto& other : {Log(9, "mallory"), Log(3, "ann"), Log(0, "ann")}) {
    ASSERT_OK_AND_ASSIGN(const v1::AuditHead head, Vouch(*signer, other));
    EXPECT_EQ(head.signature(), "");
    EXPECT_EQ(head.key_id(), "");
  }
  // What it was.
  ASSERT_OK_AND_ASSIGN(const v1::AuditHead head, Vouch(*signer, log));
  EXPECT_THAT(VerifyHead(key, head), IsOk());
}

TEST_F(SignerTest, SignsNothingThatItCannotCompare) {
  ASSERT_OK_AND_ASSIGN(const KeyFiles pair, MakeKeyFiles(folder_ + "/key"));
  ASSERT_OK_AND_ASSIGN(const auto signer, HeadSigner::Load(folder_ + "/key"));
  const auto log = Log(1, "ann");
  ASSERT_THAT(Vouch(*signer, log), IsOk());
  v1::AuditHead head;
  head.set_number(1);
  head.set_hash(log[0].hash());
  EXPECT_THAT(signer->Vouch(head, [](int64_t, int) { return absl::UnavailableError("the disk is full"); }),
              StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(SignerTest, RefusesWhatIsNoSuchKeyAndShowsNothingOfIt) {
  EXPECT_THAT(HeadSigner::Load(folder_ + "/none"), StatusIs(absl::StatusCode::kNotFound, HasSubstr("/none")));
  EXPECT_THAT(HeadSigner::Load(File("text", "hunter2")),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       AllOf(HasSubstr("audit-key FILE makes one"), Not(HasSubstr("hunter2")))));
  // openssl genpkey -algorithm X25519
  EXPECT_THAT(HeadSigner::Load(File("x25519",
                                    "-----BEGIN PRIVATE KEY-----\n"
                                    "MC4CAQAwBQYDK2VuBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                                    "-----END PRIVATE KEY-----\n")),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not an Ed25519 key")));
}

}  // namespace
}  // namespace curlew::audit
