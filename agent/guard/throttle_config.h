// What the agent's own configuration says about how much of the database its walks may use.
#ifndef CURLEW_AGENT_GUARD_THROTTLE_CONFIG_H_
#define CURLEW_AGENT_GUARD_THROTTLE_CONFIG_H_

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace curlew::agent {

// A number of the operators' own, by which walks are throttled. Its SQL lives in the agent's configuration
// only: no plan and no controller can send one.
struct ThrottleCheck {
  std::string name;
  // Returns one row of one number. Run read-only, with a time-out.
  std::string sql;
  double limit = 0;
  // Whether it must be fresh: then walks pause while it cannot be read, else they go on as they are.
  bool required = false;
};

// A value.
struct ThrottleConfig {
  // Limits of signals by name, in the unit of the name; a negative one switches the signal off. Those that
  // are absent are DefaultLimits() of agent/guard/signals.h.
  std::map<std::string, double> limits;
  std::vector<ThrottleCheck> checks;
  // As which role they are made (agent/guard/check_role.h); "" for the agent's own.
  std::string check_role;
  // A path on the file system that holds the database, for "disk_used_fraction"; empty where the agent cannot
  // see it.
  std::string disk_path;
  // The most workers of a walk, whatever a plan says.
  int max_workers = 8;
};

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_GUARD_THROTTLE_CONFIG_H_
