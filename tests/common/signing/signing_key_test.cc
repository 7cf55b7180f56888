#include "common/signing/signing_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/hash.h"
#include "tests/support/status_matchers.h"

namespace curlew::signing {
namespace {

using ::curlew::testing::IsOk;
using ::curlew::testing::StatusIs;
using ::testing::HasSubstr;
using ::testing::Not;

// RFC 8032, section 7.1, tests 1 to 3; all hexadecimal.
struct Vector {
  const char *secret, *public_key, *message, *signature;
};
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f"
     "0"
     "595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2ea"
     "e"
     "b4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e"
     "9"
     "716ed28dc027beceea1ec40a"},
};

std::string Bytes(const char* hex) { return absl::HexStringToBytes(hex); }

std::string Pem(const std::string& what, const std::string& der) {
  return absl::StrCat("-----BEGIN ", what, "-----\n", absl::Base64Escape(der), "\n-----END ", what,
                      "-----\n");
}
// The only headers that RFC 8410 has for such keys.
std::string PrivatePem(const char* secret) {
  return Pem("PRIVATE KEY", absl::StrCat(Bytes("302e020100300506032b657004220420"), Bytes(secret)));
}
std::string PublicPem(const char* key) {
  return Pem("PUBLIC KEY", absl::StrCat(Bytes("302a300506032b6570032100"), Bytes(key)));
}

TEST(SigningKeyTest, SignsAndVerifiesAsRfc8032Says) {
  for (const Vector& vector : kVectors) {
    ASSERT_OK_AND_ASSIGN(const SigningKey key, SigningKey::FromPem(PrivatePem(vector.secret)));
    const std::string signature = absl::Base64Escape(Bytes(vector.signature));
    EXPECT_EQ(key.Sign(Bytes(vector.message)), signature);
    EXPECT_EQ(key.public_key().text(), absl::Base64Escape(Bytes(vector.public_key)));
    EXPECT_EQ(key.public_key().id(), base::Sha256Hex(Bytes(vector.public_key)));
    ASSERT_OK_AND_ASSIGN(const PublicKey of_pem, PublicKey::FromPem(PublicPem(vector.public_key)));
    ASSERT_OK_AND_ASSIGN(const PublicKey of_text, PublicKey::FromText(key.public_key().text()));
    for (const PublicKey& same : {of_pem, of_text}) {
      EXPECT_EQ(same, key.public_key());
      EXPECT_THAT(same.Verify(Bytes(vector.message), signature), IsOk());
    }
  }
}

TEST(SigningKeyTest, WhatItWritesItReads) {
  ASSERT_OK_AND_ASSIGN(const SigningKey key, SigningKey::Generate());
  ASSERT_OK_AND_ASSIGN(const SigningKey other, SigningKey::Generate());
  EXPECT_FALSE(key.public_key() == other.public_key());
  ASSERT_OK_AND_ASSIGN(const SigningKey again, SigningKey::FromPem(key.Pem().Reveal()));
  EXPECT_EQ(again.Sign("text"), key.Sign("text"));
  ASSERT_OK_AND_ASSIGN(const PublicKey half, PublicKey::FromPem(key.public_key().Pem()));
  EXPECT_EQ(half, key.public_key());
  EXPECT_EQ(half.text().size(), 44U);
  EXPECT_THAT(half.Verify("text", key.Sign("text")), IsOk());
  EXPECT_THAT(half.Verify("text", other.Sign("text")), StatusIs(absl::StatusCode::kDataLoss));
}

TEST(SigningKeyTest, EveryBitOfTextAndSignatureCounts) {
  ASSERT_OK_AND_ASSIGN(const SigningKey key, SigningKey::Generate());
  const std::string text = "a text", signature = key.Sign(text);
  const auto flipped = [](std::string of, size_t bit) {
    of[bit / 8] = static_cast<char>(of[bit / 8] ^ (1 << bit % 8));
    return of;
  };
  for (size_t bit = 0; bit < text.size() * 8; ++bit) {
    EXPECT_THAT(key.public_key().Verify(flipped(text, bit), signature), Not(IsOk())) << bit;
  }
  // As text, too: a signature is written in one way.
  for (size_t bit = 0; bit < signature.size() * 8; ++bit) {
    EXPECT_THAT(key.public_key().Verify(text, flipped(signature, bit)), StatusIs(absl::StatusCode::kDataLoss))
        << bit;
  }
  for (const std::string& other : {std::string(), absl::StrCat(signature, "A"), absl::StrCat(" ", signature),
                                   signature.substr(0, signature.size() - 2)}) {
    EXPECT_THAT(key.public_key().Verify(text, other), StatusIs(absl::StatusCode::kDataLoss)) << other;
  }
}

TEST(SigningKeyTest, RefusesWhatIsNoSuchKeyAndShowsNothingOfIt) {
  for (const std::string text :
       {"", "hunter2", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo",  // no "="
        "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURp=",                // another text of the same bytes
        " 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "AAAA"}) {
    EXPECT_THAT(PublicKey::FromText(text), StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("44")))
        << text;
  }
  ASSERT_OK_AND_ASSIGN(const SigningKey key, SigningKey::Generate());
  EXPECT_THAT(SigningKey::FromPem("hunter2"),
              StatusIs(absl::StatusCode::kInvalidArgument, Not(HasSubstr("hunter2"))));
  EXPECT_THAT(SigningKey::FromPem(key.public_key().Pem()), StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(PublicKey::FromPem(key.Pem().Reveal()), StatusIs(absl::StatusCode::kInvalidArgument));
  // X25519: as long, and for something else.
  const std::string x25519 =
      Pem("PRIVATE KEY", absl::StrCat(Bytes("302e020100300506032b656e04220420"), Bytes(kVectors[0].secret)));
  EXPECT_THAT(SigningKey::FromPem(x25519),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("not an Ed25519 key")));
}

}  // namespace
}  // namespace curlew::signing
