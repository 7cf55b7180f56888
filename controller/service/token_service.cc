#include "controller/service/token_service.h"

#include <spdlog/spdlog.h>

#include <iterator>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "common/base/bearer_token.h"
#include "common/base/error_detail.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/proto_time.h"
#include "common/base/status_macros.h"
#include "controller/dispatch/names.h"

namespace curlew::service {
namespace {

constexpr char kCollection[] = "tokens";
constexpr absl::Duration kUsualLifetime = absl::Hours(90 * 24), kLongestLifetime = absl::Hours(366 * 24);
constexpr size_t kLongestPurpose = 1000;
constexpr int kPage = 500;

std::string Shown(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

absl::StatusOr<absl::Duration> LifetimeOf(const v1::CreateTokenRequest& request) {
  if (!request.has_lifetime()) return kUsualLifetime;
  const absl::Duration lifetime = base::FromProto(request.lifetime());
  if (lifetime > absl::ZeroDuration() && lifetime <= kLongestLifetime) return lifetime;
  return BadField("lifetime", absl::StrCat("lifetime is ", absl::FormatDuration(lifetime),
                                           "; a token counts for more than 0 and at most 366 days"));
}

absl::Status CheckName(absl::string_view field, const std::string& name) {
  RETURN_IF_ERROR(Required(field, name));
  const absl::Status status = access::CheckTokenName(name);
  return status.ok() ? status : BadField(field, status.message());
}

}  // namespace

absl::Status LoadTokens(store::TokenStore& tokens, access::TokenTable* table) {
  std::vector<std::pair<std::string, v1::Token>> all;
  store::Page page{.size = kPage};
  do {
    std::string next;
    ASSIGN_OR_RETURN(auto entries, tokens.ListTokens(page, &next));
    for (store::TokenEntry& entry : entries) all.emplace_back(entry.hash, std::move(entry.token));
    page.token = std::move(next);
  } while (!page.token.empty());
  // In the order of their arrival.
  table->Load({std::make_move_iterator(all.rbegin()), std::make_move_iterator(all.rend())});
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* TokenService::CreateToken(grpc::CallbackServerContext* context,
                                                    const v1::CreateTokenRequest* request,
                                                    v1::CreateTokenResponse* response) {
  return Answer(context, &engine_->loop(), At("CreateToken"), [=, this](const access::Caller& caller) {
    return Create(*request, caller.Actor(request->actor()), response);
  });
}

absl::Status TokenService::Create(const v1::CreateTokenRequest& request, const std::string& actor,
                                  v1::CreateTokenResponse* response) {
  RETURN_IF_ERROR(CheckName("token_id", request.token_id()));
  ASSIGN_OR_RETURN(const absl::Duration lifetime, LifetimeOf(request));
  if (request.purpose().size() > kLongestPurpose) {
    return BadField("purpose", absl::StrCat("purpose has ", request.purpose().size(), " bytes; at most ",
                                            kLongestPurpose, " are kept"));
  }
  if (table_ == nullptr) {
    return base::WithDetail(
        base::WithDetail(absl::FailedPreconditionError("this controller takes no tokens, so none is made"),
                         base::kReason, "TOKENS_OFF"),
        base::kHint, "start it with --tokens, and with certificates");
  }
  const absl::Time now = engine_->clock().Now();
  store::TokenEntry entry;
  entry.token.set_name(dispatch::WithCollection(kCollection, request.token_id()));
  *entry.token.mutable_create_time() = base::ToProto(now);
  *entry.token.mutable_expire_time() = base::ToProto(now + lifetime);
  entry.token.set_creator(actor);
  entry.token.set_purpose(request.purpose());
  std::string text = base::NewBearerToken();
  entry.hash = base::Sha256Hex(text);
  store::Record record = RecordOf(now, "token.create", entry.token.name(), actor, request.purpose());
  (*record.audit.back().mutable_details())["expires"] = Shown(now + lifetime);
  RETURN_IF_ERROR(engine_->store().tokens().AddToken(entry, record));
  table_->Add(entry.hash, entry.token);
  spdlog::info("{}", base::WithFields("token made", {{"token", entry.token.name()},
                                                     {"actor", actor},
                                                     {"expires", Shown(now + lifetime)}}));
  *response->mutable_token() = std::move(entry.token);
  response->set_secret(std::move(text));
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* TokenService::ListTokens(grpc::CallbackServerContext* context,
                                                   const v1::ListTokensRequest* request,
                                                   v1::ListTokensResponse* response) {
  return Answer(
      context, &engine_->loop(), At("ListTokens"),
      [=, this](const access::Caller& /*caller*/) -> absl::Status { return List(*request, response); });
}

absl::Status TokenService::List(const v1::ListTokensRequest& request, v1::ListTokensResponse* response) {
  ASSIGN_OR_RETURN(const store::Page page, PageOf(request.page_size(), request.page_token()));
  ASSIGN_OR_RETURN(auto entries,
                   engine_->store().tokens().ListTokens(page, response->mutable_next_page_token()));
  for (store::TokenEntry& entry : entries) *response->add_tokens() = std::move(entry.token);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* TokenService::RevokeToken(grpc::CallbackServerContext* context,
                                                    const v1::RevokeTokenRequest* request,
                                                    v1::Token* response) {
  return Answer(context, &engine_->loop(), At("RevokeToken"), [=, this](const access::Caller& caller) {
    return Revoke(*request, caller.Actor(request->actor()), response);
  });
}

absl::Status TokenService::Revoke(const v1::RevokeTokenRequest& request, const std::string& actor,
                                  v1::Token* response) {
  const std::string id = dispatch::WithoutCollection(kCollection, request.name());
  RETURN_IF_ERROR(CheckName("name", id));
  const absl::Time now = engine_->clock().Now();
  v1::Token revocation;
  revocation.set_name(dispatch::WithCollection(kCollection, id));
  *revocation.mutable_revoke_time() = base::ToProto(now);
  revocation.set_revoker(actor);
  const store::Record record = RecordOf(now, "token.revoke", revocation.name(), actor, request.reason());
  auto revoked = engine_->store().tokens().RevokeToken(revocation, record);
  if (base::Detail(revoked.status(), base::kReason) == store::kStoreInDoubt && table_ != nullptr) {
    // It may be stored: then it counts here, too, also if nobody asks again.
    LoadTokens(engine_->store().tokens(), table_).IgnoreError();
  }
  ASSIGN_OR_RETURN(*response, std::move(revoked));
  if (table_ != nullptr) table_->Update(*response);
  // Whoever watches with it is told nothing more.
  engine_->rollouts().watches().TellAll();
  spdlog::info("{}", base::WithFields("token revoked", {{"token", revocation.name()}, {"actor", actor}}));
  return absl::OkStatus();
}

}  // namespace curlew::service
