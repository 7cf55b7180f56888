// Signing keys, and what was signed with them, for people to read.
#ifndef CURLEW_CLI_KEY_VIEW_H_
#define CURLEW_CLI_KEY_VIEW_H_

#include <string>

#include "absl/time/time.h"
#include "common/signing/signing_key.h"
#include "curlew/v1/signature.pb.h"

namespace curlew::cli {

// The public key as agents are given it, and its id.
std::string RenderKey(const signing::PublicKey& key);

// "21fe31dfa154a261": the beginning of the id of a public key, as people are shown it; "?" for no key.
std::string ShortKeyId(const std::string& public_key);

// A plan's signature, in one line: "key 21fe31dfa154a261, for production (crm-1, crm-2), valid until …", and
// whether it is right.
std::string PlanSignatureText(const v1::PlanSignature& signature, absl::Time now);

}  // namespace curlew::cli

#endif  // CURLEW_CLI_KEY_VIEW_H_
