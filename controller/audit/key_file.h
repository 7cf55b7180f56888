// Makes the key that heads of the audit log are signed with.
#ifndef CURLEW_CONTROLLER_AUDIT_KEY_FILE_H_
#define CURLEW_CONTROLLER_AUDIT_KEY_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace curlew::audit {

// A key pair that was made.
struct KeyPair {
  std::string public_path;  // the private key's path and ".pub"
  std::string id;           // base::AuditKeyId
};

// Makes an Ed25519 key pair: the private key in the new file `path`, readable for its owner alone, the public
// one in the new file `path`.pub; both PEM, both on the disk when it returns. ALREADY_EXISTS where one of the
// files is there: nothing is overwritten. Where it fails, it leaves neither.
absl::StatusOr<KeyPair> MakeKeyPair(const std::string& path);

}  // namespace curlew::audit

#endif  // CURLEW_CONTROLLER_AUDIT_KEY_FILE_H_
