// Pairs of signing keys as files.
#ifndef CURLEW_COMMON_SIGNING_KEY_FILES_H_
#define CURLEW_COMMON_SIGNING_KEY_FILES_H_

#include <string>

#include "absl/status/statusor.h"
#include "common/signing/signing_key.h"

namespace curlew::signing {

// A pair that was made.
struct KeyFiles {
  std::string public_path;  // the private key's path and ".pub"
  PublicKey key;
};

// Makes an Ed25519 key pair: the private key in the new file `path`, readable for its owner alone, the public
// one in the new file `path`.pub; both PEM, both on the disk when it returns. ALREADY_EXISTS where one of the
// files is there: nothing is overwritten. Where it fails, it leaves neither.
absl::StatusOr<KeyFiles> MakeKeyFiles(const std::string& path);

// A public key, from a file with either half in PEM. Errors as SigningKey::Load's.
absl::StatusOr<PublicKey> LoadPublicKey(const std::string& path);

}  // namespace curlew::signing

#endif  // CURLEW_COMMON_SIGNING_KEY_FILES_H_
