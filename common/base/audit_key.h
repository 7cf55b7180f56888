// Keys that heads of the audit log are signed with: what whoever checks a head needs.
#ifndef CURLEW_COMMON_BASE_AUDIT_KEY_H_
#define CURLEW_COMMON_BASE_AUDIT_KEY_H_

#include <openssl/evp.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::base {

// The id of an Ed25519 key, private or public: SHA-256 of its public part (raw, 32 bytes), hexadecimal.
// INVALID_ARGUMENT where the key is of another kind.
absl::StatusOr<std::string> AuditKeyId(const EVP_PKEY* key);

// An Ed25519 public key. Thread-safe; immutable.
class AuditPublicKey {
 public:
  // From PEM (SubjectPublicKeyInfo). INVALID_ARGUMENT where `pem` holds no such key.
  static absl::StatusOr<AuditPublicKey> FromPem(absl::string_view pem);

  // Checks the signature of a head. FAILED_PRECONDITION where the head is not signed, or with another key;
  // DATA_LOSS where the signature is not right.
  absl::Status Verify(const v1::AuditHead& head) const;

  // AuditKeyId.
  const std::string& id() const { return id_; }

 private:
  AuditPublicKey(std::shared_ptr<EVP_PKEY> key, std::string id) : key_(std::move(key)), id_(std::move(id)) {}

  std::shared_ptr<EVP_PKEY> key_;
  std::string id_;
};

}  // namespace curlew::base

#endif  // CURLEW_COMMON_BASE_AUDIT_KEY_H_
