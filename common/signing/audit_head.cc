#include "common/signing/audit_head.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/audit_chain.h"

namespace curlew::signing {

v1::AuditHead SignHead(const SigningKey& key, int64_t number, absl::string_view hash) {
  v1::AuditHead head;
  head.set_number(number);
  head.set_hash(std::string(hash));
  head.set_signature(key.Sign(base::AuditHeadText(number, hash)));
  head.set_key_id(key.public_key().id());
  return head;
}

absl::Status VerifyHead(const PublicKey& key, const v1::AuditHead& head) {
  if (head.signature().empty()) {
    return absl::FailedPreconditionError("the head is not signed: the controller runs without --audit-key");
  }
  if (head.key_id() != key.id()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the head is signed with the key ", head.key_id(), ", not with ", key.id()));
  }
  if (key.Verify(base::AuditHeadText(head.number(), head.hash()), head.signature()).ok()) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat("the signature of the head, entry ", head.number(),
                                          ", is not right: it was not made by the controller's key"));
}

}  // namespace curlew::signing
