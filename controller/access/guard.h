// Who calls, and whether they may.
#ifndef CURLEW_CONTROLLER_ACCESS_GUARD_H_
#define CURLEW_CONTROLLER_ACCESS_GUARD_H_

#include <grpcpp/server_context.h>

#include <array>
#include <cstdint>
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

namespace curlew::access {

// What a connection says of who is there: to be taken while its call lasts, in a reaction too.
struct Credential {
  std::string identity;  // the only URI name of the certificate, else "cn:" and its common name; "" without
  std::string peer;      // where it comes from

  static Credential Of(const grpc::ServerContextBase& context);
};

// Somebody who calls a method. Environments are given by their bare names. Copies are cheap; immutable.
// Errors are PERMISSION_DENIED, with who it is, what is missing, and base::kHint.
class Caller {
 public:
  // Whoever has no certificate, on a controller without any: may do all, under the name that is given.
  static Caller Unknown(const Rule& rule, std::string peer);
  // Who has shown a certificate of `identity`.
  static Caller Of(const Rule& rule, std::string identity, std::shared_ptr<const Policy> policy);

  // Whether a certificate says who it is.
  bool known() const { return policy_ != nullptr; }
  // Who acts, for the record: whom the certificate names, whatever the request says ("alice" for a user, the
  // identity for others); `given` without one, and where that is empty where the call comes from.
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

// The access file, read again when it changes. Thread-safe.
class Guard {
 public:
  // Of a controller that asks for no certificates: everybody may do all.
  static const Guard& Open();
  // Of one that does. Errors as Policy::Parse, with the path; and where the file cannot be read.
  static absl::StatusOr<std::unique_ptr<Guard>> Load(std::string path, std::string trust_domain);

  // Who calls `method` ("curlew.v1.PlanService.CreatePlan"). UNAUTHENTICATED where the certificate names
  // nobody; PERMISSION_DENIED where an agent calls what is for people, somebody else what is for agents, or
  // who has the role nowhere. May read the file: not for reactions.
  absl::StatusOr<Caller> Enter(const Credential& credential, absl::string_view method) const;

 private:
  Guard(std::string path, std::string trust_domain)
      : path_(std::move(path)), trust_domain_(std::move(trust_domain)) {}
  // Which file that is, and of when; zeros where there is none.
  using Stamp = std::array<int64_t, 5>;
  static Stamp StampOf(const std::string& path);
  // What the file says now: it is looked at for each call.
  std::shared_ptr<const Policy> Current() const;

  const std::string path_;  // empty where it is open
  const std::string trust_domain_;
  mutable absl::Mutex mutex_;
  mutable std::shared_ptr<const Policy> policy_ ABSL_GUARDED_BY(mutex_);
  mutable Stamp seen_ ABSL_GUARDED_BY(mutex_);  // of the file that was read last
};

}  // namespace curlew::access

#endif  // CURLEW_CONTROLLER_ACCESS_GUARD_H_
