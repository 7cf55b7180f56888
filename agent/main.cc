// curlew-agent: executes the steps of migrations on the databases that it serves.
#include <signal.h>
#include <spdlog/spdlog.h>

#include <iostream>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "agent/bootstrap/command.h"
#include "agent/flags.h"
#include "agent/metrics.h"
#include "agent/session/session.h"
#include "agent/session/target_server.h"
#include "common/base/id.h"
#include "common/base/log.h"
#include "common/base/version.h"
#include "common/pki/identity.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/grpc_log.h"
#include "common/rpc/probe.h"
#include "common/rpc/transport.h"

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

// Who the agent is: with a certificate the agent that it names, unless --id says otherwise.
std::string IdOf(const Flags& flags, const rpc::Transport& transport) {
  if (!flags.id.empty()) return flags.id;
  const auto named = pki::ParseUri(transport.name());
  return named.ok() && named->party == pki::Party::kAgent ? named->name : HostName();
}

int Run(Flags flags) {
  const auto transport = rpc::Transport::Make(flags.transport, absl::Now());
  if (!transport.ok()) {
    std::cerr << "curlew-agent: " << std::string(transport.status().message()) << "\n";
    return 2;
  }
  flags.id = IdOf(flags, **transport);
  const auto controllers = rpc::ParseControllers(flags.controller, **transport);
  const auto channel = rpc::MakeChannel(flags.controller, **transport);
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
  if (flags.config.trust.has_value()) {
    const Trust& trust = *flags.config.trust;
    spdlog::info(base::WithFields("runs signed plans alone",
                                  {{"environment", trust.environment},
                                   {"plan_keys", Names(trust.plan_keys)},
                                   {"approver_keys", Names(trust.approver_keys)},
                                   {"drop_approvals", absl::StrCat(trust.drop_approvals)}}));
  }
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
                                                                   .trust = flags.config.trust,
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
                   .requires_signatures = flags.config.trust.has_value(),
                   .why_unreachable = [&] { return rpc::WhyUnreachable(*controllers, **transport); },
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
  curlew::rpc::SendGrpcLog(curlew::rpc::GrpcLog::kOurs);
  curlew::base::SetUpLog("curlew-agent", flags->log_level, flags->log_format);
  return curlew::agent::Run(*flags);
}
