// curlew-controller: stores plans and drives rollouts.
#include <poll.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/status_macros.h"
#include "common/base/version.h"
#include "common/pki/identity.h"
#include "common/rpc/acceptor.h"
#include "common/rpc/endpoint.h"
#include "common/rpc/grpc_log.h"
#include "common/rpc/transport.h"
#include "common/rpc/transport_flags.h"
#include "controller/access/guard.h"
#include "controller/access/rules.h"
#include "controller/access/token_table.h"
#include "controller/audit/signer.h"
#include "controller/audit_key_command.h"
#include "controller/candidate.h"
#include "controller/health_server.h"
#include "controller/limits/limiter.h"
#include "controller/notify/config.h"
#include "controller/notify/sender.h"
#include "controller/store/store_location.h"
#include "controller/store_command.h"
#include "controller/web/controller_metrics.h"

namespace curlew {
namespace {

struct Flags {
  std::string listen = rpc::kDefaultAddress;
  std::string advertise;
  std::string store = "curlew.db";
  std::string leader_lease = "5s";
  std::string event_retention = "2160h";
  std::string heartbeat_interval = "5s";
  std::string lease_time = "15s";
  rpc::TransportOptions transport;
  std::string access;
  bool tokens = false;
  std::string rate_limit;
  int rate_burst = limits::Options().call_burst;
  int stream_limit = limits::Options().streams;
  std::string call_deadline = absl::FormatDuration(limits::Options().call_deadline);
  std::string health;
  std::string metrics;
  std::string drift_interval = "1h";
  std::string notifications;
  std::string audit_key;
  std::string log_level = "info";
  std::string log_format = "text";
};

constexpr char kFooter[] = R"(Examples:
  curlew-controller --insecure
      To try it: serve on 127.0.0.1:7441 in plain text, keep everything in ./curlew.db.
  curlew pki init && curlew pki issue controller --dns curlew.example.org
  curlew-controller --listen 0.0.0.0:7441 --tls-cert pki/controller/tls.crt
                    --tls-key pki/controller/tls.key --tls-ca pki/controller/ca.crt
                    --access access.yaml
      With certificates on both sides; agents and curlew have theirs from the same CA.
  curlew-controller --insecure --listen 127.0.0.1:0 --drift-interval 15m
      Take any free port; the log says which. Notice within a quarter of an hour that somebody else has
      changed the schema of a target.
  CURLEW_STORE='postgresql://curlew@db/curlew' curlew-controller --tls-cert ...
      One of several on the same store: one leads, the others stand by, and one of them takes over when it
      goes. Agents and curlew are told of all: --controller dns:///curlew.example.org:7441.

A password of the store stands in ~/.pgpass or PGPASSWORD, where no process list shows it.
SIGTERM and SIGINT end it cleanly: agents are asked to come again, rollouts go on at the next start.
SIGUSR1 switches debug lines in the log on and off.

Exit codes: 0 ended by a signal, 1 cannot serve, or the store held up its end for 20 s, 2 wrong usage.)";

void AddFlags(CLI::App* app, Flags* flags) {
  app->set_version_flag("--version", absl::StrCat("curlew-controller ", base::OwnVersion()));
  app->add_option("--listen", flags->listen,
                  "Address to serve on; with --insecure on the loopback interface only")
      ->type_name("HOST:PORT")
      ->capture_default_str();
  app->add_option(
         "--advertise", flags->advertise,
         "Where clients reach this controller, as others name it; the address it listens on by default")
      ->type_name("HOST:PORT");
  app->add_option(
         "--store", flags->store,
         "Where everything is kept: a SQLite file (made where it does not exist), sqlite:///PATH, or "
         "postgresql://..., which several controllers may share")
      ->type_name("URL|PATH")
      ->envname("CURLEW_STORE")
      ->capture_default_str();
  app->add_option("--leader-lease", flags->leader_lease,
                  "With PostgreSQL: how long after its last word a leader is replaced; at least 1s")
      ->type_name("DURATION")
      ->capture_default_str();
  app->add_option("--event-retention", flags->event_retention,
                  "How long the events of a rollout are kept after it has ended; inf for ever")
      ->type_name("DURATION")
      ->capture_default_str();
  app->add_option("--heartbeat-interval", flags->heartbeat_interval, "How often agents are to be heard")
      ->type_name("DURATION")
      ->capture_default_str();
  app->add_option(
         "--lease-time", flags->lease_time,
         "How long an agent that is not heard keeps its targets; at least twice the heartbeat interval")
      ->type_name("DURATION")
      ->capture_default_str();
  rpc::AddTransportFlags(app, rpc::Side::kServer, &flags->transport);
  app->add_option(
         "--access", flags->access,
         "Who may do what: a YAML file of roles and agents (docs/access.md), read again when it changes; "
         "needed with certificates")
      ->type_name("FILE");
  app->add_flag(
      "--tokens", flags->tokens,
      "Hear clients without a certificate, too, that show a bearer token (curlew token create); what "
      "each may do stands in the access file, as token:NAME");
  app->add_option("--rate-limit", flags->rate_limit,
                  "How often each identity may call in the long run (docs/limits.md); 0 for as often as it "
                  "likes, which is the default with --insecure, else 50/s")
      ->type_name("N/s");
  app->add_option("--rate-burst", flags->rate_burst,
                  "How many calls an identity may make at once that has made none for a while")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app->add_option(
         "--stream-limit", flags->stream_limit,
         "How many watches and previews an identity may have open, where --rate-limit is not 0; 0 for "
         "as many as it likes")
      ->type_name("N")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app->add_option(
         "--call-deadline", flags->call_deadline,
         "After which a call is answered in any case, where its caller does not ask for that earlier")
      ->type_name("DURATION")
      ->capture_default_str();
  app->add_option(
         "--health", flags->health,
         "Address to answer gRPC health checks on, and nothing else, in plain text for whoever asks: "
         "probes that cannot show a certificate; nowhere by default")
      ->type_name("HOST:PORT");
  app->add_option("--metrics", flags->metrics,
                  "Address to serve /metrics (for Prometheus) and /healthz on; nowhere by default")
      ->type_name("HOST:PORT");
  app->add_option("--drift-interval", flags->drift_interval,
                  "In which time every target is compared once with what is on record of it; 0 for never")
      ->type_name("DURATION")
      ->capture_default_str();
  app->add_option("--notifications", flags->notifications,
                  "Who is told of what: a YAML file of sinks (docs/notifications.md); nobody by default")
      ->type_name("FILE");
  app->add_option("--audit-key", flags->audit_key,
                  "Key that signs the head of the audit log, as curlew-controller audit-key makes it")
      ->type_name("FILE");
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

absl::StatusOr<absl::Duration> LeaderLease(const Flags& flags) {
  ASSIGN_OR_RETURN(const absl::Duration term, ParseDuration("--leader-lease", flags.leader_lease));
  if (term >= absl::Seconds(1)) return term;
  return absl::InvalidArgumentError(
      absl::StrCat("--leader-lease: ", flags.leader_lease,
                   " is less than 1s; a leader would lose its lease by a store that is slow for a moment"));
}

absl::StatusOr<controller::ServerOptions> OptionsOf(const Flags& flags) {
  controller::ServerOptions options;
  options.listen = flags.listen;
  ASSIGN_OR_RETURN(options.events.retention, ParseDuration("--event-retention", flags.event_retention));
  ASSIGN_OR_RETURN(options.session.heartbeat_interval,
                   ParseDuration("--heartbeat-interval", flags.heartbeat_interval));
  ASSIGN_OR_RETURN(options.session.lease_time, ParseDuration("--lease-time", flags.lease_time));
  if (options.session.lease_time < 2 * options.session.heartbeat_interval) {
    return absl::InvalidArgumentError(
        absl::StrCat("--lease-time: ", flags.lease_time, " is less than twice the --heartbeat-interval, ",
                     flags.heartbeat_interval, "; agents would lose their targets by a late heartbeat"));
  }
  absl::Duration drift_interval;
  if (!absl::ParseDuration(flags.drift_interval, &drift_interval) || drift_interval != absl::ZeroDuration()) {
    ASSIGN_OR_RETURN(options.engine.drift.interval, ParseDuration("--drift-interval", flags.drift_interval));
  }
  options.engine.reconnect_grace = options.session.lease_time;
  return options;
}

// With --insecure nobody can be told from another on the same machine: nothing is limited unless it is asked
// for.
absl::StatusOr<limits::Options> LimitsOf(const Flags& flags) {
  const bool insecure = flags.transport.plain_text == rpc::PlainText::kLoopbackOnly;
  limits::Options options = insecure && flags.rate_limit.empty() ? limits::Options::Off() : limits::Options();
  ASSIGN_OR_RETURN(options.call_deadline, ParseDuration("--call-deadline", flags.call_deadline));
  if (!flags.rate_limit.empty()) {
    absl::string_view number = flags.rate_limit;
    absl::ConsumeSuffix(&number, "/s");
    constexpr double kMost = 1e6;
    if (!absl::SimpleAtod(number, &options.calls_per_second) || !(options.calls_per_second >= 0) ||
        options.calls_per_second > kMost) {
      return absl::InvalidArgumentError(absl::StrCat("--rate-limit: \"", flags.rate_limit,
                                                     "\" is no rate; write for example 50/s, or 0 for none"));
    }
  }
  if (options.calls_per_second == 0) {
    const absl::Duration deadline = options.call_deadline;
    options = limits::Options::Off();
    options.call_deadline = deadline;
    return options;
  }
  options.call_burst = flags.rate_burst;
  options.streams = flags.stream_limit;
  return options;
}

// Null where there are no certificates, by which one is told from another.
absl::StatusOr<std::unique_ptr<access::Guard>> GuardOf(const Flags& flags, const rpc::Transport& transport,
                                                       const access::TokenTable* tokens) {
  RETURN_IF_ERROR(access::CheckRules());
  if (!transport.secure()) {
    if (flags.tokens) {
      return absl::InvalidArgumentError(
          "--tokens needs certificates: with --insecure a token would go over the wire in plain text");
    }
    if (flags.access.empty()) return nullptr;
    return absl::InvalidArgumentError(
        "--access needs certificates: with --insecure nobody can be told from another");
  }
  if (flags.access.empty()) {
    return absl::InvalidArgumentError(
        "--access is missing: a file that says who may do what, for example\n"
        "  roles:\n"
        "    - {role: admin, users: [alice]}\n"
        "see docs/access.md");
  }
  const auto own = pki::ParseUri(transport.name());
  auto guard =
      access::Guard::Load(flags.access, own.ok() ? own->trust_domain : std::string(pki::kDefaultTrustDomain),
                          flags.tokens ? tokens : nullptr);
  if (guard.ok()) return guard;
  return absl::InvalidArgumentError(absl::StrCat("--access: ", guard.status().message()));
}

// Null without a key.
absl::StatusOr<std::unique_ptr<audit::HeadSigner>> AuditSigner(const Flags& flags) {
  if (flags.audit_key.empty()) return nullptr;
  ASSIGN_OR_RETURN(auto signer, audit::HeadSigner::Load(flags.audit_key));
  spdlog::info("{}", base::WithFields("signs the head of the audit log", {{"key_id", signer->key_id()}}));
  return signer;
}

// Null where nobody is told of anything.
absl::StatusOr<std::unique_ptr<notify::Sender>> NotificationSender(const Flags& flags,
                                                                   const base::Clock* clock) {
  if (flags.notifications.empty()) return nullptr;
  ASSIGN_OR_RETURN(auto sinks, notify::ReadSinks(flags.notifications));
  std::string names;
  for (const notify::Sink& sink : sinks) absl::StrAppend(&names, names.empty() ? "" : ",", sink.name);
  spdlog::info("{}", base::WithFields("tells of what happens", {{"sinks", names}}));
  return std::make_unique<notify::Sender>(std::move(sinks), clock);
}

// Before any thread: what all of them inherit only Events takes.
sigset_t BlockSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

// What the main thread waits for: signals, and calls of Wake.
class Events {
 public:
  explicit Events(const sigset_t& signals)
      : signals_(signalfd(-1, &signals, SFD_CLOEXEC)), woken_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Events() {
    close(signals_);
    close(woken_);
  }
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;

  // On any thread.
  void Wake() const { eventfd_write(woken_, 1); }

  // Until a signal has come, Wake was called or `timeout` has passed. The signal, or 0.
  int Wait(absl::Duration timeout) const {
    pollfd fds[] = {{.fd = signals_, .events = POLLIN}, {.fd = woken_, .events = POLLIN}};
    const int64_t milliseconds = absl::ToInt64Milliseconds(absl::Ceil(timeout, absl::Milliseconds(1)));
    if (poll(fds, std::size(fds), static_cast<int>(std::clamp<int64_t>(milliseconds, 0, INT_MAX))) <= 0) {
      return 0;
    }
    eventfd_t count = 0;
    eventfd_read(woken_, &count);
    signalfd_siginfo info = {};
    if (fds[0].revents == 0 || read(signals_, &info, sizeof info) != sizeof info) return 0;
    return static_cast<int>(info.ssi_signo);
  }

 private:
  const int signals_;
  const int woken_;
};

// Ends the process where a signal has asked for its end and that takes longer than kLongestEnd: the thread
// that would hear the signal, or a farewell, waits for a store that does not answer. What rollouts do goes on
// from the store elsewhere, as after a crash.
class LastResort {
 public:
  LastResort() : ending_(eventfd(0, EFD_CLOEXEC)), ended_(eventfd(0, EFD_CLOEXEC)) {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int signal : {SIGTERM, SIGINT}) sigaddset(&signals, signal);
    signals_ = signalfd(-1, &signals, SFD_CLOEXEC);
    thread_ = std::thread([this] { Watch(); });
  }
  // It has ended in time.
  ~LastResort() {
    eventfd_write(ended_, 1);
    thread_.join();
    for (const int fd : {ending_, ended_, signals_}) close(fd);
  }
  LastResort(const LastResort&) = delete;
  LastResort& operator=(const LastResort&) = delete;

  // The signal has been heard.
  void Ending() const { eventfd_write(ending_, 1); }

 private:
  static constexpr absl::Duration kLongestEnd = absl::Seconds(20);

  // Sees a signal that waits to be heard, and leaves it to Events.
  void Watch() const {
    pollfd fds[] = {{.fd = ended_, .events = POLLIN, .revents = 0},
                    {.fd = ending_, .events = POLLIN, .revents = 0},
                    {.fd = signals_, .events = POLLIN, .revents = 0}};
    while (poll(fds, std::size(fds), -1) < 0) {
    }
    if (poll(fds, 1, static_cast<int>(absl::ToInt64Milliseconds(kLongestEnd))) != 0) return;
    spdlog::error("{}", base::WithFields("ends without a farewell: the store does not answer",
                                         {{"waited", absl::FormatDuration(kLongestEnd)}}));
    _exit(1);
  }

  const int ending_;
  const int ended_;
  int signals_ = -1;
  std::thread thread_;
};

// How connections are secured, for the log.
std::string Shown(const rpc::Transport& transport) {
  if (!transport.secure()) return "plain text";
  const bool tokens = transport.options().client_certificates == rpc::ClientCertificates::kOptional;
  return absl::StrCat("TLS as ", transport.name(), ", until ", pki::Shown(transport.own()->ends),
                      tokens ? "; takes tokens" : "");
}

// Leads and stands by, until a signal ends it, and tells `health`, which may be null. Returns the signal.
int Run(controller::Candidate* candidate, controller::HealthServer* health, const Events& events) {
  const auto level = spdlog::default_logger()->level();
  while (true) {
    const absl::Duration pause = candidate->Act();
    if (health != nullptr) health->SetLeads(candidate->leads());
    const int signal = events.Wait(pause);
    if (signal == SIGUSR1) {
      const bool on = spdlog::default_logger()->level() == spdlog::level::debug;
      spdlog::default_logger()->set_level(on && level != spdlog::level::debug ? level : spdlog::level::debug);
    } else if (signal != 0) {
      return signal;
    }
  }
}

absl::Status Serve(const Flags& flags) {
  controller::CandidateOptions options;
  ASSIGN_OR_RETURN(options.server, OptionsOf(flags));
  rpc::TransportOptions secured = flags.transport;
  if (flags.tokens) secured.client_certificates = rpc::ClientCertificates::kOptional;
  ASSIGN_OR_RETURN(const auto transport, rpc::Transport::Make(secured, absl::Now()));
  RETURN_IF_ERROR(transport->Check(flags.listen));
  options.server.transport = transport.get();
  const base::SystemClock clock;
  access::TokenTable tokens(&clock);
  if (flags.tokens) options.server.tokens = &tokens;
  ASSIGN_OR_RETURN(const auto guard, GuardOf(flags, *transport, &tokens));
  if (guard != nullptr) options.server.guard = guard.get();
  ASSIGN_OR_RETURN(const limits::Options limited, LimitsOf(flags));
  limits::Limiter limiter(limited);
  options.server.limiter = &limiter;
  options.advertise = flags.advertise;
  ASSIGN_OR_RETURN(const absl::Duration term, LeaderLease(flags));
  ASSIGN_OR_RETURN(const auto location, store::StoreLocation::Parse(flags.store, term));
  const sigset_t signals = BlockSignals();
  base::SetUpLog("controller", flags.log_level,
                 flags.log_format == "json" ? base::LogFormat::kJson : base::LogFormat::kText);
  // Before everything that it is told of.
  std::unique_ptr<web::ControllerMetrics> metrics;
  if (!flags.metrics.empty()) {
    ASSIGN_OR_RETURN(metrics,
                     web::ControllerMetrics::Start(
                         {.address = flags.metrics, .version = std::string(base::OwnVersion())}, &clock));
    spdlog::info("{}",
                 base::WithFields("serves metrics",
                                  {{"address", absl::StrCat(flags.metrics.substr(0, flags.metrics.rfind(':')),
                                                            ":", metrics->port())}}));
    options.server.metrics = metrics.get();
  }
  ASSIGN_OR_RETURN(const auto signer, AuditSigner(flags));
  options.server.audit_signer = signer.get();
  // Beyond every term: none waits for a receiver at its end.
  ASSIGN_OR_RETURN(const auto sender, NotificationSender(flags, &clock));
  options.server.notifications = sender.get();
  std::unique_ptr<controller::HealthServer> health;
  if (!flags.health.empty()) {
    ASSIGN_OR_RETURN(health, controller::HealthServer::Start(flags.health));
    options.server.health = health.get();
    spdlog::info("{}", base::WithFields("answers health checks", {{"address", health->address()}}));
  }
  const Events events(signals);
  const LastResort last_resort;
  ASSIGN_OR_RETURN(const auto candidate, controller::Candidate::Start(location.get(), &clock, options,
                                                                      [&events] { events.Wake(); }));
  spdlog::info("{}", base::WithFields("listening", {{"address", candidate->address()},
                                                    {"store", location->Name()},
                                                    {"role", candidate->leads() ? "leader" : "standby"},
                                                    {"transport", Shown(*transport)},
                                                    {"version", base::OwnVersion()}}));
  const int signal = Run(candidate.get(), health.get(), events);
  last_resort.Ending();
  spdlog::info("{}", base::WithFields("shutting down", {{"signal", strsignal(signal)}}));
  candidate->Shutdown();
  spdlog::info("ended");
  return absl::OkStatus();
}

}  // namespace
}  // namespace curlew

int main(int argc, char** argv) {
  CLI::App app("Stores plans and drives rollouts: the controller of Curlew.", "curlew-controller");
  curlew::Flags flags;
  curlew::AddFlags(&app, &flags);
  std::function<int()> verb;
  curlew::controller::AddStoreCommand(&app, &verb);
  curlew::controller::AddAuditKeyCommand(&app, &verb);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (verb) return verb();
  curlew::rpc::SendGrpcLog(curlew::rpc::GrpcLog::kOurs);
  curlew::rpc::RaiseFileLimit();
  const absl::Status status = curlew::Serve(flags);
  if (status.ok()) return 0;
  std::cerr << "curlew-controller: " << status.message() << "\n";
  return absl::IsInvalidArgument(status) ? 2 : 1;
}
