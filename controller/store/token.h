// The rules of bearer tokens that do not depend on where they are kept.
#ifndef CURLEW_CONTROLLER_STORE_TOKEN_H_
#define CURLEW_CONTROLLER_STORE_TOKEN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "controller/store/rollout_store.h"

namespace curlew::store {

// Whether `hash` may be that of a token: 64 lower-case hexadecimal digits.
bool IsTokenHash(absl::string_view hash);

// Whether it may be stored. INVALID_ARGUMENT where it has no name, one that no store could keep, a text that
// is not valid UTF-8, or no hash.
absl::Status CheckToken(const TokenEntry& entry);
// The same of what is put on one.
absl::Status CheckRevocation(const v1::Token& revocation);

// Whether `added` may follow `newest` of the same name, as TokenStore::AddToken has it. ALREADY_EXISTS.
absl::Status CheckFollows(const v1::Token& newest, const v1::Token& added);
// ALREADY_EXISTS of a hash that is there: what is shown was not random.
absl::Status SameHash(const std::string& name);

// NOT_FOUND.
absl::Status NoToken(const std::string& name);

// `token` as it is once revoked.
v1::Token Revoked(v1::Token token, const v1::Token& revocation);

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_TOKEN_H_
