// Signatures of the head of the audit log: made by controllers, checked by whoever has the public key.
#ifndef CURLEW_COMMON_SIGNING_AUDIT_HEAD_H_
#define CURLEW_COMMON_SIGNING_AUDIT_HEAD_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/signing/signing_key.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::signing {

// The head with its signature, over base::AuditHeadText, and the id of the key.
v1::AuditHead SignHead(const SigningKey& key, int64_t number, absl::string_view hash);

// OK where the head is signed by that key. FAILED_PRECONDITION where it is not signed, or with another key;
// DATA_LOSS where the signature is not right.
absl::Status VerifyHead(const PublicKey& key, const v1::AuditHead& head);

}  // namespace curlew::signing

#endif  // CURLEW_COMMON_SIGNING_AUDIT_HEAD_H_
