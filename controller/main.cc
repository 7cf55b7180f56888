// curlew-controller: stores plans and drives rollouts.
#include <signal.h>
#include <spdlog/spdlog.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/rpc/endpoint.h"
#include "controller/server.h"
#include "controller/store/sqlite_rollout_store.h"
#include "controller/web/controller_metrics.h"

namespace curlew {
namespace {

struct Flags {
  std::string listen = rpc::kDefaultAddress;
  std::string store = "curlew.db";
  std::string heartbeat_interval = "5s";
  std::string lease_time = "15s";
  std::string metrics;
  std::string log_level = "info";
  std::string log_format = "text";
};

constexpr char kFooter[] = R"(Examples:
  curlew-controller
      Serve on 127.0.0.1:7441, keep everything in ./curlew.db.
  curlew-controller --store /var/lib/curlew/store.db --log-format json
      The same as a service, with logs for a collector.
  curlew-controller --listen 127.0.0.1:0
      Take any free port; the log says which.

SIGTERM and SIGINT end it cleanly: agents are asked to come again, rollouts go on at the next start.
SIGUSR1 switches debug lines in the log on and off.)";

void AddFlags(CLI::App* app, Flags* flags) {
  app->set_version_flag("--version", absl::StrCat("curlew-controller ", CURLEW_VERSION));
  app->add_option("--listen", flags->listen,
                  "Address to serve on; loopback only, as connections are plain text")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app->add_option("--store", flags->store, "SQLite file that holds everything; made where it does not exist")
      ->type_name("PATH")
      ->capture_default_str();
  app->add_option("--heartbeat-interval", flags->heartbeat_interval, "How often agents are to be heard")
      ->type_name("DURATION")
      ->capture_default_str();
  app->add_option(
         "--lease-time", flags->lease_time,
         "How long an agent that is not heard keeps its targets; at least twice the heartbeat interval")
      ->type_name("DURATION")
      ->capture_default_str();
  app->add_option("--metrics", flags->metrics,
                  "Address to serve /metrics (for Prometheus) and /healthz on; nowhere by default")
      ->type_name("HOST:PORT");
  app->add_option("--log-level", flags->log_level, "What is logged to standard error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  app->add_option("--log-format", flags->log_format, "Form of a log line")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app->footer(kFooter);
}

absl::StatusOr<absl::Duration> ParseDuration(absl::string_view flag, const std::string& value) {
  absl::Duration duration;
  if (!absl::ParseDuration(value, &duration) || duration <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, ": \"", value, "\" is no duration; write for example 500ms, 5s or 1m30s"));
  }
  return duration;
}

absl::StatusOr<controller::ServerOptions> OptionsOf(const Flags& flags) {
  controller::ServerOptions options;
  options.listen = flags.listen;
  ASSIGN_OR_RETURN(options.session.heartbeat_interval,
                   ParseDuration("--heartbeat-interval", flags.heartbeat_interval));
  ASSIGN_OR_RETURN(options.session.lease_time, ParseDuration("--lease-time", flags.lease_time));
  if (options.session.lease_time < 2 * options.session.heartbeat_interval) {
    return absl::InvalidArgumentError(
        absl::StrCat("--lease-time: ", flags.lease_time, " is less than twice the --heartbeat-interval, ",
                     flags.heartbeat_interval, "; agents would lose their targets by a late heartbeat"));
  }
  RETURN_IF_ERROR(rpc::CheckLoopback(flags.listen));
  options.engine.reconnect_grace = options.session.lease_time;
  return options;
}

// Before any thread: what all of them inherit only WaitForEnd takes.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

void WaitForEnd(const sigset_t& signals) {
  const auto level = spdlog::default_logger()->level();
  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGUSR1) {
    const bool on = spdlog::default_logger()->level() == spdlog::level::debug;
    spdlog::default_logger()->set_level(on && level != spdlog::level::debug ? level : spdlog::level::debug);
  }
  spdlog::info("{}", base::WithFields("shutting down", {{"signal", strsignal(signal)}}));
}

absl::Status Serve(const Flags& flags) {
  ASSIGN_OR_RETURN(controller::ServerOptions options, OptionsOf(flags));
  const sigset_t signals = BlockSignals();
  base::SetUpLog("controller", flags.log_level,
                 flags.log_format == "json" ? base::LogFormat::kJson : base::LogFormat::kText);
  ASSIGN_OR_RETURN(const auto store, store::SqliteRolloutStore::Open({.path = flags.store}));
  const base::SystemClock clock;
  // Before everything that it is told of.
  std::unique_ptr<web::ControllerMetrics> metrics;
  if (!flags.metrics.empty()) {
    ASSIGN_OR_RETURN(metrics, web::ControllerMetrics::Start(
                                  {.address = flags.metrics, .version = CURLEW_VERSION}, &clock));
    spdlog::info("{}",
                 base::WithFields("serves metrics",
                                  {{"address", absl::StrCat(flags.metrics.substr(0, flags.metrics.rfind(':')),
                                                            ":", metrics->port())}}));
    options.metrics = metrics.get();
  }
  ASSIGN_OR_RETURN(const auto server, controller::Server::Start(store.get(), &clock, options));
  spdlog::info(
      "{}",
      base::WithFields("listening", {{"address", absl::StrCat(flags.listen.substr(0, flags.listen.rfind(':')),
                                                              ":", server->port())},
                                     {"store", flags.store},
                                     {"version", CURLEW_VERSION}}));
  WaitForEnd(signals);
  server->Shutdown();
  spdlog::info("ended");
  return absl::OkStatus();
}

}  // namespace
}  // namespace curlew

int main(int argc, char** argv) {
  CLI::App app("Stores plans and drives rollouts: the controller of Curlew.", "curlew-controller");
  curlew::Flags flags;
  curlew::AddFlags(&app, &flags);
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = curlew::Serve(flags);
  if (status.ok()) return 0;
  std::cerr << "curlew-controller: " << status.message() << "\n";
  return absl::IsInvalidArgument(status) ? 2 : 1;
}
