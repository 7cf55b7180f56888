#include "common/base/audit_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/audit_chain.h"
#include "common/base/hash.h"
#include "common/base/status_macros.h"

namespace curlew::base {
namespace {

constexpr size_t kKeyBytes = 32;

const unsigned char* Bytes(absl::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

absl::StatusOr<std::string> AuditKeyId(const EVP_PKEY* key) {
  unsigned char raw[kKeyBytes];
  size_t size = sizeof raw;
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_ED25519 || EVP_PKEY_get_raw_public_key(key, raw, &size) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("the key is not an Ed25519 key");
  }
  return Sha256Hex(absl::string_view(reinterpret_cast<const char*>(raw), size));
}

absl::StatusOr<AuditPublicKey> AuditPublicKey::FromPem(absl::string_view pem) {
  const std::unique_ptr<BIO, decltype(&BIO_free)> bio(
      BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free);
  std::shared_ptr<EVP_PKEY> key(PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free);
  ERR_clear_error();
  if (key == nullptr) return absl::InvalidArgumentError("there is no public key in PEM");
  ASSIGN_OR_RETURN(std::string id, AuditKeyId(key.get()));
  return AuditPublicKey(std::move(key), std::move(id));
}

absl::Status AuditPublicKey::Verify(const v1::AuditHead& head) const {
  if (head.signature().empty()) {
    return absl::FailedPreconditionError("the head is not signed: the controller runs without --audit-key");
  }
  if (head.key_id() != id_) {
    return absl::FailedPreconditionError(
        absl::StrCat("the head is signed with the key ", head.key_id(), ", not with ", id_));
  }
  std::string signature;
  const std::string text = AuditHeadText(head.number(), head.hash());
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  const bool right =
      absl::Base64Unescape(head.signature(), &signature) &&
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
      EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(text), text.size()) == 1;
  ERR_clear_error();
  if (right) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the signature of the head, entry ", head.number(),
                                          ", is not right: it was not made by the controller's key"));
}

}  // namespace curlew::base
