// curlew-agent: executes the steps of migrations on the databases that it serves.
#include <signal.h>
#include <spdlog/spdlog.h>

#include <iostream>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/bootstrap/command.h"
#include "agent/flags.h"
#include "agent/metrics.h"
#include "agent/session/session.h"
#include "agent/session/target_server.h"
#include "common/base/id.h"
#include "common/base/log.h"
#include "common/base/version.h"
#include "common/rpc/endpoint.h"

namespace curlew::agent {
namespace {

// What a thread may take over one thing, waits for databases aside, before the agent is unwell.
constexpr absl::Duration kLongestTurn = absl::Minutes(1);

template <typename Map>
std::vector<std::string> NamesOf(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

int Run(const Flags& flags) {
  const auto controllers = rpc::ParseControllers(flags.controller);
  const auto channel = rpc::MakeChannel(flags.controller);
  if (!channel.ok()) {
    std::cerr << "curlew-agent: --controller " << flags.controller << ": "
              << std::string(channel.status().message()) << "\n";
    return 2;
  }
  Outbox outbox;
  LeaseClock lease;
  std::unique_ptr<MetricsServer> metrics;
  if (!flags.metrics.empty()) {
    auto started = MetricsServer::Start(flags.metrics, &lease);
    if (!started.ok()) {
      std::cerr << "curlew-agent: --metrics: " << std::string(started.status().message()) << "\n";
      return 2;
    }
    metrics = *std::move(started);
    spdlog::info(base::WithFields(
        "serves metrics", {{"address", absl::StrCat(flags.metrics.substr(0, flags.metrics.rfind(':')), ":",
                                                    metrics->port())}}));
  }
  WalkMetrics* const walks = metrics == nullptr ? nullptr : metrics->walks();
  AgentMetrics* const agent_metrics = metrics == nullptr ? nullptr : metrics->agent();
  const std::string instance_id = base::RandomId(16);
  spdlog::info(base::WithFields("agent starts", {{"version", base::OwnVersion()},
                                                 {"id", flags.id},
                                                 {"instance", instance_id},
                                                 {"controller", flags.controller}}));
  std::vector<std::unique_ptr<TargetServer>> servers;
  std::vector<TargetServer*> targets;
  for (const TargetFlag& target : flags.targets) {
    pg::PoolOptions pool = flags.pool;
    pool.connect.conninfo = target.conninfo;
    servers.push_back(std::make_unique<TargetServer>(TargetOptions{.target = target.name,
                                                                   .agent_id = flags.id,
                                                                   .instance_id = instance_id,
                                                                   .pool = pool,
                                                                   .row_keys = flags.row_keys,
                                                                   .throttle = flags.throttle,
                                                                   .checks = flags.config.checks,
                                                                   .check_role = flags.config.check_role,
                                                                   .backups = flags.config.backups,
                                                                   .metrics = walks,
                                                                   .agent_metrics = agent_metrics},
                                                     &outbox, &lease));
    targets.push_back(servers.back().get());
  }
  Session session({.controller = flags.controller,
                   .controllers = controllers->controllers,
                   .agent_id = flags.id,
                   .instance_id = instance_id,
                   .version = std::string(base::OwnVersion()),
                   .checks = NamesOf(flags.config.checks),
                   .backup_commands = NamesOf(flags.config.backups.commands),
                   .metrics = agent_metrics},
                  *channel, targets, &outbox, &lease);
  if (metrics != nullptr) {
    metrics->Watch("the session with the controller", session.pulse(), kLongestTurn);
    for (const auto& server : servers) {
      metrics->Watch(absl::StrCat("the loop of target ", server->target()), server->pulse(), kLongestTurn);
    }
  }
  std::thread runner([&] { session.Run(); });

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  int signal = 0;
  sigwait(&signals, &signal);
  // A server that does not answer may hold up the end for long: whoever asks again gets it at once. No end
  // can do harm.
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  spdlog::info(base::WithFields("agent stops", {{"signal", absl::StrCat(signal)}}));
  for (TargetServer* target : targets) target->Stop();
  session.Stop();
  runner.join();
  spdlog::info("goodbye");
  return 0;
}

}  // namespace
}  // namespace curlew::agent

int main(int argc, char** argv) {
  if (curlew::agent::IsBootstrapSql(argc, argv)) {
    return curlew::agent::RunBootstrapSql(argc, argv, std::cout, std::cerr);
  }
  int exit_code = 0;
  const auto flags = curlew::agent::ParseFlags(argc, argv, &exit_code);
  if (!flags.has_value()) return exit_code;
  // Before any thread is started, so that only sigwait gets them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  curlew::base::SetUpLog("curlew-agent", flags->log_level, flags->log_format);
  return curlew::agent::Run(*flags);
}
