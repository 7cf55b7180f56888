// Which role each RPC needs. Pure.
#ifndef CURLEW_CONTROLLER_ACCESS_RULES_H_
#define CURLEW_CONTROLLER_ACCESS_RULES_H_

#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "controller/access/policy.h"

namespace curlew::access {

// Where somebody needs the role of an RPC. The environments are those of what is stored, never what a request
// says.
enum class Place {
  kSomewhere,     // in any environment: what it is about belongs to none
  kAnyOfIt,       // in any environment of what it is about
  kAllOfIt,       // in each
  kEverywhere,    // everywhere, as it is about all of them
  kAgentsTarget,  // no role: agents, for targets that are theirs
};

struct Rule {
  absl::string_view method;  // "curlew.v1.PlanService.CreatePlan"
  Role role = Role::kAdmin;  // of no meaning for agents
  Place place = Place::kEverywhere;
  absl::string_view object;  // which environments those are, for people
};

// Where the role is needed, as docs/access.md says it: "one of the rollout's environments".
std::string Where(const Rule& rule);

// All of them.
std::span<const Rule> Rules();

// The rule of a method; there is one: CheckRules has seen that, and it ends the process where there is none.
const Rule& RuleOf(absl::string_view method);

// INTERNAL where a method of Curlew's services (operator.proto, agent.proto) has no rule, two, or a rule has
// no method. A controller that finds that does not start.
absl::Status CheckRules();

}  // namespace curlew::access

#endif  // CURLEW_CONTROLLER_ACCESS_RULES_H_
