// Checks of the agent's configuration.
#ifndef CURLEW_AGENT_CHECKS_CHECK_CONFIG_H_
#define CURLEW_AGENT_CHECKS_CHECK_CONFIG_H_

#include <map>
#include <string>

#include "absl/time/time.h"

namespace curlew::agent {

// A check that controllers may name.
struct CheckConfig {
  // One SELECT of one boolean, true where all is well, and optionally a text: what was measured.
  std::string sql;
  // How long it may take, whatever who asks for it says.
  absl::Duration timeout = absl::Seconds(10);
};

// By name.
using CheckConfigs = std::map<std::string, CheckConfig>;

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_CHECKS_CHECK_CONFIG_H_
