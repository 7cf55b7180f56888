// The agent's command line.
#ifndef CURLEW_AGENT_FLAGS_H_
#define CURLEW_AGENT_FLAGS_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/attempt/run_context.h"
#include "agent/config_file.h"
#include "agent/guard/throttle_config.h"
#include "common/base/log.h"
#include "common/pg/pool.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/transport.h"

namespace curlew::agent {

// A database that the agent serves.
struct TargetFlag {
  std::string name;
  // May hold a password: never logged.
  std::string conninfo;
};

struct Flags {
  std::string controller = rpc::kDefaultAddress;
  // How the way to the controller is secured.
  rpc::TransportOptions transport;
  std::string id;  // empty where --id does not say
  std::vector<TargetFlag> targets;
  // conninfo and application_name are each target's.
  pg::PoolOptions pool;
  RowKeys row_keys = RowKeys::kWithhold;
  // What --throttle says; the defaults without it.
  ThrottleConfig throttle;
  // What --config says; nothing without it.
  AgentConfig config;
  // HOST:PORT of the metrics; empty for none.
  std::string metrics;
  std::string log_level = "info";
  base::LogFormat log_format = base::LogFormat::kText;
};

// The name of this machine.
std::string HostName();

// Reads an environment variable; nullptr where it is not set.
using Getenv = std::function<const char*(const char*)>;

// Reads "NAME=CONNINFO", or "NAME" with the conninfo in the environment variable CURLEW_TARGET_<NAME> (upper
// case, every character that is no letter or digit as "_"). INVALID_ARGUMENT with what is wrong; never shows
// the conninfo.
absl::StatusOr<TargetFlag> ParseTarget(const std::string& text, const Getenv& getenv);

// Reads the command line. Nothing where --help or --version was asked for and answered, with `exit_code` 0;
// or where it is wrong and was explained on stderr, with another `exit_code`.
std::optional<Flags> ParseFlags(int argc, const char* const* argv, int* exit_code);

}  // namespace curlew::agent

#endif  // CURLEW_AGENT_FLAGS_H_
