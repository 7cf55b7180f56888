// Who may do what, where: the controller's access file. Pure.
#ifndef CURLEW_CONTROLLER_ACCESS_POLICY_H_
#define CURLEW_CONTROLLER_ACCESS_POLICY_H_

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace curlew::access {

// What people may be. Every role includes viewer, and admin includes all, in the same environments.
enum class Role {
  kViewer,    // sees plans, rollouts, targets and their schemas, and the audit log
  kAuthor,    // stores plans
  kOperator,  // starts, pauses, resumes, retries, rolls back, tunes
  kApprover,  // approves gates, shortens waits
  kAdmin,     // changes the pipeline, lets through gates that do not hold
};
inline constexpr Role kRoles[] = {Role::kViewer, Role::kAuthor, Role::kOperator, Role::kApprover,
                                  Role::kAdmin};

// "viewer", ...
absl::string_view Word(Role role);

// Whether who has `role` has `wanted` too.
bool Includes(Role role, Role wanted);

// One role of somebody.
struct Grant {
  Role role = Role::kViewer;
  std::set<std::string> environments;  // bare names; empty for everywhere
  friend bool operator==(const Grant&, const Grant&) = default;
};

// Immutable; thread-safe.
class Policy {
 public:
  // Reads the YAML of an access file (docs/access.md). Names without more are those of the trust domain:
  // alice of `users` is spiffe://TRUST_DOMAIN/user/alice. INVALID_ARGUMENT with line and column.
  static absl::StatusOr<Policy> Parse(absl::string_view yaml, absl::string_view trust_domain);

  // Whose names stand without more.
  const std::string& trust_domain() const { return trust_domain_; }

  // What `identity` ("spiffe://curlew/user/alice", "cn:alice", "token:ci") may do, in the order of the file.
  std::vector<Grant> GrantsOf(const std::string& identity) const;

  // Whether the agent of that identity may serve `target`: as the file says, else where it has the name of
  // the target.
  bool Serves(const std::string& identity, const std::string& target) const;

 private:
  explicit Policy(absl::string_view trust_domain) : trust_domain_(trust_domain) {}
  friend class PolicyReader;

  std::string trust_domain_;
  std::vector<std::pair<std::set<std::string>, Grant>> grants_;  // identities, or "*" for all users
  std::map<std::string, std::set<std::string>> targets_;         // of agents; "*" for all
};

}  // namespace curlew::access

#endif  // CURLEW_CONTROLLER_ACCESS_POLICY_H_
