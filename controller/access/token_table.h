// The bearer tokens that count, and those that did.
#ifndef CURLEW_CONTROLLER_ACCESS_TOKEN_TABLE_H_
#define CURLEW_CONTROLLER_ACCESS_TOKEN_TABLE_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/base/clock.h"
#include "curlew/v1/operator.pb.h"

namespace curlew::access {

// What a token's identity begins with: "token:ci" of the token "tokens/ci".
inline constexpr absl::string_view kTokenIdentity = "token:";

// INVALID_ARGUMENT where `name` ("ci") is none of a token: lower-case letters, digits and dashes, 63 at most,
// the first and the last no dash.
absl::Status CheckTokenName(absl::string_view name);

// What a leader knows of tokens, by the SHA-256 of what is shown. Loaded from the store when its term begins,
// told of every change by the service that makes it, and empty between terms. Thread-safe; never blocks.
class TokenTable {
 public:
  // `clock` must outlive it.
  explicit TokenTable(const base::Clock* clock) : clock_(clock) {}

  // Replaces all, each with its hash. Any order; of one name the one that was made last is the newest.
  void Load(std::vector<std::pair<std::string, v1::Token>> tokens);
  void Clear() { Load({}); }
  // One more, the newest of its name.
  void Add(const std::string& hash, const v1::Token& token);
  // What is now to be said of the newest of that name.
  void Update(const v1::Token& token);

  // The identity of whoever shows the token with that hash. UNAUTHENTICATED with base::kReason and
  // base::kHint where it is not known (TOKEN_UNKNOWN), has expired (TOKEN_EXPIRED) or was revoked
  // (TOKEN_REVOKED), and since when. Never says anything of the text or its hash.
  absl::StatusOr<std::string> IdentityOf(const std::string& hash) const;

 private:
  const base::Clock* const clock_;
  mutable absl::Mutex mutex_;
  std::map<std::string, v1::Token> tokens_ ABSL_GUARDED_BY(mutex_);         // by hash
  std::map<std::string, std::string> newest_hash_ ABSL_GUARDED_BY(mutex_);  // by name
};

}  // namespace curlew::access

#endif  // CURLEW_CONTROLLER_ACCESS_TOKEN_TABLE_H_
