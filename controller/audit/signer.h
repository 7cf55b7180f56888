// Signs the head of the audit log with a key that is not in the store.
#ifndef CURLEW_CONTROLLER_AUDIT_SIGNER_H_
#define CURLEW_CONTROLLER_AUDIT_SIGNER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/signing/signing_key.h"
#include "curlew/v1/rollout.pb.h"

namespace curlew::audit {

// An Ed25519 private key, and what was signed with it last. Whoever can write to the store can make up a
// chain of entries that holds. Its head they cannot sign; and a controller that runs does not sign it for
// them, as it does not lead to what it has signed before. Thread-safe.
class HeadSigner {
 public:
  // Entries of the log after a number, at most `limit`.
  using Read = absl::FunctionRef<absl::StatusOr<std::vector<v1::AuditEntry>>(int64_t after, int limit)>;

  // Reads a private key, PEM (PKCS#8, not encrypted), from the file `path`. NOT_FOUND or PERMISSION_DENIED
  // where it cannot be read; INVALID_ARGUMENT where it holds no such key. No message has anything of the key.
  static absl::StatusOr<std::unique_ptr<HeadSigner>> Load(const std::string& path);

  // `head`, the log's of this moment, signed. Without a signature, and with an error in the log, where the
  // log is not what it was: the entry that was signed last by this process is gone, or another. Fails as
  // `read`.
  absl::StatusOr<v1::AuditHead> Vouch(const v1::AuditHead& head, Read read) const ABSL_LOCKS_EXCLUDED(mutex_);

  // The head with its signature, as signing::SignHead makes it.
  v1::AuditHead Sign(int64_t number, absl::string_view hash) const;

  // SHA-256 of the public key (raw, 32 bytes), hexadecimal.
  const std::string& key_id() const { return key_.public_key().id(); }

 private:
  explicit HeadSigner(signing::SigningKey key) : key_(std::move(key)) {}

  const signing::SigningKey key_;
  mutable absl::Mutex mutex_;
  // What was signed last; number 0 for nothing yet.
  mutable v1::AuditHead last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace curlew::audit

#endif  // CURLEW_CONTROLLER_AUDIT_SIGNER_H_
