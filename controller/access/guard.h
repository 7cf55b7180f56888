// Who calls, and whether they may.
#ifndef CURLEW_CONTROLLER_ACCESS_GUARD_H_
#define CURLEW_CONTROLLER_ACCESS_GUARD_H_

#include <grpcpp/security/auth_context.h>
#include <grpcpp/server_context.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "controller/access/policy.h"
#include "controller/access/rules.h"
#include "controller/access/token_table.h"

namespace curlew::access {

// What a call says of who is there: to be taken while it lasts, in a reaction too.
struct Credential {
  // What stands in its metadata under "authorization".
  enum class Authorization { kNone, kToken, kMalformed };

  // The only URI name of the certificate, else "cn:" and its common name; "" without, and where the URI name
  // has the form of something else's identity.
  std::string identity;
  std::string peer;  // where it comes from
  Authorization authorization = Authorization::kNone;
  std::string token_hash = {};  // SHA-256 of the token that is shown, whose text is not kept; "" without

  static Credential Of(const grpc::ServerContextBase& context);
  static Credential Of(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata,
                       const grpc::AuthContext& context, std::string peer);
};

// The identity that a certificate with these URI names and common names gives; "" for nobody's.
std::string IdentityOfCertificate(const std::vector<std::string>& uris,
                                  const std::vector<std::string>& common_names);

// Somebody who calls a method. Environments are given by their bare names. Copies are cheap; immutable.
// Errors are PERMISSION_DENIED, with who it is, what is missing, and base::kHint.
class Caller {
 public:
  // Whoever has no certificate, on a controller without any: may do all, under the name that is given.
  static Caller Unknown(const Rule& rule, std::string peer);
  // Who has shown a certificate, or a token, of `identity`.
  static Caller Of(const Rule& rule, std::string identity, std::shared_ptr<const Policy> policy);

  // Whether a certificate or a token says who it is.
  bool known() const { return policy_ != nullptr; }
  // Who acts, for the record: whom certificate or token name, whatever the request says ("alice" for a user,
  // the identity for others, "token:ci" for a token); `given` without one, and where that is empty where the
  // call comes from.
  std::string Actor(const std::string& given) const;
  // As Actor; INVALID_ARGUMENT that names the field `actor` where nobody is named.
  absl::StatusOr<std::string> Decider(const std::string& given) const;

  // OK where it has the rule's role in all of `environments`; in any of them; everywhere; anywhere. Of no
  // environments, all is everywhere.
  absl::Status InAll(const std::vector<std::string>& environments) const;
  absl::Status InAny(const std::vector<std::string>& environments) const;
  absl::Status Everywhere() const { return InAll({}); }
  absl::Status Somewhere() const;

  // OK for an agent that says it is `id` and serves `targets`, and may.
  absl::Status ServesAs(const std::string& id, const std::vector<std::string>& targets) const;

 private:
  Caller(const Rule* rule, std::string identity, std::shared_ptr<const Policy> policy)
      : rule_(rule), identity_(std::move(identity)), policy_(std::move(policy)) {}
  // Whether it has the role in an environment; "" for everywhere.
  bool Has(const std::string& environment) const;
  absl::Status Denied(absl::string_view where) const;

  const Rule* rule_;
  std::string identity_;  // without a policy, where the call comes from
  std::shared_ptr<const Policy> policy_;
};

// The access file, read again when it changes, and the tokens. Of a call with a certificate and a token the
// token counts: it was given on purpose. Thread-safe.
class Guard {
 public:
  // Of a controller that asks for no certificates: everybody may do all.
  static const Guard& Open();
  // Of one that does. `tokens`, which must outlive it, are those that count; null where none is heard.
  // Errors as Policy::Parse, with the path; and where the file cannot be read.
  static absl::StatusOr<std::unique_ptr<Guard>> Load(std::string path, std::string trust_domain,
                                                     const TokenTable* tokens = nullptr);

  // Who calls `method` ("curlew.v1.PlanService.CreatePlan"). UNAUTHENTICATED where the certificate names
  // nobody, there is neither certificate nor token, or the token does not count; PERMISSION_DENIED where an
  // agent shows a token, an agent calls what is for people, somebody else what is for agents, or who has the
  // role nowhere. May read the file: not for reactions.
  absl::StatusOr<Caller> Enter(const Credential& credential, absl::string_view method) const;

  // OK where certificate or token name somebody, whatever he may do; errors as Enter's. In reactions too.
  absl::Status Known(const Credential& credential) const { return IdentityOf(credential).status(); }

  // Whose calls those are, to count them: the identity, or, of whoever has none that counts, the host that he
  // calls from, so that nobody gets another account by another false token. In reactions too.
  std::string AccountOf(const Credential& credential) const;

 private:
  Guard(std::string path, std::string trust_domain, const TokenTable* tokens)
      : path_(std::move(path)), trust_domain_(std::move(trust_domain)), tokens_(tokens) {}
  // "" where everybody may do all.
  absl::StatusOr<std::string> IdentityOf(const Credential& credential) const;
  // Which file that is, and of when; zeros where there is none.
  using Stamp = std::array<int64_t, 5>;
  static Stamp StampOf(const std::string& path);
  // What the file says now: it is looked at for each call.
  std::shared_ptr<const Policy> Current() const;

  const std::string path_;  // empty where it is open
  const std::string trust_domain_;
  const TokenTable* const tokens_;
  mutable absl::Mutex mutex_;
  mutable std::shared_ptr<const Policy> policy_ ABSL_GUARDED_BY(mutex_);
  mutable Stamp seen_ ABSL_GUARDED_BY(mutex_);  // of the file that was read last
};

}  // namespace curlew::access

#endif  // CURLEW_CONTROLLER_ACCESS_GUARD_H_
