#include "controller/audit/signer.h"

#include <spdlog/spdlog.h>

#include "absl/strings/str_cat.h"
#include "common/base/error_detail.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/pki/files.h"
#include "common/pki/secret.h"
#include "common/signing/audit_head.h"

namespace curlew::audit {

absl::StatusOr<std::unique_ptr<HeadSigner>> HeadSigner::Load(const std::string& path) {
  // Whoever may read it: a mounted secret is the group's, or everybody's in its pod.
  absl::StatusOr<std::string> text = pki::ReadWhole(path);
  if (!text.ok()) {
    return base::Annotate(text.status(), absl::StrCat("the audit key ", path, " cannot be read"));
  }
  const pki::Secret pem(*std::move(text));
  auto key = signing::SigningKey::FromPem(pem.Reveal());
  if (!key.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the audit key ", path, ": ", key.status().message(),
                                                   "; curlew-controller audit-key FILE makes one"));
  }
  return std::unique_ptr<HeadSigner>(new HeadSigner(*std::move(key)));
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
  return signing::SignHead(key_, number, hash);
}

}  // namespace curlew::audit
