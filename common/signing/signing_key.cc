#include "common/signing/signing_key.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/hash.h"
#include "common/base/status_macros.h"
#include "common/pki/files.h"

namespace curlew::signing {
namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kSignatureBytes = 64;

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

absl::string_view View(const unsigned char* bytes, size_t size) {
  return absl::string_view(reinterpret_cast<const char*>(bytes), size);
}

using Digest = std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)>;

// Nobody is asked for a pass phrase.
int NoPassphrase(char*, int, int, void*) { return 0; }

}  // namespace

absl::StatusOr<PublicKey> PublicKey::Of(std::shared_ptr<EVP_PKEY> key) {
  unsigned char raw[kKeyBytes];
  size_t size = sizeof raw;
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_ED25519 ||
      EVP_PKEY_get_raw_public_key(key.get(), raw, &size) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("the key is not an Ed25519 key");
  }
  return PublicKey(std::move(key), absl::Base64Escape(View(raw, size)), base::Sha256Hex(View(raw, size)));
}

absl::StatusOr<PublicKey> PublicKey::FromText(absl::string_view base64) {
  std::string raw;
  // What is read must be written so: else one key would have several texts.
  if (!absl::Base64Unescape(base64, &raw) || raw.size() != kKeyBytes || absl::Base64Escape(raw) != base64) {
    return absl::InvalidArgumentError("it is no Ed25519 public key: 32 bytes in base64, 44 letters");
  }
  std::shared_ptr<EVP_PKEY> key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(raw), raw.size()), &EVP_PKEY_free);
  if (key == nullptr) return pki::OpensslFailed("read a public key");
  return Of(std::move(key));
}

absl::StatusOr<PublicKey> PublicKey::FromPem(absl::string_view pem) {
  const pki::Owned<BIO> bio = pki::Reading(pem);
  std::shared_ptr<EVP_PKEY> key(PEM_read_bio_PUBKEY(bio.get(), nullptr, NoPassphrase, nullptr),
                                &EVP_PKEY_free);
  ERR_clear_error();
  if (key == nullptr) return absl::InvalidArgumentError("there is no public key in PEM");
  return Of(std::move(key));
}

absl::Status PublicKey::Verify(absl::string_view text, absl::string_view signature) const {
  std::string raw;
  const Digest context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  // As with keys, one signature has one text.
  const bool right = absl::Base64Unescape(signature, &raw) && raw.size() == kSignatureBytes &&
                     absl::Base64Escape(raw) == signature &&
                     EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
                     EVP_DigestVerify(context.get(), Bytes(raw), raw.size(), Bytes(text), text.size()) == 1;
  ERR_clear_error();
  if (right) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the signature is not that of key ", id_.substr(0, 16)));
}

std::string PublicKey::Pem() const {
  const pki::Owned<BIO> bio = pki::Memory();
  PEM_write_bio_PUBKEY(bio.get(), key_.get());
  return pki::TextOf(bio.get());
}

absl::StatusOr<SigningKey> SigningKey::Of(pki::Owned<EVP_PKEY> key) {
  ASSIGN_OR_RETURN(PublicKey half, PublicKey::Of(std::shared_ptr<EVP_PKEY>(key.release(), &EVP_PKEY_free)));
  return SigningKey(std::move(half));
}

absl::StatusOr<SigningKey> SigningKey::Generate() {
  pki::Owned<EVP_PKEY> key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  if (key == nullptr) return pki::OpensslFailed("make a key");
  return Of(std::move(key));
}

absl::StatusOr<SigningKey> SigningKey::FromPem(absl::string_view pem) {
  const pki::Owned<BIO> bio = pki::Reading(pem);
  pki::Owned<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    return absl::InvalidArgumentError("it holds no private key in PEM without a pass phrase");
  }
  return Of(std::move(key));
}

absl::StatusOr<SigningKey> SigningKey::Load(const std::string& path) {
  auto text = pki::ReadPrivate(path);
  if (absl::IsFailedPrecondition(text.status())) {
    // A public half may be read by everybody: that is not what is wrong with it.
    if (const auto whole = pki::ReadWhole(path); whole.ok() && PublicKey::FromPem(*whole).ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, " is a public key; the private one signs: the file whose name has no .pub"));
    }
  }
  RETURN_IF_ERROR(text.status());
  const pki::Secret pem(*std::move(text));
  auto key = FromPem(pem.Reveal());
  if (!key.ok()) return base::Annotate(key.status(), path);
  return key;
}

std::string SigningKey::Sign(absl::string_view text) const {
  unsigned char signature[kSignatureBytes];
  size_t size = sizeof signature;
  const Digest context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, public_key_.key_.get()) != 1 ||
      EVP_DigestSign(context.get(), signature, &size, Bytes(text), text.size()) != 1) {
    // Only memory can be short: the key was read and used before.
    ERR_print_errors_fp(stderr);
    std::abort();
  }
  return absl::Base64Escape(View(signature, size));
}

pki::Secret SigningKey::Pem() const {
  const pki::Owned<BIO> bio = pki::Memory();
  PEM_write_bio_PKCS8PrivateKey(bio.get(), public_key_.key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return pki::Secret(pki::TextOf(bio.get()));
}

}  // namespace curlew::signing
