// A TokenStore that does something around every call of another one.
#ifndef CURLEW_CONTROLLER_STORE_TOKENS_AROUND_H_
#define CURLEW_CONTROLLER_STORE_TOKENS_AROUND_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/store/records_around.h"
#include "controller/store/rollout_store.h"

namespace curlew::store {

// As RecordsAround, of the tokens: ask is called with a TokenStore.
template <typename Around>
class TokensAround : public TokenStore {
 public:
  explicit TokensAround(Around around) : around_(std::move(around)) {}

  absl::Status AddToken(const TokenEntry& entry, const Record& record) override {
    return around_(RecordCall{"add_token", true},
                   [&](TokenStore& below) { return below.AddToken(entry, record); });
  }
  absl::StatusOr<v1::Token> RevokeToken(const v1::Token& revocation, const Record& record) override {
    return around_(RecordCall{"revoke_token", true},
                   [&](TokenStore& below) { return below.RevokeToken(revocation, record); });
  }
  absl::StatusOr<std::vector<TokenEntry>> ListTokens(const Page& page, std::string* next) override {
    return around_(RecordCall{"list_tokens", false},
                   [&](TokenStore& below) { return below.ListTokens(page, next); });
  }

 private:
  const Around around_;
};

}  // namespace curlew::store

#endif  // CURLEW_CONTROLLER_STORE_TOKENS_AROUND_H_
