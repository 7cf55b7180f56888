// TokenService: bearer tokens are made, shown and revoked.
#ifndef CURLEW_CONTROLLER_SERVICE_TOKEN_SERVICE_H_
#define CURLEW_CONTROLLER_SERVICE_TOKEN_SERVICE_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "controller/access/token_table.h"
#include "controller/dispatch/engine.h"
#include "controller/service/call.h"
#include "controller/service/kept_messages.h"
#include "controller/store/rollout_store.h"
#include "curlew/v1/operator.grpc.pb.h"

namespace curlew::service {

// Fills the table with all tokens of the store, on whose thread it is called. Fails as the store does.
absl::Status LoadTokens(store::TokenStore& tokens, access::TokenTable* table);

// Behaviour and errors of each call stand in operator.proto. Thread-safe.
class TokenService : public v1::TokenService::CallbackService {
 public:
  // All must outlive every call; `table`, which the guard judges by, is null where no tokens are taken: then
  // none is made, and those that there are can be listed and revoked.
  TokenService(dispatch::Engine* engine, access::TokenTable* table,
               const access::Guard* guard = &access::Guard::Open(),
               limits::Limiter* limiter = &limits::Limiter::Off())
      : engine_(engine), guard_(guard), limiter_(limiter), table_(table) {
    KeepMessages(this);
  }

  grpc::ServerUnaryReactor* CreateToken(grpc::CallbackServerContext* context,
                                        const v1::CreateTokenRequest* request,
                                        v1::CreateTokenResponse* response) override;
  grpc::ServerUnaryReactor* ListTokens(grpc::CallbackServerContext* context,
                                       const v1::ListTokensRequest* request,
                                       v1::ListTokensResponse* response) override;
  grpc::ServerUnaryReactor* RevokeToken(grpc::CallbackServerContext* context,
                                        const v1::RevokeTokenRequest* request, v1::Token* response) override;

 private:
  absl::Status Create(const v1::CreateTokenRequest& request, const std::string& actor,
                      v1::CreateTokenResponse* response);
  absl::Status List(const v1::ListTokensRequest& request, v1::ListTokensResponse* response);
  absl::Status Revoke(const v1::RevokeTokenRequest& request, const std::string& actor, v1::Token* response);

  Door At(absl::string_view method) const {
    return {guard_, absl::StrCat(v1::TokenService::service_full_name(), ".", method), limiter_};
  }

  dispatch::Engine* const engine_;
  const access::Guard* const guard_;
  limits::Limiter* const limiter_;
  access::TokenTable* const table_;
};

}  // namespace curlew::service

#endif  // CURLEW_CONTROLLER_SERVICE_TOKEN_SERVICE_H_
