// Signed plans and signed decisions (curlew/v1/signature.proto): made by people, carried by controllers,
// checked by agents. Pure. Whether a key is trusted is not judged here.
#ifndef CURLEW_COMMON_SIGNING_STATEMENTS_H_
#define CURLEW_COMMON_SIGNING_STATEMENTS_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/signing/signing_key.h"
#include "curlew/v1/signature.pb.h"

namespace curlew::signing {

// Signs what is said. The statement is complete (CheckForm).
v1::PlanSignature Sign(const SigningKey& key, const v1::PlanStatement& statement);
v1::DecisionSignature Sign(const SigningKey& key, const v1::DecisionStatement& statement);

// INVALID_ARGUMENT, with base::kField, where something is missing in a statement or makes no sense: no id, no
// digest, targets that are not sorted or given twice, an end before the beginning, a step with DROP.
absl::Status CheckForm(const v1::PlanStatement& statement);
absl::Status CheckForm(const v1::DecisionStatement& statement);

// The key that has signed, where form and signature are right. INVALID_ARGUMENT where the form or the key is
// not; DATA_LOSS where the signature is not.
absl::StatusOr<PublicKey> Verify(const v1::PlanSignature& signature);
absl::StatusOr<PublicKey> Verify(const v1::DecisionSignature& signature);

}  // namespace curlew::signing

#endif  // CURLEW_COMMON_SIGNING_STATEMENTS_H_
