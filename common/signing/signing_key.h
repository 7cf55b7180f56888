// Ed25519 keys that people and programs sign with (RFC 8032), by OpenSSL.
#ifndef CURLEW_COMMON_SIGNING_SIGNING_KEY_H_
#define CURLEW_COMMON_SIGNING_SIGNING_KEY_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/pki/openssl.h"
#include "common/pki/secret.h"

namespace curlew::signing {

// A public key. Immutable; thread-safe; copies are cheap.
class PublicKey {
 public:
  // From its raw 32 bytes in base64, as text() gives them. INVALID_ARGUMENT for anything else.
  static absl::StatusOr<PublicKey> FromText(absl::string_view base64);
  // From PEM (SubjectPublicKeyInfo). INVALID_ARGUMENT where `pem` holds no such key.
  static absl::StatusOr<PublicKey> FromPem(absl::string_view pem);

  // OK where `signature` (64 bytes, base64) is this key's of `text`; DATA_LOSS else.
  absl::Status Verify(absl::string_view text, absl::string_view signature) const;

  // The raw 32 bytes, base64: 44 letters.
  const std::string& text() const { return text_; }
  // SHA-256 of the raw bytes, hexadecimal: what is shown to people.
  const std::string& id() const { return id_; }
  std::string Pem() const;

  friend bool operator==(const PublicKey& a, const PublicKey& b) { return a.text_ == b.text_; }

 private:
  friend class SigningKey;
  static absl::StatusOr<PublicKey> Of(std::shared_ptr<EVP_PKEY> key);
  PublicKey(std::shared_ptr<EVP_PKEY> key, std::string text, std::string id)
      : key_(std::move(key)), text_(std::move(text)), id_(std::move(id)) {}

  std::shared_ptr<EVP_PKEY> key_;
  std::string text_;
  std::string id_;
};

// A private key. Immutable; thread-safe. No message has anything of it.
class SigningKey {
 public:
  // A new one.
  static absl::StatusOr<SigningKey> Generate();
  // From PEM (PKCS#8, not encrypted). INVALID_ARGUMENT where `pem` holds no Ed25519 key.
  static absl::StatusOr<SigningKey> FromPem(absl::string_view pem);
  // From a file. NOT_FOUND or PERMISSION_DENIED where it cannot be read; FAILED_PRECONDITION where everybody
  // may read it; INVALID_ARGUMENT as FromPem, with the path.
  static absl::StatusOr<SigningKey> Load(const std::string& path);

  // The signature of `text`, base64. Deterministic.
  std::string Sign(absl::string_view text) const;

  const PublicKey& public_key() const { return public_key_; }
  pki::Secret Pem() const;

 private:
  static absl::StatusOr<SigningKey> Of(pki::Owned<EVP_PKEY> key);
  explicit SigningKey(PublicKey key) : public_key_(std::move(key)) {}

  // Its EVP_PKEY is the pair.
  PublicKey public_key_;
};

}  // namespace curlew::signing

#endif  // CURLEW_COMMON_SIGNING_SIGNING_KEY_H_
