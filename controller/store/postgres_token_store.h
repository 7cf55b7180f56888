// The bearer tokens in a PostgreSQL store.
#ifndef CURLEW_CONTROLLER_STORE_POSTGRES_TOKEN_STORE_H_
#define CURLEW_CONTROLLER_STORE_POSTGRES_TOKEN_STORE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/postgres_session.h"
#include "controller/store/rollout_store.h"

namespace curlew::store {

// The tokens of a PostgresRolloutStore, on its session: fenced, in order, and in doubt as all that it writes.
// Not thread-safe, as the store.
class PostgresTokenStore : public TokenStore {
 public:
  // `session` must outlive it.
  PostgresTokenStore(PostgresSession* session, const PostgresFence& fence)
      : session_(session), fence_(fence) {}

  absl::Status AddToken(const TokenEntry& entry, const Record& record) override;
  absl::StatusOr<v1::Token> RevokeToken(const v1::Token& revocation, const Record& record) override;
  absl::StatusOr<std::vector<TokenEntry>> ListTokens(const Page& page, std::string* next) override;

 private:
  PostgresSession* const session_;
  const PostgresFence fence_;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_POSTGRES_TOKEN_STORE_H_
