#include "controller/access/guard.h"

#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/bearer_token.h"
#include "common/base/error_detail.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/pki/files.h"
#include "common/pki/identity.h"

namespace curlew::access {
namespace {

// Names of properties of the certificate (grpc_security_constants.h).
constexpr char kUri[] = "peer_uri";
constexpr char kCommonName[] = "x509_common_name";
// What their identities begin with.
constexpr absl::string_view kCommonNames = "cn:";

constexpr char kAuthorization[] = "authorization";
constexpr absl::string_view kBearer = "bearer ";  // in any case (RFC 7235)

std::vector<std::string> Property(const grpc::AuthContext& context, const char* name) {
  std::vector<std::string> values;
  for (const grpc::string_ref& value : context.FindPropertyValues(name)) {
    values.emplace_back(value.data(), value.size());
  }
  return values;
}

// The token that an authorization shows; nullopt where it shows none.
std::optional<absl::string_view> TokenIn(absl::string_view authorization) {
  if (!absl::StartsWithIgnoreCase(authorization, kBearer)) return std::nullopt;
  const absl::string_view text = authorization.substr(kBearer.size());
  if (!base::IsBearerToken(text)) return std::nullopt;
  return text;
}

absl::Status Unauthenticated(absl::string_view reason, absl::string_view message, absl::string_view hint) {
  return base::WithDetail(base::WithDetail(absl::UnauthenticatedError(message), base::kReason, reason),
                          base::kHint, hint);
}

// "ipv4:10.0.0.7:41234" without the port.
std::string HostOf(const std::string& peer) { return peer.substr(0, peer.rfind(':')); }

bool IsAgent(const std::string& identity) {
  const auto parsed = pki::ParseUri(identity);
  return parsed.ok() && parsed->party == pki::Party::kAgent;
}

std::string Shown(const std::vector<Grant>& grants) {
  if (grants.empty()) return "has no role";
  return absl::StrCat("is ", absl::StrJoin(grants, ", ", [](std::string* out, const Grant& grant) {
                        absl::StrAppend(
                            out, Word(grant.role),
                            grant.environments.empty()
                                ? " everywhere"
                                : absl::StrCat(" in ", absl::StrJoin(grant.environments, " and ")));
                      }));
}

constexpr char kAsk[] =
    "who keeps the controller's access file (--access) gives roles; it is read again when it changes";

}  // namespace

std::string IdentityOfCertificate(const std::vector<std::string>& uris,
                                  const std::vector<std::string>& common_names) {
  // Of several names none is the right one.
  if (uris.size() > 1) return "";
  if (uris.size() == 1) {
    const bool forged = absl::StartsWith(uris[0], kTokenIdentity) || absl::StartsWith(uris[0], kCommonNames);
    return forged ? "" : uris[0];
  }
  if (common_names.size() != 1 || common_names[0].empty()) return "";
  return absl::StrCat(kCommonNames, common_names[0]);
}

Credential Credential::Of(const grpc::ServerContextBase& context) {
  return Of(context.client_metadata(), *context.auth_context(), context.peer());
}

Credential Credential::Of(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata,
                          const grpc::AuthContext& context, std::string peer) {
  Credential credential{
      .identity = IdentityOfCertificate(Property(context, kUri), Property(context, kCommonName)),
      .peer = std::move(peer)};
  const auto [begin, end] = metadata.equal_range(kAuthorization);
  if (begin == end) return credential;
  const absl::string_view authorization(begin->second.data(), begin->second.size());
  const auto token = std::next(begin) == end ? TokenIn(authorization) : std::nullopt;
  credential.authorization = token.has_value() ? Authorization::kToken : Authorization::kMalformed;
  if (token.has_value()) credential.token_hash = base::Sha256Hex(*token);
  return credential;
}

Caller Caller::Unknown(const Rule& rule, std::string peer) { return Caller(&rule, std::move(peer), nullptr); }

Caller Caller::Of(const Rule& rule, std::string identity, std::shared_ptr<const Policy> policy) {
  return Caller(&rule, std::move(identity), std::move(policy));
}

std::string Caller::Actor(const std::string& given) const {
  if (!known()) return given.empty() ? absl::StrCat("unknown at ", identity_) : given;
  const auto parsed = pki::ParseUri(identity_);
  const bool own =
      parsed.ok() && parsed->party == pki::Party::kUser && parsed->trust_domain == policy_->trust_domain();
  return own ? parsed->name : identity_;
}

absl::StatusOr<std::string> Caller::Decider(const std::string& given) const {
  if (!known() && given.empty()) {
    return base::WithDetail(absl::InvalidArgumentError("actor is empty; it is required"), base::kField,
                            "actor");
  }
  return Actor(given);
}

bool Caller::Has(const std::string& environment) const {
  const std::vector<Grant> grants = policy_->GrantsOf(identity_);
  return std::any_of(grants.begin(), grants.end(), [&](const Grant& grant) {
    return Includes(grant.role, rule_->role) &&
           (grant.environments.empty() ||
            (!environment.empty() && grant.environments.count(environment) > 0));
  });
}

absl::Status Caller::Denied(absl::string_view where) const {
  const absl::string_view method = rule_->method.substr(rule_->method.rfind('.') + 1);
  return base::WithDetail(
      base::WithDetail(
          absl::PermissionDeniedError(absl::StrCat(
              Actor(""), " may not do this (", method, "): it needs the role ", Word(rule_->role), " ", where,
              ", and ", Actor(""), " ", Shown(policy_->GrantsOf(identity_)))),
          base::kReason, "ROLE_MISSING"),
      base::kHint, kAsk);
}

absl::Status Caller::InAll(const std::vector<std::string>& environments) const {
  if (!known()) return absl::OkStatus();
  if (environments.empty()) return Has("") ? absl::OkStatus() : Denied("everywhere");
  for (const std::string& environment : environments) {
    if (!Has(environment)) return Denied(absl::StrCat("in ", environment));
  }
  return absl::OkStatus();
}

absl::Status Caller::InAny(const std::vector<std::string>& environments) const {
  if (!known() || Has("")) return absl::OkStatus();
  if (std::any_of(environments.begin(), environments.end(), [&](const auto& one) { return Has(one); })) {
    return absl::OkStatus();
  }
  return Denied(environments.empty() ? "everywhere"
                                     : absl::StrCat("in ", absl::StrJoin(environments, " or ")));
}

absl::Status Caller::Somewhere() const {
  if (!known()) return absl::OkStatus();
  const std::vector<Grant> grants = policy_->GrantsOf(identity_);
  if (std::any_of(grants.begin(), grants.end(),
                  [&](const Grant& grant) { return Includes(grant.role, rule_->role); })) {
    return absl::OkStatus();
  }
  return Denied("somewhere");
}

absl::Status Caller::ServesAs(const std::string& id, const std::vector<std::string>& targets) const {
  if (!known()) return absl::OkStatus();
  const auto parsed = pki::ParseUri(identity_);
  if (!parsed.ok() || parsed->party != pki::Party::kAgent || parsed->name != id) {
    return base::WithDetail(absl::PermissionDeniedError(absl::StrCat("the certificate of ", identity_,
                                                                     " is not that of an agent ", id)),
                            base::kHint,
                            "leave --id out: with a certificate the agent has the name that stands there");
  }
  for (const std::string& target : targets) {
    if (policy_->Serves(identity_, target)) continue;
    return base::WithDetail(
        absl::PermissionDeniedError(absl::StrCat("agent ", id, " may not serve target ", target)),
        base::kHint,
        absl::StrCat("name the agent as the target, or give it the target in the controller's access file: "
                     "agents: [{agent: ",
                     id, ", targets: [", target, "]}]"));
  }
  return absl::OkStatus();
}

const Guard& Guard::Open() {
  static const Guard* const open = new Guard("", "", nullptr);
  return *open;
}

absl::StatusOr<std::unique_ptr<Guard>> Guard::Load(std::string path, std::string trust_domain,
                                                   const TokenTable* tokens) {
  std::unique_ptr<Guard> guard(new Guard(std::move(path), std::move(trust_domain), tokens));
  absl::MutexLock lock(&guard->mutex_);
  // Before it is read: a change that comes meanwhile is seen later.
  guard->seen_ = StampOf(guard->path_);
  ASSIGN_OR_RETURN(const std::string text, pki::ReadWhole(guard->path_));
  auto policy = Policy::Parse(text, guard->trust_domain_);
  if (!policy.ok()) return base::Annotate(policy.status(), guard->path_);
  guard->policy_ = std::make_shared<const Policy>(*std::move(policy));
  return guard;
}

Guard::Stamp Guard::StampOf(const std::string& path) {
  struct stat file {};
  if (stat(path.c_str(), &file) != 0) return {};
  return {static_cast<int64_t>(file.st_dev), static_cast<int64_t>(file.st_ino), file.st_size,
          file.st_mtim.tv_sec, file.st_mtim.tv_nsec};
}

std::shared_ptr<const Policy> Guard::Current() const {
  absl::MutexLock lock(&mutex_);
  const Stamp stamp = StampOf(path_);
  if (stamp == seen_) return policy_;
  const auto text = pki::ReadWhole(path_);
  auto policy = text.ok() ? Policy::Parse(*text, trust_domain_) : text.status();
  seen_ = stamp;
  if (policy.ok()) {
    policy_ = std::make_shared<const Policy>(*std::move(policy));
    spdlog::info("{}",
                 base::WithFields("the access file has changed and holds from now on", {{"file", path_}}));
  } else {
    spdlog::error("{}",
                  base::WithFields("the access file cannot be used: what it said before goes on to hold",
                                   {{"file", path_}, {"message", policy.status().message()}}));
  }
  return policy_;
}

absl::StatusOr<std::string> Guard::IdentityOf(const Credential& credential) const {
  using Authorization = Credential::Authorization;
  if (credential.authorization == Authorization::kNone) {
    if (!credential.identity.empty() || path_.empty()) return credential.identity;
    if (tokens_ == nullptr) {
      return Unauthenticated("NOBODY", "the certificate names nobody",
                             "it needs one URI name, or a common name (curlew pki issue)");
    }
    return Unauthenticated("NOBODY", "there is neither a certificate that names somebody nor a token",
                           "give --token-file or CURLEW_TOKEN, or --tls-cert and --tls-key");
  }
  if (path_.empty()) {
    return Unauthenticated(
        "TOKEN_IN_PLAIN_TEXT", "tokens are taken over TLS alone",
        "this one has gone over the wire in plain text: revoke it (curlew token revoke NAME)");
  }
  if (tokens_ == nullptr) {
    return Unauthenticated("TOKENS_OFF", "this controller takes no tokens",
                           "leave --token-file and CURLEW_TOKEN out, or start it with --tokens");
  }
  if (IsAgent(credential.identity)) {
    return base::WithDetail(absl::PermissionDeniedError(
                                absl::StrCat(credential.identity, " is an agent, and tokens are for people")),
                            base::kHint, "give the token with a person's certificate, or without any");
  }
  if (credential.authorization == Authorization::kMalformed) {
    return Unauthenticated("TOKEN_MALFORMED", "what is shown in place of a token is none",
                           "the metadata has one `authorization: Bearer curlew_...`, with all of what "
                           "curlew token create has told");
  }
  return tokens_->IdentityOf(credential.token_hash);
}

std::string Guard::AccountOf(const Credential& credential) const {
  const auto identity = IdentityOf(credential);
  return identity.ok() && !identity->empty() ? *identity : HostOf(credential.peer);
}

absl::StatusOr<Caller> Guard::Enter(const Credential& credential, absl::string_view method) const {
  const Rule& rule = RuleOf(method);
  ASSIGN_OR_RETURN(const std::string identity, IdentityOf(credential));
  if (path_.empty()) return Caller::Unknown(rule, credential.peer);
  const bool for_agents = rule.place == Place::kAgentsTarget;
  if (for_agents != IsAgent(identity)) {
    return absl::PermissionDeniedError(
        for_agents ? absl::StrCat(identity, " is no agent: it shows no certificate with a name as spiffe://",
                                  trust_domain_, "/agent/NAME")
                   : absl::StrCat(identity, " is an agent, and this is for people"));
  }
  Caller caller = Caller::Of(rule, identity, Current());
  // Where it is about something in particular, the method says the rest.
  if (rule.place == Place::kEverywhere) RETURN_IF_ERROR(caller.Everywhere());
  if (!for_agents) RETURN_IF_ERROR(caller.Somewhere());
  return caller;
}

}  // namespace curlew::access
