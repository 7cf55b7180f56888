#include "controller/audit/signer.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <spdlog/spdlog.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/audit_chain.h"
#include "common/base/audit_key.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"

namespace curlew::audit {
namespace {

constexpr size_t kSignatureBytes = 64;

// Nobody is asked for a pass phrase.
int NoPassphrase(char*, int, int, void*) { return 0; }

}  // namespace

absl::StatusOr<std::unique_ptr<HeadSigner>> HeadSigner::Load(const std::string& path) {
  const std::unique_ptr<FILE, decltype(&std::fclose)> file(std::fopen(path.c_str(), "re"), &std::fclose);
  if (file == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat("the audit key ", path, " cannot be read"));
  }
  Key key(PEM_read_PrivateKey(file.get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  const auto id = key == nullptr
                      ? absl::InvalidArgumentError("it holds no private key in PEM without a pass phrase")
                      : base::AuditKeyId(key.get());
  if (!id.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the audit key ", path, ": ", id.status().message(),
                                                   "; curlew-controller audit-key FILE makes one"));
  }
  return std::unique_ptr<HeadSigner>(new HeadSigner(std::move(key), *id));
}

absl::StatusOr<v1::AuditHead> HeadSigner::Vouch(const v1::AuditHead& head, Read read) const {
  absl::MutexLock lock(&mutex_);
  // Its hash stands for all entries before it, so one entry is enough. Whether it is right, and whether the
  // chain leads from there to the head, is for whoever reads the log.
  if (last_.number() > 0) {
    ASSIGN_OR_RETURN(const std::vector<v1::AuditEntry> found, read(last_.number() - 1, 1));
    const bool there = !found.empty() && found[0].number() == last_.number();
    if (!there || found[0].hash() != last_.hash()) {
      spdlog::error("{}", base::WithFields("the audit log was changed; its head is not signed any more",
                                           {{"entry", absl::StrCat(last_.number())},
                                            {"hash", last_.hash()},
                                            {"found", there ? found[0].hash() : "nothing"}}));
      return head;
    }
  }
  last_ = head;
  return Sign(head.number(), head.hash());
}

v1::AuditHead HeadSigner::Sign(int64_t number, absl::string_view hash) const {
  const std::string text = base::AuditHeadText(number, hash);
  unsigned char signature[kSignatureBytes];
  size_t size = sizeof signature;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  if (EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_.get()) != 1 ||
      EVP_DigestSign(context.get(), signature, &size, reinterpret_cast<const unsigned char*>(text.data()),
                     text.size()) != 1) {
    // Only memory can be short: the key was read and used before.
    ERR_print_errors_fp(stderr);
    std::abort();
  }
  v1::AuditHead head;
  head.set_number(number);
  head.set_hash(std::string(hash));
  head.set_signature(absl::Base64Escape(absl::string_view(reinterpret_cast<const char*>(signature), size)));
  head.set_key_id(key_id_);
  return head;
}

}  // namespace curlew::audit
