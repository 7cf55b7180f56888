// An agent's role with no more rights than it needs, as `curlew-agent bootstrap-sql` makes it.
#ifndef CURLEW_TESTS_SUPPORT_AGENT_ROLE_H_
#define CURLEW_TESTS_SUPPORT_AGENT_ROLE_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "agent/bootstrap/bootstrap_sql.h"

namespace curlew::testing {

// Three roles of the shared cluster with names of their own: the tables' owner, the agent's, and that of its
// checks. The object drops them, and what they were granted, when it goes: that has to be after the databases
// in which they own something were dropped. Not thread-safe.
class AgentRole {
 public:
  // Makes the owner (NOLOGIN); the others are made by SetUp.
  AgentRole();
  ~AgentRole();
  AgentRole(const AgentRole&) = delete;
  AgentRole& operator=(const AgentRole&) = delete;

  const std::string& owner() const { return owner_; }
  const std::string& role() const { return options_.role; }
  const std::string& check_role() const { return options_.check_role; }
  // With one schema, public, and without extras.
  agent::BootstrapOptions& options() { return options_; }

  // In the superuser's database `conninfo`: gives the owner all that an application may own there, then runs
  // the SQL of options().
  absl::Status SetUp(const std::string& conninfo) const;
  // The first half of it.
  absl::Status GiveAway(const std::string& conninfo) const;

  // What stands outside schema curlew and the system's, and belongs to neither the owner nor a superuser; "".
  static std::string NotTheOwners(const std::string& owner);

 private:
  std::string owner_;
  agent::BootstrapOptions options_;
};

}  // namespace curlew::testing

#endif  // CURLEW_TESTS_SUPPORT_AGENT_ROLE_H_
